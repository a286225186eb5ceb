# Feeds: 100 of them against a model; and 100,000 users of whom one in a hundred
# changed are reconciled with as many writes as changes, a feed that misses half
# of them is refused, forced and reverted.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use SyncOracle;
use UserstoreTest;

my $users = $ENV{SYNC_USERS} // 100_000;
my $node = UserstoreTest->new_node('sync_long', conf => "autovacuum = off\nshared_buffers = 256MB\n");

sub query { return $node->safe_psql('userstore', @_) }

# ---- Many feeds ------------------------------------------------------------

SyncOracle::setup($node);
foreach my $seed ($ENV{SYNC_SEED} // 20261122)
{
	SyncOracle::try_feeds($node, feeds => $ENV{SYNC_FEEDS} // 100, seed => $seed);
}

# ---- Many users ------------------------------------------------------------

query(qq{
	SELECT userstore.user_table_create('people', api => 'scim');
	CREATE FUNCTION person(i int) RETURNS jsonb LANGUAGE sql AS \$\$
		SELECT jsonb_build_object('id', 'u' || i, 'userName', 'user' || i, 'externalId', 'e' || i, 'active', true, 'title', 'Clerk ' || i % 10,
			'name', jsonb_build_object('givenName', 'Given ' || i, 'familyName', 'Family ' || i % 1000),
			'emails', jsonb_build_array(jsonb_build_object('value', 'user' || i || '\@example.com', 'type', 'work', 'primary', true)),
			'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User', jsonb_build_object('department', 'D' || i % 50, 'employeeNumber', i::text)) \$\$;
	CREATE TABLE feed AS SELECT i::bigint AS record, person(i) AS body FROM generate_series(1, $users) i;
	CREATE TABLE noted (id text PRIMARY KEY, document jsonb, version bigint, row_xmin text)});

# All writes that a call makes to the tables, those that it takes back included.
sub writes
{
	my ($call) = @_;
	my @count;

	foreach my $time (0, 1)
	{
		query($call) if $time;
		# what a session counted is known when it has ended
		$node->poll_query_until('userstore', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())});
		push @count, query(q{SELECT string_agg(n_tup_ins || ' ' || n_tup_upd || ' ' || n_tup_del, ' ' ORDER BY relname)
			FROM pg_stat_user_tables WHERE schemaname = 'public' AND relname IN ('people', 'people_history', 'people_idempotency')});
	}
	my @before = split / /, $count[0];
	my @after = split / /, $count[1];

	return join ' ', map { $after[$_] - $before[$_] } 0 .. $#after;
}

sub timed
{
	my ($what, $call) = @_;
	my $begin = time;
	my @answer = (wantarray) ? ($call->()) : scalar $call->();

	note(sprintf '%s: %.1f s', $what, time - $begin);
	return $answer[0];
}

my $sync = q{SELECT count(*) FROM userstore.users_sync('people', staging => 'feed', missing => 'deactivate'%s)};

is(timed("$users users are created", sub { writes(sprintf "CREATE TABLE created AS $sync", '') }),
	"$users 0 0 $users 0 0 0 0 0", 'each new user is written once, and once to history');
is(timed('the same feed again', sub { writes(sprintf "CREATE TABLE same AS $sync", '') }), '0 0 0 0 0 0 0 0 0', 'the same feed again writes nothing');
is(query('SELECT count FROM same'), '0', 'and has nothing to tell');

# One in a hundred: half of these change, others come, go, or change twice.
my $part = $users / 1000;
query(qq{
	INSERT INTO noted SELECT id, document, version, xmin::text FROM people;
	UPDATE feed SET body = body || '{"title": "Lead"}' WHERE record % 200 = 0;
	DELETE FROM feed WHERE record % 1000 IN (1, 2);
	INSERT INTO feed SELECT $users + i, person($users + i) FROM generate_series(1, 2 * $part) i;
	UPDATE feed SET body = body || '{"active": false}' WHERE record % 1000 = 3});
my $changes = 10 * $part;
my $changed = 8 * $part;
my $created = 2 * $part;
my $preview = q{CREATE TABLE %s AS SELECT id, action, changed, old, new, version, record, error FROM userstore.users_sync('people', staging => 'feed', missing => 'deactivate'%s)};
timed('a preview of one in a hundred', sub { query(sprintf $preview, 'previewed', ', dry_run => true') });
is(query('SELECT count(*) FROM people p JOIN noted n USING (id) WHERE p.xmin::text = n.row_xmin AND p.version = n.version'), $users, 'the preview leaves all as it was');
is(timed('one in a hundred changed', sub { writes(sprintf $preview, 'run', '') }),
	"$created $changed 0 $changes 0 0 0 0 0", 'one in a hundred changed: as many writes as changes');
is(query('SELECT count(*) FROM ((TABLE previewed EXCEPT TABLE run) UNION ALL (TABLE run EXCEPT TABLE previewed)) d'), '0', 'preview and run agree');
is(query(q{SELECT string_agg(action || ' ' || count, ', ' ORDER BY action) FROM (SELECT action, count(*) FROM run GROUP BY 1) c}),
	"changed " . 5 * $part . ", created $created, deactivated " . 3 * $part, 'as told');
is(query('SELECT count(*) FROM people p JOIN noted n USING (id) WHERE p.xmin::text = n.row_xmin AND p.version = n.version AND p.document = n.document'),
	$users - $changed, 'all others are the rows they were');
is(query(q{SELECT count(DISTINCT request_id) || ' ' || count(DISTINCT transaction_id) FROM people_history WHERE version = 2 OR NOT EXISTS (SELECT FROM noted WHERE id = user_id)}),
	'1 1', 'one request, one transaction');

# A feed that misses half the staff.
query('TRUNCATE noted; INSERT INTO noted SELECT id, document, version, xmin::text FROM people; DELETE FROM feed WHERE record % 2 = 0');
foreach my $missing (qw(deactivate delete))
{
	my $gone = query($missing eq 'delete'
		? q{SELECT count(*) FROM people WHERE NOT EXISTS (SELECT FROM feed WHERE body ->> 'id' = id)}
		: q{SELECT count(*) FROM people WHERE NOT EXISTS (SELECT FROM feed WHERE body ->> 'id' = id) AND document -> 'active' = 'true'});
	my ($rc, $out, $err);

	cmp_ok($gone, '>', $users * 0.45, "$missing: half the staff is missing");
	timed("$missing: refused", sub { ($rc, $out, $err) = $node->psql('userstore', qq{\\set VERBOSITY verbose
		SELECT count(*) FROM userstore.users_sync('people', staging => 'feed', missing => '$missing', guard => '{"${missing}d": 0.05}')}) });
	like($err, qr/ERROR:  PT409: .*\b$gone\b/, "$missing: the guard refuses it, with the count");
	like($err, qr/DETAIL:  \{"guard": "${missing}d", "count": $gone,/, "$missing: and says so");
	is(query('SELECT count(*) FROM people p JOIN noted n USING (id, version, document) WHERE p.xmin::text = n.row_xmin'), $users + $created, "$missing: nothing is done");
	timed("$missing: forced", sub { query(qq{DROP TABLE IF EXISTS forced; CREATE TABLE forced AS
		SELECT * FROM userstore.users_sync('people', staging => 'feed', missing => '$missing', guard => '{"${missing}d": 0.95}')}) });
	is(query("SELECT count(*) FROM forced WHERE action = '${missing}d'"), $gone, "$missing: forced, half the staff goes");

	# somebody meets one of them meanwhile
	my $id = query(qq{SELECT min(id) FROM forced WHERE action = 'reactivated' OR action = '${missing}d'});
	query($missing eq 'delete' ? "SELECT userstore.user_create('people', '{\"userName\": \"since\"}', id => '$id')" : "SELECT userstore.user_patch('people', '$id', '{\"title\": \"since\"}')");
	($rc, $out, $err) = $node->psql('userstore', "SELECT count(*) FROM userstore.users_revert('people', (SELECT transaction_id FROM forced LIMIT 1), atomic => true)");
	like($err, qr/ERROR:  .*"$id" was changed since/, "$missing: atomic, the revert is refused for who was changed since");
	timed("$missing: reverted", sub { query(q{DROP TABLE IF EXISTS reverted; CREATE TABLE reverted AS
		SELECT * FROM userstore.users_revert('people', (SELECT transaction_id FROM forced LIMIT 1))}) });
	is(query(q{SELECT string_agg(id || ' ' || (error LIKE '%was changed since%')::text, ', ') FROM reverted WHERE action IN ('skipped', 'failed')}), "$id true",
		"$missing: who was changed since is named");
	is(query('SELECT (SELECT count(*) FROM forced) - (SELECT count(*) FROM reverted)'), '0', "$missing: a row for each");
	is(query(q{SELECT string_agg(id, ', ') FROM (SELECT coalesce(p.id, n.id) AS id FROM people p FULL JOIN noted n USING (id) WHERE p.document IS DISTINCT FROM n.document) d}),
		$id, "$missing: all others have their documents again");
	is(query(q{SELECT count(*) FROM people p JOIN people_history h ON h.user_id = p.id AND h.version = p.version WHERE h.document <> p.document
		OR EXISTS (SELECT FROM people_history l WHERE l.user_id = p.id AND l.version > p.version)}), '0', "$missing: history tells it");
	query("SELECT userstore.user_put('people', '$id', (SELECT document FROM noted WHERE id = '$id'));
		TRUNCATE noted; INSERT INTO noted SELECT id, document, version, xmin::text FROM people");
}

# Unique values that go round, among more users than are looked at together.
query(qq{TRUNCATE feed; INSERT INTO feed SELECT i, person(i) || jsonb_build_object('userName', 'user' || CASE WHEN i % 1000 = 0 THEN i - 999 ELSE i + 1 END) FROM generate_series(1, $users) i});
timed('names go round', sub { query(q{CREATE TABLE round AS SELECT * FROM userstore.users_sync('people', staging => 'feed', missing => 'delete')}) });
is(query(q{SELECT count(*) FROM round WHERE action = 'failed'}), '0', 'names go round');
is(query(q{SELECT count(*) FROM people p JOIN feed ON body ->> 'id' = p.id WHERE document = body - 'id'}), $users, 'as the feed says');
timed('and back', sub { query(q{CREATE TABLE round_again AS SELECT * FROM userstore.users_revert('people', (SELECT transaction_id FROM round LIMIT 1), atomic => true)}) });
is(query(q{SELECT count(*) FROM people p FULL JOIN noted n USING (id) WHERE p.document IS DISTINCT FROM n.document}), '0', 'and back');

done_testing();
