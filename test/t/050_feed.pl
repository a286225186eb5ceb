# The change feed while others write: every change once, in the order of
# versions of each user; also of one who goes on in another cluster, after a
# dump and restore.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use FeedOracle;
use UserstoreTest;

my $node = UserstoreTest->new_node('feed', conf => "deadlock_timeout = 50ms\nmax_prepared_transactions = 5\n");

FeedOracle::prepare($node);
FeedOracle::poll($node, seconds => $ENV{FEED_SECONDS} // 3);

# ---- What the run was worth -------------------------------------------------

sub query { return $node->safe_psql('userstore', @_) }

cmp_ok(query('SELECT count(*) FROM people_history'), '>', 200, 'there was a lot to deliver');
cmp_ok(query('SELECT count(*) FROM poll WHERE delivered > 0'), '>', 20, 'in many polls');
cmp_ok(query('SELECT count(*) FROM delivered'), '>', query('SELECT count(*) FROM people_history') / 2, 'most of it while they wrote');
# the plain order of transactions would have been wrong
cmp_ok(query(q{SELECT count(*) FROM (SELECT transaction_id < lag(transaction_id) OVER (PARTITION BY user_id ORDER BY version) AS earlier
	FROM people_history) h WHERE earlier}), '>', 0, 'some users were changed by an earlier transaction after a later one');
FeedOracle::poll_to_the_end($node);
FeedOracle::compare($node, 'eight writers');

# ---- One transaction that stays open -----------------------------------------

my $last = query('SELECT cursor FROM delivered ORDER BY place DESC LIMIT 1');
my $feed = qq{SELECT string_agg(id || ' ' || version, ', ') FROM userstore.users_changes('people', '$last')};
my $open = $node->background_psql('userstore');
$open->query_safe(q{BEGIN; SELECT userstore.user_put('people', 'open', '{}')});
query(q{SELECT userstore.user_put('people', 'other', '{}')});
is(query($feed), '', 'an open transaction holds up those that began after it');
$open->query_safe('COMMIT');
is(query($feed), 'open 1, other 1', 'until it ends');
# Positions are those of the newest transaction that had ended by then.
$open->query_safe(q{BEGIN; INSERT INTO scratch VALUES (1)});
query(q{SELECT userstore.user_put('people', 'late', '{}')});
$open->query_safe(q{SELECT userstore.user_put('people', 'late', '{"n": 1}')});
$open->query_safe('COMMIT');
is(query($feed), 'open 1, other 1, late 1, late 2', 'an earlier transaction changes what a later one made');
query(q{BEGIN; SELECT userstore.user_put('people', 'prepared', '{}'); PREPARE TRANSACTION 'prepared'});
query(q{SELECT userstore.user_put('people', 'behind', '{}')});
is(query($feed), 'open 1, other 1, late 1, late 2', 'so does one that is prepared');
query(q{COMMIT PREPARED 'prepared'});
is(query($feed), 'open 1, other 1, late 1, late 2, prepared 1, behind 1', 'until it is committed');
# a poller in an old snapshot
$open->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
query(q{SELECT userstore.user_put('people', 'new', '{}')});
unlike($open->query_safe($feed), qr/new/, 'an old snapshot has an old feed');
$open->query_safe('COMMIT');
like($open->query_safe($feed), qr/behind 1, new 1$/, 'and the next one goes on');
$open->quit;

# ---- A crash ---------------------------------------------------------------

FeedOracle::poll_to_the_end($node);
$node->stop('immediate');
$node->start;
query(q{SELECT userstore.user_put('people', 'crash', '{}')});
FeedOracle::poll_to_the_end($node);
FeedOracle::compare($node, 'after a crash');

# ---- Another cluster -------------------------------------------------------

# More is written than is delivered; then all of it is restored elsewhere, where
# transactions have other ids.
query(q{SELECT userstore.user_put('people', 'moving ' || i, '{}') FROM generate_series(1, 30) i});
query('CALL poll(0, 5)');
my $moved = UserstoreTest->new_node('moved', database => undef);
$moved->safe_psql('postgres', 'CREATE DATABASE userstore');
my $dump = "$PostgreSQL::Test::Utils::tmp_check/feed.sql";
command_ok([ 'pg_dump', '-f' => $dump, $node->connstr('userstore') ], 'dumped');
command_ok([ 'psql', '-X', '-q', '-v' => 'ON_ERROR_STOP=1', '-o' => '/dev/null', '-f' => $dump, '-d' => $moved->connstr('userstore') ], 'restored');
cmp_ok($moved->safe_psql('userstore', 'SELECT pg_snapshot_xmax(pg_current_snapshot())::text'), '<',
	$moved->safe_psql('userstore', 'SELECT max(feed_position::text::bigint) FROM people_history'), 'its transaction ids begin anew');
is($moved->safe_psql('userstore', q{SELECT count(*) FROM userstore.users_changes('people', (SELECT cursor FROM delivered ORDER BY place DESC LIMIT 1), 1000)}),
	$moved->safe_psql('userstore', 'SELECT (SELECT count(*) FROM people_history) - (SELECT count(*) FROM delivered)'), 'the feed goes on before anything is written');
$moved->safe_psql('userstore', 'CALL poll(0, 5)');
$moved->safe_psql('userstore', q{SELECT userstore.user_put('people', 'moving ' || i, '{"n": 1}') FROM generate_series(1, 40) i});
FeedOracle::poll($moved, seconds => 1);
FeedOracle::poll_to_the_end($moved);
FeedOracle::compare($moved, 'another cluster');
is($moved->safe_psql('userstore', 'SELECT string_agg(DISTINCT era::text, \' \' ORDER BY era::text) FROM people_history'), '1 2', 'which is a new era');
# Its tables alone, restored where other users are and the same eras mean others.
my $alone = UserstoreTest->new_node('alone');
$alone->safe_psql('userstore', q{SELECT userstore.user_table_create('people2'); SELECT userstore.user_put('people2', 'ann', '{}'); DROP TABLE people2});
command_ok([ 'pg_dump', '-t' => 'people', '-t' => 'people_history', '-t' => 'people_idempotency', '-f' => $dump, $moved->connstr('userstore') ], 'tables alone: dumped');
command_ok([ 'psql', '-X', '-q', '-v' => 'ON_ERROR_STOP=1', '-o' => '/dev/null', '-f' => $dump, '-d' => $alone->connstr('userstore') ], 'tables alone: restored');
$alone->safe_psql('userstore', q{SELECT userstore.user_table_attach('people'); SELECT userstore.user_put('people', 'moving 1', '{"n": 2}')});
is($alone->safe_psql('userstore', q{SELECT string_agg(DISTINCT era::text, ' ' ORDER BY era::text) FROM people_history}), '-1 0 1', 'tables alone: their eras are before all');
my $in_order = q{SELECT count(*), count(*) FILTER (WHERE earlier) FROM (SELECT c.version <= lag(c.version) OVER (PARTITION BY c.id ORDER BY c.n) AS earlier
	FROM (SELECT row_number() OVER () AS n, f.id, f.version FROM userstore.users_changes('people', max => 1000000) f) c) c};
is($alone->safe_psql('userstore', $in_order), $alone->safe_psql('userstore', q{SELECT count(*) || '|0' FROM people_history}), 'tables alone: the feed has all, in order');
is($alone->safe_psql('userstore', q{SELECT userstore.user_table_detach('people'); SELECT userstore.user_table_attach('people'); SELECT string_agg(DISTINCT era::text, ' ' ORDER BY era::text) FROM people_history}),
	"\npeople\n-1 0 1", 'tables alone: attached again, nothing changes');

# What each of the two databases gave since is not the other's.
query(q{SELECT userstore.user_put('people', 'old cluster', '{}')});
my ($rc, $out, $err);
my $cursor = $moved->safe_psql('userstore', 'SELECT cursor FROM delivered ORDER BY place DESC LIMIT 1');
($rc, $out, $err) = $node->psql('userstore', "SELECT userstore.users_changes('people', '$cursor')");
like($err, qr/the cursor is of a state that this database never had/, 'a cursor of the new cluster is none of the old one');

done_testing();
