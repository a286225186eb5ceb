# A hot standby reads, and says that it cannot write.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $primary = UserstoreTest->new_node('primary', allows_streaming => 1);
$primary->backup('base');
my $standby = UserstoreTest->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

$primary->safe_psql('userstore', q{
	SELECT userstore.user_table_create('people');
	SELECT userstore.user_create('people', '{"n": 1}', 'ann', 'k')});
$primary->wait_for_catchup($standby);

my $session = $standby->background_psql('userstore', on_error_stop => 0);
is($session->query_safe(q{SELECT userstore.user_get('people', 'ann') - 'meta'}), '{"n": 1, "id": "ann"}', 'it reads');
is($session->query_safe(q{SELECT userstore.user_version('people', 'ann')}), '1', 'versions, too');
for my $call (q{user_put('people', 'ann', '{"n": 2}')}, q{user_put('people', 'ann', '{"n": 2}', 'new')},
	q{user_put('people', 'ann', '{"n": 1}', 'new')}, q{user_patch('people', 'ann', '{"m": 2}')},
	q{user_put('people', 'bob', '{}')}, q{user_create('people', '{}', 'bob')}, q{user_delete('people', 'ann')},
	q{user_table_create('more')}, q{idempotency_purge('people')})
{
	my ($rc, $out, $err) = $standby->psql('userstore', "\\set VERBOSITY sqlstate\nSELECT userstore.$call");
	like($err, qr/ERROR:  25006/, "it does not write: $call");
}

# Requests are served in a subtransaction, which needs no transaction id to read.
for my $served ([ 'GET', '/users/ann', 200 ], [ 'GET', '/users?q={n:1}', 200 ], [ 'PUT', '/users/ann', 503 ])
{
	my ($method, $path, $status) = @$served;
	is($session->query_safe(qq{SELECT status FROM userstore.user_request('people', '$method', '$path', '{}', '{"n": 2}')}),
		$status, "$method $path");
}

# What replication brings, a session with warm caches sees.
$primary->safe_psql('userstore', q{
	SELECT userstore.user_put('people', 'ann', '{"n": 2}');
	ALTER TABLE people RENAME TO persons;
	SELECT userstore.user_put('persons', 'ann', '{"n": 3}')});
$primary->wait_for_catchup($standby);
is($session->query_safe(q{SELECT userstore.user_get('persons', 'ann') - 'meta'}), '{"n": 3, "id": "ann"}', 'a table that was renamed');
$primary->safe_psql('userstore', q{SELECT userstore.user_table_detach('persons')});
$primary->wait_for_catchup($standby);
$session->query(q{SELECT userstore.user_get('persons', 'ann')});
like($session->{stderr}, qr/"persons" is not a user table/, 'one that was detached');
$session->{stderr} = '';
$primary->safe_psql('userstore', q{SELECT userstore.user_table_attach('persons')});
$primary->wait_for_catchup($standby);

# Promoted, it goes on in the same era: the history of transactions is one.
$primary->stop;
$standby->promote;
$standby->poll_query_until('userstore', 'SELECT NOT pg_is_in_recovery()') or die 'not promoted';
is($session->query_safe(q{SELECT userstore.user_put('persons', 'ann', '{"n": 4}') -> 'meta' ->> 'version'}), '4', 'promoted, it writes');
is($session->query_safe(q{SELECT DISTINCT era FROM persons_history}), '1', 'in the same era');
$session->quit;

done_testing();
