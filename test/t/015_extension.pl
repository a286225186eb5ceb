# The extension comes and goes: created by one who is no superuser, dropped
# and created again under sessions that know it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $node = UserstoreTest->new_node('extension', database => undef);
$node->safe_psql('postgres', q{
	CREATE ROLE creator LOGIN; CREATE ROLE stranger LOGIN;
	CREATE DATABASE userstore;
	GRANT CREATE ON DATABASE userstore TO creator});

sub try
{
	my ($user, $sql) = @_;
	my ($out, $err);
	$node->psql('userstore', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err, on_error_die => 0,
		extra_params => [ '-q', '-U', $user ]);
	return $err =~ /ERROR:  (.*)/ ? $1 : $out;
}

# ---- Without the extension -------------------------------------------------

like(try('creator', q{SELECT userstore.user_put('pg_class', 'a', '{}')}), qr/^3F000: schema "userstore" does not exist/,
	'no extension, no functions');
# functions of the library without the extension's tables, as after a broken restore
like(try('postgres', q{
	CREATE FUNCTION put(regclass, text, jsonb, text, bigint, text, boolean, text) RETURNS jsonb
		LANGUAGE c AS '$libdir/userstore', 'user_put';
	SELECT put('pg_class', 'a', '{}', NULL, NULL, NULL, false, NULL)}),
	qr/^42P01: table "userstore\.user_table" does not exist/, 'the library alone says what is missing');
try('postgres', 'DROP FUNCTION put');

# ---- A trusted extension ---------------------------------------------------

like(try('stranger', 'CREATE EXTENSION userstore'), qr/^42501: permission denied for database/,
	'who may not create in the database may not create it');
is(try('creator', 'CREATE EXTENSION userstore'), '', 'who may, may');
is(try('creator', q{SELECT pg_get_userbyid(extowner) FROM pg_extension WHERE extname = 'userstore'}), 'creator', 'and owns it');
like(try('creator', q{INSERT INTO userstore.user_table VALUES ('pg_class', 'pg_class', 'pg_class', 'plain', '{}')}),
	qr/^42501: /, 'but not what is in it');
is(try('creator', q{CREATE SCHEMA app; SELECT userstore.user_table_create('app.people', 'scim');
	SELECT userstore.user_create('app.people', '{"userName": "Ann"}', 'ann', 'k') ->> 'userName'}), "app.people\nAnn", 'it works');

# ---- Dropped and created under a session that knows it ---------------------

my $session = $node->background_psql('userstore', on_error_stop => 0);
my $version = q{SELECT userstore.user_put('app.people', 'ann', jsonb_build_object('userName', 'Ann', 'title', clock_timestamp()::text)) -> 'meta' ->> 'version'};
is($session->query_safe($version), 'W/"2"', 'a session is warm');
# called by OID, past the catalog's names
$session->query_safe(q{PREPARE call AS SELECT userstore.user_version('app.people', 'ann')});
is($session->query_safe('EXECUTE call'), '2', 'and so is a prepared statement');

is(try('creator', 'DROP EXTENSION userstore'), '', 'the extension is dropped');
is(try('creator', q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
	WHERE relnamespace = 'app'::regnamespace AND relkind = 'r'}), 'people people_history people_idempotency', 'tables stay');
is(try('creator', q{SELECT id, version, unique_user_name FROM app.people}), 'ann|2|ann', 'and what is in them');
$session->query($version);
like($session->{stderr}, qr/function userstore\.user_put.* does not exist/, 'the warm session is told');
$session->{stderr} = '';

is(try('creator', 'CREATE EXTENSION userstore'), '', 'it is created again');
$session->query($version);
like($session->{stderr}, qr/"people" is not a user table/, 'the warm session does not use what it knew');
$session->{stderr} = '';
is(try('creator', q{SELECT userstore.user_table_attach('app.people', 'scim');
	SELECT userstore.user_create('app.people', '{"userName": "Ann"}', 'ann', 'k') -> 'meta' ->> 'version'}),
	"app.people\nW/\"1\"", 'attached: what was is adopted, keys too');
is($session->query_safe($version), 'W/"3"', 'versions go on in the warm session');
is($session->query_safe('EXECUTE call'), '3', 'and in its prepared statement');
is(try('creator', q{SELECT version, era FROM app.people_history ORDER BY 1}), "1|1\n2|1\n3|1", 'and so does history');
is(try('creator', q{SELECT userstore.user_create('app.people', '{"userName": "ANN"}', 'other')}),
	'23505: a user with this "userName" exists already', 'unique values are unique still');

# All of it in one session, in one transaction too.
is(try('creator', qq{$version; DROP EXTENSION userstore; CREATE EXTENSION userstore;
	SELECT userstore.user_table_attach('app.people', 'scim'); $version}), qq{W/"4"\napp.people\nW/"5"}, 'within a session');
is(try('creator', qq{BEGIN; $version; DROP EXTENSION userstore; CREATE EXTENSION userstore;
	SELECT userstore.user_table_attach('app.people', 'scim'); $version; COMMIT}), qq{W/"6"\napp.people\nW/"7"}, 'within a transaction');
is(try('creator', qq{BEGIN; DROP EXTENSION userstore; ROLLBACK; $version}), 'W/"8"', 'a drop that rolled back');
is($session->query_safe($version), 'W/"9"', 'the warm session again');
$session->quit;

is(try('creator', 'DROP TABLE app.people; SELECT count(*) FROM userstore.user_table'), '0', 'a dropped table is forgotten');
is(try('creator', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace}), '0', 'with its companions');

done_testing();
