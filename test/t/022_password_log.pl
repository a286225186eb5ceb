# A password that was sent is nowhere in clear: in no table, in no file of the
# cluster, and in no line of the server's log at its default settings, whatever
# becomes of the statement that carried it.

use strict;
use warnings;

use File::Find;
use FindBin;
use lib "$FindBin::RealBin/../lib";
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $node = UserstoreTest->new_node('password_log');
# The log is as it is by default, of which PostgreSQL::Test::Cluster has its
# own idea.
my @log_settings = qw(log_statement log_min_error_statement log_min_messages log_error_verbosity
	log_parameter_max_length_on_error log_min_duration_statement log_duration log_lock_waits);
$node->safe_psql('postgres', "ALTER SYSTEM RESET ALL");
$node->append_conf('postgresql.conf', join '', map {
	"$_ = '" . $node->safe_psql('postgres', "SELECT boot_val FROM pg_settings WHERE name = '$_'") . "'\n" } @log_settings);
$node->restart;
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_settings WHERE setting = boot_val AND name IN ('" . join("','", @log_settings) . "')"),
	scalar @log_settings, 'the log has its default settings');

# Every password of this test has this in it.
my $clear = 'Kl4rt3xt';
my $count = 0;

# A body with a password of its own, and more attributes.
sub body
{
	my ($more) = @_;
	$count++;
	return qq('{"password": "$clear$count"}'::jsonb) unless $more;
	return qq('{"password": "$clear$count", $more}'::jsonb);
}

# Runs SQL in a session, or in one message if asked to; gives what it said.
sub run_sql
{
	my ($sql, %opt) = @_;
	my ($out, $err) = ('', '');
	if ($opt{one_message})
	{
		IPC::Run::run([ 'psql', '-X', '-q', '-d', $node->connstr('userstore'), '-v', 'VERBOSITY=verbose', '-c', $sql ],
			'>', \$out, '2>', \$err);
	}
	else
	{
		$node->psql('userstore', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err,
			on_error_die => 0, on_error_stop => 0);
	}
	return $out . $err;
}

# What the server has logged since a place in its log.
sub logged
{
	my ($from) = @_;
	return slurp_file($node->logfile, $from);
}

# SQL that carries a password and fails as expected: the failure is logged, the
# password is not, and what our error says does not have it either.
sub hidden
{
	my ($what, $sql, $expected, %opt) = @_;
	my $from = -s $node->logfile;
	my $said = run_sql($sql, %opt);
	my $log = logged($from);
	subtest $what => sub {
		like($sql, qr/$clear/, 'carries a password');
		like($said, qr/(ERROR|FATAL|WARNING): +$expected/, 'fails as expected');
		my ($message) = $said =~ /(?:ERROR|FATAL|WARNING): +[0-9A-Z]{5}: (.*)/;
		like($log, qr/(ERROR|FATAL|WARNING): +\Q$message\E/, 'and is logged') if defined $message;
		unlike($log, qr/$clear/, 'without the password');
		unlike(join('', grep { /^(psql:.*)?(ERROR|DETAIL|HINT)/ } split /^/, $said), qr/$clear/, 'which our error does not name');
	};
	return;
}

# SQL without a password that fails: its statement is logged as ever.
sub shown
{
	my ($what, $sql, $expected, %opt) = @_;
	my $from = -s $node->logfile;
	like(run_sql(($opt{before} // '') . $sql), qr/(ERROR|FATAL): +$expected/, "$what: fails");
	like(logged($from), qr/STATEMENT: +\Q$sql\E/, "$what: the statement is logged");
	return;
}

$node->safe_psql('userstore', q{
	CREATE EXTENSION pgcrypto;
	CREATE FUNCTION cheap(password text, hash text) RETURNS text LANGUAGE sql AS
		$$ SELECT public.crypt(password, coalesce(hash, public.gen_salt('bf', 4))) $$;
	SELECT userstore.user_table_create('people', 'scim', password_function => 'cheap');
	SELECT userstore.user_table_create('bcrypt', 'scim');
	SELECT userstore.user_table_create('plain');
	SELECT userstore.attribute_schema_define('{"id": "urn:example:object", "name": "Object", "attributes": [{"name": "password", "format": "password"}]}');
	SELECT userstore.user_table_create('objects', schemas => '{urn:example:object}');
	SELECT userstore.api_profile_define('fields', '{"schemas": []}', 'oig');
	SELECT userstore.api_profile_define('reads', '{"rules": {"password": {"mutability": "readOnly"}}}', 'scim');
	SELECT userstore.api_profile_define('pins', '{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "names": {"PIN": "password", "Job": "title"}}', 'oig');
	SELECT userstore.api_profile_define('page', '{"writable": ["title"]}', 'scim');
	CREATE FUNCTION fails(password text, hash text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'no hash today'; END $$;
	SELECT userstore.user_table_create('failing', 'scim', password_function => 'fails');
	ALTER TABLE people ADD CONSTRAINT decent CHECK (document ->> 'title' <> 'indecent');
	SELECT userstore.user_create('people', jsonb_build_object('userName', name), name),
		userstore.user_create('bcrypt', jsonb_build_object('userName', name), name),
		userstore.user_create('failing', jsonb_build_object('userName', name), name) FROM unnest('{ann,bob}'::text[]) name;
	CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		CASE TG_ARGV[0]
			WHEN 'error' THEN RAISE 'trouble with %', OLD.id;
			WHEN 'warning' THEN RAISE WARNING 'trouble with %', OLD.id;
			WHEN 'division' THEN PERFORM 1 / (version - version) FROM people;
			WHEN 'sleep' THEN PERFORM pg_sleep(600);
		END CASE;
		RETURN NEW;
	END $$;
	CREATE TRIGGER before BEFORE UPDATE ON people FOR EACH ROW WHEN (NEW.document ->> 'title' = 'before') EXECUTE FUNCTION trouble('error');
	CREATE TRIGGER after AFTER UPDATE ON people FOR EACH ROW WHEN (NEW.document ->> 'title' = 'after') EXECUTE FUNCTION trouble('division');
	CREATE TRIGGER warns BEFORE UPDATE ON people FOR EACH ROW WHEN (NEW.document ->> 'title' = 'warns' AND OLD.document ->> 'title' <> 'warns') EXECUTE FUNCTION trouble('warning');
	CREATE TRIGGER sleeps BEFORE UPDATE ON people FOR EACH ROW WHEN (NEW.document ->> 'title' = 'sleeps') EXECUTE FUNCTION trouble('sleep');
	CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON people DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
		WHEN (NEW.document ->> 'title' = 'late') EXECUTE FUNCTION trouble('error');
	CREATE ROLE clerk; CREATE ROLE reader; GRANT SELECT ON people TO reader;
	GRANT SELECT (xmin, id, document, version, created_at, modified_at), UPDATE (document, version, modified_at) ON people TO clerk;
	CREATE FUNCTION set_password(id text, password text, title text DEFAULT 'x') RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM userstore.user_patch('people', id, jsonb_build_object('password', password, 'title', title));
	END $$;
});

# ---- The trap is set -------------------------------------------------------

my $from = -s $node->logfile;
run_sql("SELECT 1 / 0, '${clear}0'");
like(logged($from), qr/STATEMENT: .*$clear/, 'other statements are logged with all that they have');
$from = -s $node->logfile;
run_sql("DO \$\$ BEGIN EXECUTE 'SELECT 1 / 0, ''${clear}0'''; END \$\$");
like(logged($from), qr/CONTEXT: .*$clear/, 'and in the context of an error');
my $start = -s $node->logfile;

# ---- What the request says -------------------------------------------------

hidden('a value of a wrong type', q{SELECT userstore.user_patch('people', 'ann', } . body('"title": 5') . ')', 'PT400');
hidden('an unknown attribute', q{SELECT userstore.user_put('people', 'ann', } . body('"userName": "ann", "shoe": 5') . ')', 'PT400');
hidden('a required attribute missing', q{SELECT userstore.user_put('people', 'ann', } . body() . ')', 'PT400');
hidden('a creation without it', q{SELECT userstore.user_create('people', } . body() . ')', 'PT400');
my $long = $clear . 'x' x 72;
hidden('a password that is too long', qq{SELECT userstore.user_patch('bcrypt', 'ann', '{"password": "$long"}')}, 'PT400');
hidden('a password in an array', qq{SELECT userstore.user_patch('people', 'ann', '{"password": ["$clear"]}')}, 'PT400');
hidden('a password in an object', qq{SELECT userstore.user_patch('people', 'ann', '{"PASSWORD": {"value": "$clear"}}')}, 'PT400');
hidden('a missing user', q{SELECT userstore.user_patch('people', 'eve', } . body() . ')', 'PT404');
hidden('a version that is not current', q{SELECT userstore.user_patch('people', 'ann', } . body() . ', expected_version => 77)', 'PT412');
hidden('a dry run', q{SELECT userstore.user_patch('people', 'ann', } . body('"title": "before"') . ', dry_run => true)', 'P0001');
hidden('an unknown profile', q{SELECT userstore.user_patch('people', 'ann', } . body() . q{, api => 'nowhere')}, '42704');
hidden('a table of another kind', q{SELECT userstore.user_patch('people_history', 'ann', } . body() . q{)}, '42809');
hidden('no user', q{SELECT userstore.user_patch('people', NULL, } . body() . q{)}, '22004');
hidden('a body of another user', q{SELECT userstore.user_patch('objects', 'ann', } . body('"id": "bob"') . q{)}, 'PT400');
hidden('a body that is none', qq{SELECT userstore.user_patch('people', 'ann', '[{"op": "add", "path": "/Password", "value": "$clear"}, 5]')}, 'PT400');
hidden('a field that is none', qq{SELECT userstore.user_patch('objects', 'ann', '{"fields": [{"name": "password", "value": "$clear"}, 5]}', api => 'fields')}, 'PT400');
hidden('no id', q{SELECT userstore.user_patch('people', '', } . body() . q{)}, 'PT400');
run_sql(q{SELECT userstore.user_patch('people', 'ann', } . body() . q{, 'k')});
hidden('the key of another password', q{SELECT userstore.user_patch('people', 'ann', } . body() . q{, 'k')}, 'PT422');
hidden('a key that is too long', q{SELECT userstore.user_patch('people', 'ann', } . body() . q{, repeat('k', 256))}, 'PT400');

hidden('a password that is ignored', q{SELECT userstore.user_patch('people', 'ann', } . body('"title": 5') . q{, api => 'reads')}, 'PT400');
hidden('a password that may not be changed', q{SELECT userstore.user_patch('people', 'ann', } . body() . q{, api => 'page')}, 'PT400');

# ---- What the table says ---------------------------------------------------

hidden('a value taken', q{SELECT userstore.user_put('people', 'ann', } . body('"userName": "bob"') . ')', '23505');
hidden('a value taken, when created', q{SELECT userstore.user_create('people', } . body('"userName": "bob"') . ')', '23505');
hidden('an id taken', q{SELECT userstore.user_create('people', } . body('"userName": "eve"') . q{, 'bob')}, '23505');
hidden('a CHECK', q{SELECT userstore.user_patch('people', 'ann', } . body('"title": "indecent"') . ')', '23514');
hidden('a BEFORE trigger', q{SELECT userstore.user_patch('people', 'ann', } . body('"title": "before"') . ')', 'P0001');
hidden('an AFTER trigger', q{SELECT userstore.user_patch('people', 'ann', } . body('"title": "after"') . ')', '22012');
hidden('a deferred trigger, at the end of the statement', q{SELECT userstore.user_patch('people', 'ann', } . body('"title": "late"') . ')', 'P0001');
hidden('a deferred trigger, at commit in the same message', q{BEGIN; SELECT userstore.user_patch('people', 'ann', }
	. body('"title": "late"') . '); SELECT 1; COMMIT', 'P0001', one_message => 1);
hidden('a deferred trigger, made immediate in the same message', q{BEGIN; SELECT userstore.user_patch('people', 'ann', }
	. body('"title": "late"') . '); SET CONSTRAINTS ALL IMMEDIATE; COMMIT', 'P0001', one_message => 1);
hidden('a role that may not', q{SET ROLE reader; SELECT userstore.user_patch('people', 'ann', } . body() . ')', '42501');
hidden('a role that may not set passwords', q{SET ROLE clerk; SELECT userstore.user_patch('people', 'ann', } . body() . ')', '42501');
hidden('the function that hashes', q{SELECT userstore.user_patch('failing', 'ann', } . body() . ')', 'P0001');
hidden('with bcrypt', q{SELECT userstore.user_put('bcrypt', 'ann', } . body('"userName": "bob"') . ')', '23505');
hidden('a timeout', q{SET statement_timeout = '300ms'; SELECT userstore.user_patch('people', 'ann', } . body('"title": "sleeps"') . ')', '57014');
hidden('a timeout, in the same message', q{SET statement_timeout = '300ms'; SELECT userstore.user_patch('people', 'ann', } . body('"title": "sleeps"') . ')',
	'57014', one_message => 1);
run_sql(q{SELECT userstore.user_patch('people', 'ann', '{"title": "x"}')});
hidden('a warning', q{DO $do$ BEGIN EXECUTE $$ SELECT userstore.user_patch('people', 'ann', } . body('"title": "warns"') . ') $$; END $do$', '01000');

# ---- What the caller does --------------------------------------------------

hidden('another statement of the same message', q{SELECT userstore.user_patch('people', 'ann', } . body() . '); SELECT 1 / 0', '22012', one_message => 1);
hidden('another statement of the same message, after the end of the transaction', q{BEGIN; SELECT userstore.user_patch('people', 'ann', }
	. body() . '); COMMIT; SELECT 1 / 0', '22012', one_message => 1);
hidden('a DO block', q{DO $$ BEGIN PERFORM userstore.user_patch('people', 'ann', } . body('"title": 5') . '); END $$', 'PT400');
hidden('a DO block, later', q{DO $$ BEGIN PERFORM userstore.user_patch('people', 'ann', } . body() . q{); RAISE 'later'; END $$}, 'P0001');
hidden('a DO block, after an error that it caught', q{DO $$ BEGIN BEGIN PERFORM userstore.user_patch('people', 'ann', } . body('"title": "before"')
	. q{); EXCEPTION WHEN OTHERS THEN NULL; END; RAISE 'later'; END $$}, 'P0001: later');
hidden('a DO block, after a commit', q{DO $$ BEGIN PERFORM userstore.user_patch('people', 'ann', } . body() . q{); COMMIT; RAISE 'later'; END $$}, 'P0001');
hidden('an EXECUTE in a DO block', q{DO $do$ BEGIN EXECUTE $$ SELECT userstore.user_patch('people', 'ann', } . body('"title": 5') . ') $$; END $do$', 'PT400');
hidden('an EXECUTE of more in a DO block', q{DO $do$ BEGIN EXECUTE $$ SELECT userstore.user_patch('people', 'ann', } . body()
	. '), 1 / (random() * 0)::int $$; END $do$', '22012');
hidden('a trigger below an EXECUTE', q{DO $do$ BEGIN EXECUTE $$ SELECT userstore.user_patch('people', 'ann', } . body('"title": "after"') . ') $$; END $do$', '22012');
$count++;
hidden('a function', qq{SELECT set_password('ann', '$clear$count', 'before')}, 'P0001');
$count++;
hidden('a function, of a missing user', qq{SELECT set_password('eve', '$clear$count')}, 'PT404');
$count++;
hidden('a prepared statement', qq{PREPARE p AS SELECT userstore.user_patch('people', 'ann', \$1);
	EXECUTE p('{"password": "$clear$count", "title": 5}')}, 'PT400');
hidden('a statement prepared with it', q{PREPARE p AS SELECT userstore.user_patch('people', 'ann', } . body('"title": 5') . '); EXECUTE p', 'PT400');
hidden('COPY', q{COPY (SELECT userstore.user_patch('people', 'ann', } . body('"title": 5') . ')) TO STDOUT', 'PT400');
hidden('CREATE TABLE AS', q{CREATE TABLE made AS SELECT userstore.user_patch('people', 'ann', } . body('"title": 5') . ')', 'PT400');
hidden('a cursor', q{BEGIN; DECLARE c CURSOR FOR SELECT userstore.user_patch('people', 'ann', } . body('"title": 5') . '); FETCH c; COMMIT', 'PT400', one_message => 1);

# The other protocol, in which a statement is parsed, bound and executed by
# messages of their own.
for my $mode (qw(extended prepared))
{
	my $script = "$PostgreSQL::Test::Utils::tmp_check/$mode.sql";
	append_to_file($script, q{SELECT userstore.user_patch('people', 'ann', } . body('"title": "late"') . ");\n");
	my $from = -s $node->logfile;
	my ($out, $err);
	IPC::Run::run([ 'pgbench', '-n', '-t', '1', '-M', $mode, '-f', $script, $node->connstr('userstore') ], '>', \$out, '2>', \$err);
	like(logged($from), qr/ERROR: +trouble with ann/, "protocol: $mode");
	unlike(logged($from), qr/$clear/, 'without the password');
}

# ---- Bulk ------------------------------------------------------------------

# Two items of a bulk request, of which the second carries a password.
sub bulk
{
	my ($function, $more, $options) = @_;
	$count++;
	return qq{SELECT userstore.$function('people', '[{"id": "bob", "title": "bulk"}, {"id": "ann", "password": "$clear$count"$more}]'$options)};
}

hidden('bulk: a value of a wrong type', bulk('users_bulk_patch', ', "title": 5', ', atomic => true'), 'PT400');
hidden('bulk: a password in an array', qq{SELECT userstore.users_bulk_patch('people', '[{"id": "ann", "Password": ["$clear"]}]', atomic => true)}, 'PT400');
hidden('bulk: an empty password beside', qq{SELECT userstore.users_bulk_patch('people', '[{"id": "bob", "password": ""}, {"id": "ann", "title": 5, "password": "$clear"}]', atomic => true)}, 'PT400');
hidden('bulk: a password that is ignored', bulk('users_bulk_patch', ', "title": 5', q{, atomic => true, api => 'reads'}), 'PT400');
hidden('bulk: a BEFORE trigger', bulk('users_bulk_patch', ', "title": "before"', ', atomic => true'), 'P0001');
hidden('bulk: an AFTER trigger', bulk('users_bulk_patch', ', "title": "after"', ', atomic => true'), '22012');
hidden('bulk: a deferred trigger', bulk('users_bulk_patch', ', "title": "late"', ''), 'P0001');
hidden('bulk: a value taken', bulk('users_bulk_put', ', "userName": "bob"', ', atomic => true'), '(23505|PT409|PT400)');
hidden('bulk: a role that may not', 'SET ROLE reader; ' . bulk('users_bulk_patch', '', ''), '42501');
hidden('bulk: a role that may not set passwords', 'SET ROLE clerk; ' . bulk('users_bulk_patch', '', ', atomic => true'), '42501');
hidden('bulk: another statement of the same message', bulk('users_bulk_patch', '', '') . '; SELECT 1 / 0', '22012', one_message => 1);
run_sql(bulk('users_bulk_patch', '', q{, 'bulk'}));
hidden('bulk: the key of another password', bulk('users_bulk_patch', '', q{, 'bulk'}), 'PT422');
# an item that cannot be read may carry one, too, wherever it is that its kind has it
hidden("bulk: $_->[0] that cannot be read", qq{SELECT userstore.users_bulk_patch('people', '$_->[1]', api => '$_->[2]'), 1 / (random() * 0)::int}, '22012') for
	[ 'an item', qq([{"id": "ann", "password": "$clear", "PASSWORD": "$clear"}]), 'scim' ],
	[ 'operations', qq([{"id": "ann", "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
		"Operations": [{"op": "replace", "Path": "password ", "VALUE": "$clear"}, {"op": "replace", "path": "nothing", "value": 1}]}]), 'scim' ],
	[ 'an operation without a path', qq([{"id": "ann", "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
		"Operations": [{"op": "replace", "value": {"urn:ietf:params:scim:schemas:core:2.0:User:password": "$clear", "nothing": 1}}]}]), 'scim' ],
	[ 'fields', qq({"users": [{"id": "ann", "fields": [{"name": "pin", "value": "$clear"}, {"name": "Job"}]}]}), 'pins' ];
hidden('fields that cannot be read', qq{SELECT userstore.user_patch('people', 'ann', '{"fields": [{"name": "PIN", "value": "$clear"}, {"name": "Job"}]}', api => 'pins')}, 'PT400');
# items that fail alone are nobody's error
$from = -s $node->logfile;
run_sql(bulk('users_bulk_patch', $_, '')) for ', "title": 5', ', "title": "before"', ', "title": "after"', ', "title": "indecent"';
unlike(logged($from), qr/$clear/, 'bulk: items that fail alone');

# A part of a feed, or a whole one.
hidden('load: a value of a wrong type', bulk('users_load', ', "title": 5', ', patch => true, atomic => true'), 'PT400');
hidden('load: no array', qq{SELECT userstore.users_load('people', '{"id": "ann", "password": "$clear"}')}, 'PT400');
hidden('load: another statement of the same message', bulk('users_load', ', "title": 5', ', patch => true') . '; SELECT 1 / 0', '22012', one_message => 1);
hidden('sync: a guard', bulk('users_sync', '', q{, patch => true, guard => '{"changed": 0}'}), 'PT409');
hidden('sync: the guard of a preview', bulk('users_sync', '', q{, patch => true, guard => '{"changed": 0}', dry_run => true}), 'PT409');
hidden('sync: an argument', bulk('users_sync', '', q{, guard => '{"change": 0}'}), 'PT400');
hidden('sync: a record that tells nobody', qq{SELECT userstore.users_sync('people', '[{"title": 5, "password": "$clear"}]', missing => 'delete')}, 'PT400');
hidden('sync: a filter', bulk('users_sync', '', q{, scope => 'title'}), 'PT400');
hidden('sync: a deferred trigger', bulk('users_sync', ', "title": "late"', ', patch => true'), 'P0001');
hidden('sync: a role that may not', 'SET ROLE reader; ' . bulk('users_sync', '', ''), '42501');
$from = -s $node->logfile;
run_sql(bulk('users_sync', $_, ', patch => true')) for ', "title": 5', ', "title": "before"', ', "title": "after"', ', "title": "indecent"';
unlike(logged($from), qr/$clear/, 'sync: items that fail alone');

# ---- user_request ----------------------------------------------------------

# A request whose body carries a password, which is refused or not; what follows
# in the same statement fails, so that the statement is to be logged.
sub request
{
	my ($method, $path, $more, %opt) = @_;
	$count++;
	my $body = $opt{body} // qq({"password": "$clear$count"$more});
	my $headers = $opt{headers} // '{}';
	return qq{SELECT status, 1 / (status - status) FROM userstore.user_request('people', '$method', '$path', '$headers', '$body')};
}

hidden("user_request: $_->[0]", request(@{$_}[1 .. $#$_]), '22012') for
	[ 'a password set', 'PATCH', '/Users/ann', '' ],
	[ 'a wrong value', 'PATCH', '/Users/ann', ', "title": 5' ],
	[ 'no JSON', 'PATCH', '/Users/ann', ', "title": ' ],
	[ 'a character that is none', 'PATCH', '/Users/ann', ', "title": "\u0000"' ],
	[ 'nested too deeply', 'PATCH', '/Users/ann', ', "title": ' . ('[' x 300) . (']' x 300) ],
	[ 'too deep to parse', 'PATCH', '/Users/ann', ', "title": ' . ('[' x 20000) ],
	[ 'a missing user', 'PATCH', '/Users/eve', '' ],
	[ 'a wrong route', 'PATCH', '/People/ann', '' ],
	[ 'a wrong method', 'POST', '/Users/ann', '' ],
	[ 'a wrong media type', 'PATCH', '/Users/ann', '', headers => '{"Content-Type": "text/plain"}' ],
	[ 'a header that is wrong', 'PATCH', '/Users/ann', '', headers => '{"Zuora-Track-Id": ":"}' ],
	[ 'a version that is not current', 'PATCH', '/Users/ann', '', headers => '{"If-Match": "W/\"77\""}' ],
	[ 'a read with a body', 'GET', '/Users/ann', '' ],
	[ 'a deletion with a body', 'DELETE', '/Users/eve', '' ],
	[ 'a deletion that fails early', 'DELETE', '/Users/' . ('x' x 256), '' ],
	[ 'a trigger that is refused', 'PATCH', '/Users/ann', ', "title": "before"' ],
	[ 'a trigger that is broken', 'PATCH', '/Users/ann', ', "title": "after"' ],
	[ 'a deferred trigger', 'PATCH', '/Users/ann', ', "title": "late"' ],
	[ 'a value taken', 'PUT', '/Users/ann', ', "userName": "bob"' ],
	[ 'an array', 'PATCH', '/Users/bulk', '', body => qq([{"id": "bob", "title": "x"}, {"id": "ann", "password": "${clear}1", "title": 5}]) ];
# no headers: that is raised
hidden('user_request: headers that are none', request('PATCH', '/Users/ann', '', headers => '[]'), '22023');
hidden('user_request: an unknown profile', qq{SELECT userstore.user_request('people', 'PATCH', '/Users/ann', '{}', '{"password": "$clear"}', 'nowhere')}, '42704');
hidden('user_request: a role that may not', 'SET ROLE reader; ' . request('PATCH', '/Users/ann', ''), '22012');
hidden('user_request: a timeout', q{SET statement_timeout = '300ms'; } . request('PATCH', '/Users/ann', ', "title": "sleeps"'), '57014');
# what the server has to be told of is logged, and has neither statement nor context
$from = -s $node->logfile;
run_sql(request('PATCH', '/Users/ann', ', "title": "after"'));
like(logged($from), qr/LOG: +division by zero/, 'user_request: what is broken is logged');
unlike(logged($from), qr/$clear/, 'without the password');

# operations of SCIM, of which the second carries a password
sub operations
{
	my ($more, %opt) = @_;
	$count++;
	my $second = $opt{second} // qq({"method": "PATCH", "path": "/Users/ann", "data": {"password": "$clear$count"$more}});
	return request('POST', '/Bulk', '', %opt, body => qq({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [)
		. qq({"method": "PATCH", "path": "/Users/bob", "data": {"title": "scim $count"}}, $second]}));
}

hidden("SCIM bulk: $_->[0]", operations(@{$_}[1 .. $#$_]), '22012') for
	[ 'a password set', '' ],
	[ 'a wrong value', ', "title": 5' ],
	[ 'a broken trigger', ', "title": "after"' ],
	[ 'a deferred trigger', ', "title": "late"' ],
	[ 'no operation', '', second => qq({"password": "$clear"}) ],
	[ 'an operation that is wrong', '', second => qq({"method": "password", "path": "/Users", "data": "$clear"}) ],
	[ 'a PatchOp message', '', second => qq({"method": "PATCH", "path": "/Users/ann", "data": {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
		"Operations": [{"op": "replace", "path": "password", "value": "${clear}1"}, {"op": "replace", "path": "title", "value": 5}]}}) ],
	[ 'under a key', '', headers => '{"Idempotency-Key": "scim"}' ],
	[ 'under a key, with a wrong value', ', "title": 5', headers => '{"Idempotency-Key": "scim 2"}' ],
	[ 'the key of another password', '', headers => '{"Idempotency-Key": "scim"}' ];
# the same request under its key, another password under it
my $bulk = operations('', headers => '{"Idempotency-Key": "replay"}') =~ s/, 1 .*? FROM/ FROM/r;
is($node->safe_psql('userstore', $bulk), 200, 'SCIM bulk: under a key');
is($node->safe_psql('userstore', $bulk), 200, 'again');
is($node->safe_psql('userstore', $bulk =~ s/$clear/other$clear/r), 422, 'with another password');
is($node->safe_psql('userstore', $bulk =~ s/"$clear\d+"/null/r), 422, 'with none');
# passwords take their time
is($node->safe_psql('userstore', q{SELECT r.status FROM (SELECT jsonb_build_object('schemas', '{urn:ietf:params:scim:api:messages:2.0:BulkRequest}'::text[], 'Operations',
	jsonb_agg(jsonb_build_object('method', 'PATCH', 'path', '/Users/ann', 'data', jsonb_build_object('password', 'x' || i)))) FROM generate_series(1, } . $_ . q{) i) b (body),
	userstore.user_request('people', 'POST', '/Bulk', '{}', body::text) r}), $_ > 100 ? 413 : 200, "SCIM bulk: $_ passwords") for 100, 101;

# ---- Verifying -------------------------------------------------------------

$count++;
hidden('verifying that of a missing user', qq{SELECT userstore.user_password_verify('people', 'eve', '$clear$count')}, 'PT404');
hidden('verifying as a role that may not', qq{SET ROLE clerk; SELECT userstore.user_password_verify('people', 'ann', '$clear$count')}, '42501');
hidden('verifying in a table of another kind', qq{SELECT userstore.user_password_verify('people_history', 'ann', '$clear$count')}, '42809');
$node->safe_psql('userstore', q{UPDATE failing SET password_hash = 'x' WHERE id = 'ann'});
hidden('verifying with a function that fails', qq{SELECT userstore.user_password_verify('failing', 'ann', '$clear$count')}, 'P0001');
hidden('verifying, and an error later', qq{DO \$\$ BEGIN PERFORM userstore.user_password_verify('people', 'ann', '$clear$count'); RAISE 'later'; END \$\$}, 'P0001');

# ---- What others log of it -------------------------------------------------

# Runs SQL in the background and waits until it waits for what is named.
sub start_waiting
{
	my ($session, $sql, $event) = @_;
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_until(qr/started/, "\\echo started\n$sql;\n");
	ok($node->poll_query_until('userstore', "SELECT wait_event = '$event' FROM pg_stat_activity WHERE pid = $pid"), "it waits: $event");
	return $pid;
}

# A password that a later operation of the same request carries.
{
	my $session = $node->background_psql('userstore', on_error_stop => 0);
	my $other = $node->background_psql('userstore', on_error_stop => 0);
	$other->query_safe(q{BEGIN; UPDATE people SET modified_at = now() WHERE id = 'bob'});
	my $pid = start_waiting($session, operations(''), 'transactionid');
	unlike($node->safe_psql('userstore', 'SELECT query FROM pg_stat_activity'), qr/$clear/, 'SCIM bulk: nobody sees what is to come');
	$_->quit for $other, $session;
}

# Whose deadlock it is: he looks for it after so long.
for my $victim ('its own', q{another's})
{
	my ($own, $other) = map { $node->background_psql('userstore', on_error_stop => 0) } 1 .. 2;
	$from = -s $node->logfile;
	$own->query_safe("SET deadlock_timeout = '" . ($victim eq 'its own' ? '10ms' : '1h') . "'");
	$other->query_safe("SET deadlock_timeout = '" . ($victim eq 'its own' ? '1h' : '10ms') . "'");
	$own->query_safe(q{BEGIN; SELECT FROM userstore.user_patch('people', 'ann', '{"nickName": "deadlock"}')});
	$other->query_safe(q{BEGIN; UPDATE people SET modified_at = now() WHERE id = 'bob'});
	my $patch = q{SELECT FROM userstore.user_patch('people', 'bob', } . body() . ')';
	my $update = q{UPDATE people SET modified_at = now() WHERE id = 'ann'};
	if ($victim eq 'its own')
	{
		start_waiting($other, $update, 'transactionid');
		$own->query($patch);
	}
	else
	{
		start_waiting($own, $patch, 'transactionid');
		$other->query($update);
	}
	ok($node->wait_for_log(qr/deadlock detected/, $from), "a deadlock that is $victim");
	my $log = logged($from);
	like($log, qr/DETAIL: +Process \d+ waits/, 'is logged with its processes');
	unlike($log, qr/$clear/, 'without the password');
	$_->quit for $own, $other;
}

for my $end (qw(cancel terminate))
{
	my $session = $node->background_psql('userstore', on_error_stop => 0);
	run_sql(q{SELECT userstore.user_patch('people', 'ann', '{"title": "x"}')});
	$from = -s $node->logfile;
	my $pid = start_waiting($session, q{SELECT FROM userstore.user_patch('people', 'ann', } . body('"title": "sleeps"') . ')', 'PgSleep');
	unlike($node->safe_psql('userstore', 'SELECT query FROM pg_stat_activity'), qr/$clear/, 'nobody sees it either');
	$node->safe_psql('userstore', "SELECT pg_${end}_backend($pid)");
	ok($node->wait_for_log(qr/due to (user request|administrator command)/, $from), "pg_${end}_backend");
	unlike(logged($from), qr/$clear/, 'is logged without the password');
	# a session that was ended has nothing to say
	eval { $session->quit };
}

# ---- Statements without passwords are logged as ever -----------------------

my $session = $node->background_psql('userstore', on_error_stop => 0);
$session->query(q{SELECT userstore.user_patch('people', 'ann', } . body('"title": 5') . ')');
for my $next (q{SELECT 1 / 0 AS plain}, q{SELECT userstore.user_patch('people', 'ann', '{"title": 6}')},
	q{DO $$ BEGIN PERFORM userstore.user_patch('people', 'ann', '{"title": 7}'); END $$})
{
	$from = -s $node->logfile;
	$session->query($next);
	like(logged($from), qr/STATEMENT: +\Q$next\E/, "after a password: $next");
}
$session->query(q{SELECT userstore.user_patch('people', 'ann', } . body() . ')');
$from = -s $node->logfile;
$session->query('SELECT 2 / 0');
like(logged($from), qr{STATEMENT: +SELECT 2 / 0}, 'after a password that was set');
$session->query('BEGIN');
$session->query(q{SELECT userstore.user_patch('people', 'ann', } . body() . ')');
$from = -s $node->logfile;
$session->query('SELECT 3 / 0');
like(logged($from), qr{STATEMENT: +SELECT 3 / 0}, 'in the same transaction, too');
$session->quit;
shown('a wrong value', q{SELECT userstore.user_patch('people', 'ann', '{"title": 5}')}, 'PT400');
shown('a trigger', q{SELECT userstore.user_patch('people', 'ann', '{"title": "before"}')}, 'P0001');
shown("a role that may not, table $_", qq{SELECT userstore.user_patch('$_', 'ann', '{"title": 5}')}, '42501', before => 'SET ROLE clerk;')
	for qw(plain bcrypt);
shown('an id that is none', q{SELECT userstore.user_patch('people', '', '{"title": "x"}')}, 'PT400');
shown('a body that is none', q{SELECT userstore.user_patch('people', 'ann', '["title"]')}, 'PT400');
shown('a body of another user', q{SELECT userstore.user_patch('objects', 'ann', '{"id": "bob"}')}, 'PT400');
shown('bulk: a wrong value', q{SELECT userstore.users_bulk_patch('people', '[{"id": "ann", "title": 5}]', atomic => true)}, 'PT400');
shown('bulk: a role that may not', q{SELECT userstore.users_bulk_patch('bcrypt', '[{"id": "ann", "title": 5}]')}, '42501', before => 'SET ROLE clerk;');
shown('a missing user', q{SELECT userstore.user_get('people', 'nobody')}, 'PT404');
$from = -s $node->logfile;
run_sql(q{DO $do$ BEGIN EXECUTE $$ SELECT userstore.user_patch('people', 'ann', '{"title": 5}') $$; END $do$});
like(logged($from), qr/CONTEXT: +SQL statement " SELECT userstore/, 'contexts, too');

# ---- Where it could be -----------------------------------------------------

$node->safe_psql('userstore', q{SELECT FROM userstore.user_patch('people', 'ann', } . body() . ')');
my $set = $node->safe_psql('userstore', q{SELECT count(*) FROM people_history WHERE 'password' = ANY (changed)});
cmp_ok($set, '>', 3, 'passwords were set');
is($node->safe_psql('userstore', qq{SELECT userstore.user_password_verify('people', 'ann', '$clear$count')}), 't', 'the last of them verifies');
unlike(slurp_file($node->logfile, $start), qr/$clear/, 'the log has none of them');

# as text, in hexadecimal, in base64 at any offset
my @shapes = ($clear, unpack('H*', $clear));
for my $offset (0 .. 2)
{
	my $encoded = encode_base64(('.' x $offset) . $clear, '');
	push @shapes, substr($encoded, $offset == 0 ? 0 : 4, 8);
}
my $any_shape = join '|', map { quotemeta } @shapes;
my $dump = '';
IPC::Run::run([ 'pg_dump', '-d', $node->connstr('userstore'), '--inserts' ], '>', \$dump) or die 'pg_dump failed';
like($dump, qr/INSERT INTO public\.people_history/, 'a dump has all tables');
unlike($dump, qr/$any_shape/i, 'and none of them');

$node->safe_psql('userstore', 'CHECKPOINT');
my %relations = map { $_ => 1 } split /\n/, $node->safe_psql('userstore', q{SELECT pg_relation_filepath(oid) FROM pg_class
	WHERE relname ~ '^(people|bcrypt|failing)' AND relkind IN ('r', 'i')});
cmp_ok(scalar keys %relations, '>', 9, 'tables have files');
my ($files, @found) = (0);
find({ no_chdir => 1, wanted => sub {
	return unless -f $_;
	my $name = substr($_, length($node->data_dir) + 1);
	$files++ if $relations{$name};
	push @found, $name if slurp_file($_) =~ /$clear/;
} }, $node->data_dir);
is($files, scalar keys %relations, 'all of them are read');
is(join(', ', @found), '', 'no file of the cluster has them, its write-ahead log included');

# ---- A crash ---------------------------------------------------------------

$session = $node->background_psql('userstore', on_error_stop => 0);
$from = -s $node->logfile;
my $pid = start_waiting($session, q{SELECT FROM userstore.user_patch('people', 'ann', } . body('"title": "sleeps"') . ')', 'PgSleep');
PostgreSQL::Test::Utils::system_log('pg_ctl', 'kill', 'KILL', $pid);
ok($node->wait_for_log(qr/terminated by signal 9/, $from), 'a backend is killed');
unlike(logged($from), qr/$clear/, 'what it was running is logged without the password');
eval { $session->quit };
$node->stop('immediate', fail_ok => 1);

done_testing();
