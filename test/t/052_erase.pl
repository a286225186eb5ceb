# Erasing a user: nothing of the values is left in a dump, whoever is at work
# meanwhile.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $node = UserstoreTest->new_node('erase', conf => "deadlock_timeout = 100ms\n");

sub query { return $node->safe_psql('userstore', @_) }

sub dump_has
{
	my ($pattern) = @_;
	my ($out, $err) = run_command([ 'pg_dump', $node->connstr('userstore') ]);

	return join ' ', sort { $a cmp $b } keys %{ { map { $_ => 1 } $out =~ /$pattern/g } };
}

# ---- Every way in which values get in -----------------------------------------

# Values that are nowhere else: "secret" and a number.
query(q{
	CREATE EXTENSION pgcrypto;
	SELECT userstore.user_table_create('scim', 'scim'), userstore.user_table_create('zuora', 'zuora'), userstore.user_table_create('oig', 'oig'),
		userstore.user_table_create('plain'), userstore.user_table_create('parts', 'scim', partitions => 3);
	CREATE TABLE app (login text PRIMARY KEY, mail text UNIQUE, extra jsonb);
	INSERT INTO app VALUES ('ann', 'secret1@example.com', '{}');
	SELECT userstore.user_table_attach('app', id_column => 'login', columns => '{"mail": "mail"}');
	SET userstore.actor = 'secret2';

	SELECT userstore.user_create('scim', '{"userName": "secret3", "emails": [{"value": "secret4@example.com"}], "password": "secret5"}', 'ann', 'k1', request_id => 'secret6');
	SELECT userstore.user_patch('scim', 'ann', '{"name": {"familyName": "secret7"}, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"division": "secret8"}}', 'k2');
	SELECT userstore.user_patch('scim', 'ann', '{"name": {"familyName": "secret7"}}', 'no change');
	SELECT userstore.users_bulk_patch('scim', '[{"id": "ann", "nickName": "secret9"}, {"id": "nobody"}]', 'k3');
	SET userstore.actor = '';
	SELECT userstore.user_create('scim', '{"userName": "bob"}', 'bob');
	SET userstore.actor = 'secret2';
	SELECT userstore.user_request('scim', 'POST', '/Bulk', '{"Idempotency-Key": "k4"}', '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
		{"method": "PATCH", "path": "/Users/ann", "data": {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "add", "path": "title", "value": "secret10"}]}}]}');
	UPDATE scim SET document = document || '{"displayName": "secret11"}' WHERE id = 'ann';
	SELECT userstore.user_create('zuora', '{"userName": "secret12", "name": {"familyName": "x", "givenName": "y"}, "emails": [{"value": "secret13@example.com"}]}', 'ann', 'k1');
	SELECT userstore.users_bulk_put('zuora', '[{"id": "ann", "userName": "secret12", "name": {"familyName": "secret14", "givenName": "y"}, "emails": [{"value": "secret13@example.com"}]}]', 'k2');
	INSERT INTO plain (id, document) VALUES ('ann', '{"a": "secret15"}');
	SELECT userstore.user_put('plain', 'ann', '{"b": "secret16", "free secret17": 1}', 'k1');
	SELECT userstore.users_bulk_put('plain', '[{"id": "ann", "b": "secret18"}]', 'k2');
	SELECT userstore.user_delete('plain', 'ann', 'k3');
	INSERT INTO plain (id, document) VALUES ('ann', '{"a": "secret19"}');
	SELECT userstore.user_patch('app', 'ann', '{"note": "secret20"}', 'k1');
	DELETE FROM app;
	SELECT userstore.user_create('parts', '{"userName": "secret21"}', 'ann', 'k1');
	SET userstore.actor = '';
	SELECT userstore.user_create('plain', '{"b": "stays"}', 'bob', 'k4')});
my $before = dump_has(qr/secret\d+/);
cmp_ok(scalar(split / /, $before), '>', 15, "values are in the dump: $before");
like(dump_has(qr/\$2a\$\d\d/), qr/^\$2a/, 'and so is the hash of a password');

is(query(q{SELECT string_agg(t || ' ' || e.versions || ' ' || e.answers, ', ' ORDER BY t) FROM unnest('{scim,zuora,plain,app,parts}'::text[]) t, userstore.user_erase(t::regclass, 'ann') e}),
	'app 2 1, parts 1 1, plain 3 3, scim 5 5, zuora 2 2', 'erased');
is(dump_has(qr/secret\d+/), '', 'nothing of it is in the dump');
is(dump_has(qr/\$2a\$\d\d/), '', 'nor the hash');
like(dump_has(qr/stays|nobody/), qr/stays/, 'others are');

# ---- Beside others --------------------------------------------------------------

# Who has answered under a key, but not committed, is waited for.
sub erase_beside
{
	my ($what, $sql) = @_;
	my $other = $node->background_psql('userstore');
	my $eraser = $node->background_psql('userstore');
	my $count;

	query(q{SELECT userstore.user_put('plain', 'eve', '{"n": "secret"}')});
	$other->query_safe("BEGIN; $sql");
	$eraser->query_until(qr/started/, "\\echo started\nSELECT * FROM userstore.user_erase('plain', 'eve');\n");
	ok($node->poll_query_until('userstore', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'user_erase'}), "$what: is waited for");
	$other->query_safe('COMMIT');
	$eraser->query_safe('SELECT 1');
	is(dump_has(qr/secret/), '', "$what: nothing is left");
	$_->quit for $other, $eraser;
	return;
}
erase_beside('a change', q{SELECT userstore.user_put('plain', 'eve', '{"m": "secret"}')});
erase_beside('a change with a key', q{SELECT userstore.user_put('plain', 'eve', '{"m": "secret"}', 'key 1')});
erase_beside('no change with a key', q{SELECT userstore.user_put('plain', 'eve', '{"n": "secret"}', 'key 2')});
erase_beside('a deletion', q{SELECT userstore.user_delete('plain', 'eve')});
erase_beside('a bulk request that fails', q{SELECT userstore.users_bulk_patch('plain', '[{"id": "eve", "n": "secret"}]', 'key 3')});

# Who comes while it is erased finds nothing to keep.
query(q{SELECT userstore.user_put('plain', 'eve', '{"n": "secret"}')});
my $eraser = $node->background_psql('userstore');
my $late = $node->background_psql('userstore', on_error_stop => 0);
$eraser->query_safe(q{BEGIN; SELECT * FROM userstore.user_erase('plain', 'eve')});
$late->query_until(qr/started/, qq{\\echo started\nSELECT userstore.user_patch('plain', 'eve', '{"n": "secret"}', 'key 4');\n});
ok($node->poll_query_until('userstore', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'user_patch'}), 'who comes later waits');
$eraser->query_safe('COMMIT');
$late->query('SELECT 1');
is(dump_has(qr/secret/), '', 'and leaves nothing');
$_->quit for $eraser, $late;

# In a transaction that is taken back, nothing is erased.
query(q{SELECT userstore.user_put('plain', 'eve', '{"n": "secret"}', 'key 5')});
query(q{BEGIN; SELECT userstore.user_erase('plain', 'eve'); ROLLBACK});
is(dump_has(qr/secret/), 'secret', 'what is rolled back is not erased');

done_testing();
