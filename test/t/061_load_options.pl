# The options of userstore-load: what it says of itself, which do not go
# together, what it says when it cannot begin; and its man page.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $program = 'userstore-load';
my $dir = PostgreSQL::Test::Utils::tempdir();
my $man = "$FindBin::RealBin/../../doc/userstore-load.1";

# What became of a command: exit status, standard output and error.
sub outcome
{
	my ($input, @arguments) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ $program, @arguments ], '<', \$input, '>', \$out, '2>', \$err);
	return ($? >> 8, $out, $err);
}

sub refuses
{
	my ($arguments, $pattern, $what) = @_;
	my ($status, $out, $err) = outcome('', @$arguments);

	is($status, 2, "$what: ends with 2");
	is($out, '', "$what: nothing goes to standard output");
	like($err, $pattern, "$what: says so");
}

# ---- What all programs have ------------------------------------------------

program_help_ok($program);
program_version_ok($program);
program_options_handling_ok($program);

my ($status, $help, $err) = outcome('', '-?');
is($help, (outcome('', '--help'))[1], '-? is --help');
is((outcome('', '-V'))[1], (outcome('', '--version'))[1], '-V is --version');
like((outcome('', '-V'))[1], qr/^userstore-load \(userstore\) \d+\.\d+\.\d+$/, 'which names the version of userstore');
is(scalar(grep { length > 80 } split /\n/, $help), 0, 'no line of --help is longer than 80 characters');

my $hint = qr/hint: Try "userstore-load --help" for more information\./;
refuses(['--not-a-valid-option'], $hint, 'an unknown option');
refuses([], qr/error: no table is given\n.*$hint/s, 'no table');
refuses([ 'people', 'file', 'other' ], qr/error: too many command-line arguments \(first is "other"\)\n.*$hint/s, 'too many arguments');
refuses([ '--export', 'people', 'file' ], qr/too many command-line arguments \(first is "file"\)/, 'a file to export');
refuses([ '--to-json', 'people', 'file' ], qr/too many command-line arguments \(first is "file"\)/, 'a table to convert');

# ---- Options that do not go together ---------------------------------------

foreach my $pair ([qw(put patch)], [qw(creates no-creates)], [qw(progress no-progress)], [qw(no-password password)],
	[qw(sync export)], [qw(sync to-json)], [qw(export to-json)])
{
	refuses([ 'people', map { "--$_" } @$pair ], qr/error: options --$pair->[0] and --$pair->[1] cannot be used together\n.*$hint/s, "@$pair");
}
refuses([ '--sync', '--guard={}', '--no-guard', 'people' ], qr/options --guard and --no-guard cannot be used together/, 'guard no-guard');

# with what each task has not
my %value = map { $_ => 1 } qw(batch jobs retry-for);
my %foreign = (
	export => [qw(put patch dry-run creates atomic-batches progress no-guard batch jobs max-record retry-for rejects map delimiter format match scope guard missing load-id request-id)],
	sync => [qw(creates no-creates atomic-batches progress no-progress batch jobs retry-for rejects load-id output)],
	'to-json' => [qw(put patch match creates dry-run atomic-batches batch jobs rejects quiet dbname host port username password no-password api scope)]);
my %needs_value = map { $_ => 1 } qw(max-record rejects map delimiter format match scope guard missing load-id request-id output dbname host port username api);
foreach my $task (sort keys %foreign)
{
	foreach my $option (@{ $foreign{$task} })
	{
		my $value = $value{$option} ? '=1' : !$needs_value{$option} ? '' :
		  $option eq 'format' ? '=csv' : $option eq 'missing' ? '=ignore' : $option eq 'max-record' ? '=1MB' : '=,';

		my (undef, undef, $err) = outcome('', "--$task", "--$option$value", 'people');
		like($err, qr/options --$option and --$task cannot be used together/, "--$option is nothing to --$task");
	}
}
foreach my $option ('--missing=delete', '--scope=x', '--guard={}', '--no-guard')
{
	my ($name) = $option =~ /^(--[\w-]+)/;
	refuses([ $option, 'people' ], qr/option $name can only be used with --sync/, "$name alone");
}
refuses([ '--output=x', 'people' ], qr/option --output can only be used with --export/, '--output alone');
foreach my $action (qw(deactivate delete))
{
	refuses([ '--sync', "--missing=$action", 'people' ], qr/--missing=$action needs --guard or --no-guard/, "--missing=$action without a guard");
}
refuses([ '--format=ndjson', '--map={}', 'people' ], qr/option --map is for the format csv/, 'a mapping of NDJSON');

# ---- Values ----------------------------------------------------------------

refuses([ '--format=xml', 'people' ], qr/invalid value "xml" for option --format\n.*hint: It is one of: auto, ndjson, array, scim, oig, csv\./s, 'an unknown format');
refuses([ '--sync', '--missing=drop', 'people' ], qr/invalid value "drop" for option --missing\n.*ignore, deactivate, delete/s, 'an unknown action');
refuses([ '--batch=0', 'people' ], qr/--batch must be in range 1\.\.10000/, 'empty batches');
refuses([ '--batch=ten', 'people' ], qr/invalid value "ten" for option --batch/, 'a batch that is no number');
refuses([ '-j', '101', 'people' ], qr/--jobs must be in range 1\.\.100/, 'too many jobs');
refuses([ "--max-record=$_", 'people' ], qr/invalid value "$_" for option --max-record\n.*hint: It is a number with a unit/s, "a record of $_") foreach qw(0 1 0MB MB 257MB 1TB -1MB);
refuses([ '--retry-for=-1', 'people' ], qr/--retry-for must be in range 0/, 'no time at all');
refuses([ '--delimiter=ab', 'people' ], qr/a delimiter is one character/, 'a delimiter that is two');
refuses([ '--delimiter="', 'people' ], qr/a delimiter is one character/, 'a quote for a delimiter');

# ---- What it cannot begin with ---------------------------------------------

refuses([ 'people', "$dir/none.ndjson" ], qr/error: could not open file "\Q$dir\E\/none\.ndjson": No such file or directory/, 'no such file');
refuses([ 'people', $dir ], qr/is a directory/, 'a directory');
refuses([ '-h', "$dir", 'people' ], qr/error: connection to server on socket .* failed: No such file or directory/, 'no such server');
refuses([ '-d', 'host=127.0.0.1 port=1 connect_timeout=5', 'people' ], qr/error: connection to server at "127\.0\.0\.1", port 1 failed: /, 'no server there');

my $node = UserstoreTest->new_node('load_options');
my @connection = ('-h', $node->host, '-p', $node->port, '-U', 'postgres');

$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->safe_psql('userstore', q{
	SELECT userstore.user_table_create('people', api => 'scim');
	CREATE SCHEMA app; SELECT userstore.user_table_create('app.staff');
	CREATE TABLE things (id text);
	CREATE ROLE stranger LOGIN});
refuses([ @connection, '-d', 'none', 'people' ], qr/database "none" does not exist/, 'no such database');
refuses([ @connection, '-d', 'userstore', '-U', 'nobody', 'people' ], qr/role "nobody" does not exist/, 'no such role');
refuses([ @connection, '-d', 'plain', 'people' ], qr/error: could not load into "people": schema "userstore" does not exist\n.*hint: The extension userstore must have been created/s, 'a database without the extension');
refuses([ @connection, '-d', 'userstore', 'nobody' ], qr/error: could not load into "nobody": relation "nobody" does not exist/, 'no such table');
refuses([ @connection, '-d', 'userstore', 'things' ], qr/error: could not load into "things": .*things/, 'a table that is not registered');
refuses([ @connection, '-d', 'userstore', '-U', 'stranger', 'people' ], qr/error: could not load into "people": permission denied for table people/, 'a table of others');
refuses([ @connection, '-d', 'userstore', '--api=none', 'people' ], qr/API profile "none" does not exist/, 'no such profile');
refuses([ @connection, '-d', 'userstore', '--match=emails', 'people' ], qr/error: could not load into "people": .*emails/, 'an attribute that tells nobody apart');
refuses([ @connection, '-d', 'userstore', '--export', 'nobody' ], qr/error: could not export "nobody": relation "nobody" does not exist/, 'no table to export');
refuses([ @connection, '-d', 'userstore', '--rejects', "$dir/none/rejects", 'people' ], qr/could not open file "\Q$dir\E\/none\/rejects": No such file or directory/, 'no place for rejected records');

append_to_file("$dir/one.ndjson", qq({"id": "a"}\n));
refuses([ @connection, '-d', 'userstore', '--rejects', "$dir/one.ndjson", 'people', "$dir/one.ndjson" ], qr/for rejected records is the input itself/, 'the input as the file for rejected records');
is(slurp_file("$dir/one.ndjson"), qq({"id": "a"}\n), 'which is as it was');

my $load = 'userstore.users_load(regclass, jsonb, boolean, text, boolean, boolean, text, text, boolean, text)';
$node->safe_psql('userstore', "ALTER EXTENSION userstore DROP FUNCTION $load; DROP FUNCTION $load");
refuses([ @connection, '-d', 'userstore', 'people' ], qr/function userstore\.users_load\(.*\) does not exist\n.*hint: The extension userstore in the database must not be older/s, 'an extension that is too old');

# ---- Connections -----------------------------------------------------------

$node->safe_psql('postgres', 'DROP DATABASE userstore');
$node->safe_psql('postgres', 'CREATE DATABASE userstore');
$node->safe_psql('userstore', q{CREATE EXTENSION userstore; CREATE SCHEMA app; SELECT userstore.user_table_create('app.staff')});
my $record = qq({"id": "a"}\n);

($status) = outcome($record, @connection, '-d', 'userstore', 'app.staff');
is($status, 0, 'a qualified table');
($status) = outcome($record, '-d', $node->connstr('userstore') . ' user=postgres', 'app.staff');
is($status, 0, 'a connection string');
{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGUSER => 'postgres', PGDATABASE => 'userstore',
		PGOPTIONS => '-c search_path=app');

	($status) = outcome($record, 'staff', '-');
	is($status, 0, 'the environment, and standard input by name');
	($status, my $out, $err) = outcome('', 'staff');
	is($status, 0, 'no records at all are no error');
	like($err, qr/^0 read, 0 applied/, 'and are told');
	($status, $out) = outcome($record, '--patch', '--put', 'staff');
	is($status, 2, 'options after all');
}

# a password where one is needed
$node->safe_psql('userstore', q{CREATE ROLE guarded LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA app TO guarded; GRANT SELECT, INSERT, UPDATE, DELETE ON app.staff TO guarded});
unlink($node->data_dir . '/pg_hba.conf');
$node->append_conf('pg_hba.conf', "local all guarded scram-sha-256\nlocal all all trust\n");
$node->reload;
my @guarded = ('-h', $node->host, '-p', $node->port, '-U', 'guarded', '-d', 'userstore');
refuses([ @guarded, '-w', 'app.staff' ], qr/no password supplied/, 'a password that is not asked for');
{
	local $ENV{PGPASSWORD} = 'secret';
	($status) = outcome($record, @guarded, '-j', '3', 'app.staff');
	is($status, 0, 'a password out of the environment');
	local $ENV{PGPASSWORD} = 'wrong';
	refuses([ @guarded, '-w', 'app.staff' ], qr/password authentication failed/, 'a wrong password');
}

# ---- The man page ----------------------------------------------------------

my $page = slurp_file($man);
my %in_help = map { $_ => 1 } $help =~ /^\s+(?:-\S, )?(--[\w-]+)(?:=|\s)/mg;
my %in_page = map { s/\\-/-/gr => 1 } $page =~ /^\.B[IR]? (?:\\-\S ", " )?(\\-\\-(?:\w|\\-)+)/mg;

cmp_ok(scalar(keys %in_help), '>', 30, '--help has options');
is(join(' ', sort keys %in_page), join(' ', sort keys %in_help), 'the man page has the options of --help, and no others');
my %letters_help = $help =~ /^\s+(-\S), (--[\w-]+)/mg;
my %letters_page = map { s/\\-/-/gr } $page =~ /^\.BR (\\-\S) ", " (\\-\\-(?:\w|\\-)+)/mg;
is_deeply(\%letters_page, \%letters_help, 'with their letters');
my ($version) = (outcome('', '-V'))[1] =~ /(\S+)$/;
like($page, qr/^\.TH USERSTORE-LOAD 1 \S+ "userstore \Q$version\E"/m, 'and the version');

SKIP:
{
	skip 'groff is not installed', 2 if !grep { -x "$_/groff" } split /:/, $ENV{PATH};
	my ($out, $err);

	IPC::Run::run([ 'groff', '-man', '-ww', '-Tutf8', $man ], '>', \$out, '2>', \$err);
	# a groff without its macros says so of all pages
	skip 'groff has no man pages', 2 if $err =~ /can't open|cannot open/;
	is($err, '', 'the man page is rendered without warnings');
	like($out, qr/S.*Y.*N.*O.*P.*S.*I.*S/, 'and has its sections');
}

$node->stop;
done_testing();
