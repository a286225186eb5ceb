# The tests of updates give the same on tables of 8 partitions, but for the
# names of partitions in what PostgreSQL says of a constraint.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my @topics = qw(bulk computed cpq errors hooks idempotency json_patch list oig plain profile replace_merge
	schema_words scim scim_bulk scim_patch scim_patch_parts versions zluri zuora);

plan skip_all => 'PG_REGRESS does not say where pg_regress is' unless $ENV{PG_REGRESS};

my $home = "$FindBin::RealBin/../..";
my $node = UserstoreTest->new_node('partitions');
my $out = PostgreSQL::Test::Utils::tempdir();

# user_table_create makes partitioned tables unless it is told otherwise.
$node->safe_psql('userstore', q{DO $do$ BEGIN
	EXECUTE (SELECT replace(pg_get_functiondef('userstore.user_table_create'::regproc),
		'partitions integer DEFAULT NULL::integer', 'partitions integer DEFAULT 8'));
	END $do$});
is($node->safe_psql('userstore', q{SELECT userstore.user_table_create('checked');
		SELECT count(*) FROM pg_inherits WHERE inhparent = 'checked'::regclass; DROP TABLE checked}),
	"checked\n8", 'tables have 8 partitions');

# Its verdict is not asked for: names of partitions are no difference.
my ($log, $error);
IPC::Run::run([ $ENV{PG_REGRESS}, '--host=' . $node->host, '--port=' . $node->port, '--user=postgres',
		"--inputdir=$home", "--outputdir=$out", '--use-existing', '--dbname=userstore', @topics ], '>', \$log, '2>', \$error);
for my $topic (@topics)
{
	my $expected = slurp_file("$home/expected/$topic.out");
	my $got = -e "$out/results/$topic.out" ? slurp_file("$out/results/$topic.out") : '';

	$got =~ s/(\w)_p[0-7](?=\\?")/$1/g;
	ok($got eq $expected, $topic) or diag(difference($expected, $got));
}

# The first line that differs.
sub difference
{
	my @lines = map { [ split /\n/, $_, -1 ] } @_;

	for my $i (0 .. $#{ $lines[0] })
	{
		return "expected: $lines[0][$i]\n     got: " . ($lines[1][$i] // '') . "\n" if $lines[0][$i] ne ($lines[1][$i] // '');
	}
	return 'there is more than expected';
}

done_testing();
