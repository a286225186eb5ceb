# Users who are created and deleted all the time by many at once: nobody is
# told that he may not, or that there is one already, when that is not so.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $node = UserstoreTest->new_node('churn');
$node->safe_psql('userstore', q{
	SELECT userstore.user_table_create('people');
	-- PT404 is as it should be; anything else ends the client
	CREATE FUNCTION try_delete() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM userstore.user_delete('people', 'ann');
	EXCEPTION WHEN SQLSTATE 'PT404' THEN
		NULL;
	END $$;
	CREATE FUNCTION try_patch() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM userstore.user_patch('people', 'ann', jsonb_build_object('n', random()));
	EXCEPTION WHEN SQLSTATE 'PT404' THEN
		NULL;
	END $$});

my %script = (
	put => q{SELECT userstore.user_put('people', 'ann', jsonb_build_object('n', random()))},
	delete => 'SELECT try_delete()',
	patch => 'SELECT try_patch()');
my @files;
for my $name (sort keys %script)
{
	my $file = "$PostgreSQL::Test::Utils::tmp_check/$name.pgbench";
	append_to_file($file, "$script{$name};\n");
	push @files, '-f', $name eq 'patch' ? $file : "$file\@2";
}
my ($out, $err) = run_command([ 'pgbench', '-n', '-c' => 10, '-t' => 4000, @files,
		'-h' => $node->host, '-p' => $node->port, '-U' => 'postgres', 'userstore' ]);
is(join("\n", $err =~ /ERROR: .*/g), '', 'no error');
like($out, qr{transactions actually processed: 40000/40000}, 'all clients went on to the end');
is($node->safe_psql('userstore', q{
	SELECT count(*) = max(version), min(version), max(version) > 1000 FROM people_history}), 't|1|t', 'history has no holes');
is($node->safe_psql('userstore', q{
	SELECT count(*) FROM (
		SELECT operation, changed_at, document, lag(changed_at) OVER w AS earlier, lag(document) OVER w AS before
		FROM people_history WINDOW w AS (ORDER BY version)) h
	WHERE changed_at <= earlier OR (before IS NULL AND operation <> 'put') OR (document IS NULL) <> (operation = 'delete')}),
	'0', 'and each change comes after the one before it');

done_testing();
