# Bulk as a whole: how many statements it takes, what it remembers and leaves,
# what it does beside another one, and that it can be cancelled.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use BulkOracle;
use UserstoreTest;

my $node = UserstoreTest->new_node('bulk', conf => "deadlock_timeout = 100ms\nstatement_timeout = 2min\n");

sub query { return $node->safe_psql('userstore', @_) }

query($BulkOracle::sql);
query(q{
	SELECT userstore.attribute_schema_define('{"id": "urn:test:bulk:User", "attributes": [
		{"name": "login", "uniqueness": "server"}, {"name": "n", "type": "integer"}, {"name": "text"}]}');
	SELECT userstore.user_table_create('people', schemas => '{urn:test:bulk:User}');
	-- so many users, each so many times; new ones where there is a prefix
	CREATE FUNCTION bodies(count int, times int DEFAULT 1, prefix text DEFAULT 'u', n int DEFAULT 0, upwards boolean DEFAULT true)
	RETURNS jsonb LANGUAGE sql AS $$
		SELECT jsonb_agg(jsonb_build_object('id', prefix || i, 'login', prefix || i, 'n', n + t, 'text', repeat('x', 50))
			ORDER BY t, CASE WHEN upwards THEN i ELSE -i END)
		FROM generate_series(1, count) i, generate_series(1, times) t $$});

# What came of a request: how many items of each status.
sub outcome
{
	my ($call) = @_;
	return query(qq{SELECT string_agg(status || ' ' || count, ', ' ORDER BY status)
		FROM (SELECT i ->> 'status', count(*) FROM jsonb_array_elements($call) i GROUP BY 1) o(status, count)});
}

# ---- Statements ------------------------------------------------------------

# The statements below a call, as auto_explain logs them.
sub statements
{
	my ($call, $before, $failing) = @_;
	my ($out, $err);

	$node->psql('userstore', qq{
		SET client_min_messages = warning;
		SELECT userstore.users_bulk_put('people', '[]');
		SELECT userstore.users_bulk_put('people', '[{"id": "warm", "n": 1}, {"id": "u1", "n": -1}]', 'warm');
		} . ($before // '') . qq{
		CREATE TEMP TABLE outcome (bulk jsonb);
		LOAD 'auto_explain';
		SET auto_explain.log_nested_statements = on;
		SET auto_explain.log_level = warning;
		SET auto_explain.log_min_duration = 0;
		INSERT INTO outcome SELECT $call;
		SET auto_explain.log_min_duration = -1;
		SELECT count(*), count(*) FILTER (WHERE i ? 'error') FROM outcome, jsonb_array_elements(bulk) i},
		stdout => \$out, stderr => \$err);
	unlike($err, qr/ERROR/, "$call runs");
	my @texts = grep { !/userstore\.users_bulk/ } $err =~ /Query Text: (.*)/g;
	my ($items, $count) = $out =~ /(\d+)\|(\d+)\s*$/;
	is($count, $failing // 0, "$call: so many items fail");
	return (scalar(@texts), join "\n", @texts);
}

query(q{SELECT userstore.users_bulk_put('people', bodies(10000))});
is(query(q{SELECT count(*) FROM people WHERE version = 1}), '10000', 'ten thousand users are there');

# Of users of version 1, history is asked what it knows: see below.
query(q{SELECT userstore.users_bulk_put('people', bodies(10000, n => 1))});

sub compare_statements
{
	my ($what, $few, $many) = @_;
	my ($few_count, $few_texts) = statements(@$few);
	my ($many_count, $many_texts) = statements(@$many);

	cmp_ok($few_count, '>', 1, "$what: statements are counted");
	is($many_count, $few_count, "$what: thousands of items take as many statements as ten")
	  or diag("ten:\n$few_texts\nthousands:\n$many_texts");
	return $few_count;
}

my $n = 10;
foreach my $function (qw(put patch))
{
	my $call = sub {
		my ($count, $times, $arguments) = @_;

		$n += 10;
		return [ "userstore.users_bulk_$function('people', bodies($count, $times, n => $n)$arguments)" ];
	};
	my @count = (0,
		compare_statements("$function changes", $call->(10, 1, ''), $call->(10000, 1, '')),
		compare_statements("$function changes twice", $call->(10, 2, ''), $call->(8000, 2, '')));

	cmp_ok($count[2], '>', $count[1], "$function: a second wave takes statements of its own");
	$count[$_] = (statements(@{ $call->(10, $_, '') }))[0] for 3, 4;
	is($count[4] - $count[3], $count[3] - $count[2], "$function: each wave takes as many");
	compare_statements("$function with a key", $call->(10, 1, ", 'few $function'"), $call->(10000, 1, ", 'many $function'"));
	compare_statements("$function with atomic", $call->(10, 1, ', atomic => true'), $call->(10000, 1, ', atomic => true'));
	compare_statements("$function that changes nothing",
		map { [ "userstore.users_bulk_$function('people', bodies($_, 1, n => 5))",
			"SELECT userstore.users_bulk_$function('people', bodies($_, 1, n => 5));" ] } 10, 10000);
}
compare_statements('changes users of version 1', map { [ "userstore.users_bulk_put('people', bodies($_, 1, 'first $_', n => 5))",
	"SELECT userstore.users_bulk_put('people', bodies($_, 1, 'first $_'));" ] } 10, 10000);
compare_statements('creates', map { [ "userstore.users_bulk_put('people', bodies($_, 1, 'new $_'))" ] } 10, 10000);
compare_statements('creates and then changes', map { [ "userstore.users_bulk_put('people', bodies($_, 2, 'newer $_'))" ] } 10, 8000);
compare_statements('creates and changes', map { [ "userstore.users_bulk_put('people', bodies($_, 1, 'newest $_') || bodies($_, 1, n => $_))" ] } 10, 8000);

# What is known before anything is written costs no statement of its own: values
# that are taken, items that are wrong.
compare_statements('changes of which some collide', map { [ "userstore.users_bulk_put('people', bodies($_, n => 600 + $_) || '[
	{\"id\": \"u5\", \"login\": \"u9${_}\"}, {\"id\": \"collision\", \"login\": \"U9001\"}, {\"id\": \"u9${_}\"}, {\"id\": \"u5\", \"login\": \"u5\"}]')", undef, 2 ] } 10, 800);
compare_statements('changes of which some are wrong', map { [ "userstore.users_bulk_patch('people', bodies($_, n => 700 + $_) || '[
	{\"id\": \"u5\", \"n\": \"x\"}, {\"id\": \"nobody\"}, {}, {\"id\": \"u5\", \"n\": 1}]')", undef, 3 ] } 10, 10000);

# What is not costs its chunk.
query(q{ALTER TABLE people ADD CONSTRAINT n_is_small CHECK ((document ->> 'n')::int < 1000000)});
my ($count) = statements(q{userstore.users_bulk_patch('people', bodies(10000, n => 800) || '[{"id": "nobody", "n": 1}, {"id": "u5", "n": 1000000}]')}, undef, 2);
cmp_ok($count, '<', 2500, "one of ten thousand that a check refuses costs its chunk: $count statements");
query(q{ALTER TABLE people DROP CONSTRAINT n_is_small});

# users who were deleted come back
query(q{SELECT count(userstore.user_delete('people', id)) FROM people WHERE id LIKE 'newer %'});
compare_statements('creates anew', map { [ "userstore.users_bulk_put('people', bodies($_, 1, 'newer $_'))" ] } 10, 8000);
is(query(q{SELECT DISTINCT version FROM people WHERE id LIKE 'newer %'}), '4', 'whose versions go on');
is(query(q{SELECT oracle.wrong_histories('people')}), '0', 'history tells it all');

# ---- Items that have to do with each other ---------------------------------

is(outcome(q{userstore.users_bulk_put('people', bodies(1, 3, 'thrice '))}), '200 2, 201 1', 'one id three times');
is(query(q{SELECT string_agg(concat_ws(' ', version, operation, document ->> 'n', changed), '; ' ORDER BY version) FROM people_history WHERE user_id = 'thrice 1'}),
	'1 put 1 {login,n,text}; 2 put 2 {n}; 3 put 3 {n}', 'gives three versions, each with its history');

query(q{ALTER TABLE people ADD CONSTRAINT n_is_small CHECK ((document ->> 'n')::int < 1000000)});
is(query(q{SELECT userstore.users_bulk_put('people', '[{"id": "twice", "n": 1000000}, {"id": "twice", "n": 1}, {"id": "thrice 1", "n": 1000000}, {"id": "thrice 1", "n": 4}]')}),
	'[{"id": "twice", "error": "new row for relation \"people\" violates check constraint \"n_is_small\"", "status": 400}, '
	  . '{"id": "twice", "status": 201, "version": 1}, '
	  . '{"id": "thrice 1", "error": "new row for relation \"people\" violates check constraint \"n_is_small\"", "status": 400}, '
	  . '{"id": "thrice 1", "status": 200, "version": 4}]', 'one id twice, first refused by a check');
query(q{ALTER TABLE people DROP CONSTRAINT n_is_small});

# 1,000 items of which 10 collide; number i is for user "u i" with login "u i"
# where nothing else is said.
query(q{
	CREATE TABLE thousand AS SELECT jsonb_agg(jsonb_build_object('id', 'u' || i, 'login', coalesce(login, 'u' || i), 'n', 7) ORDER BY i) AS body
	FROM generate_series(1, 1000) i LEFT JOIN (VALUES
		-- with users whom the request does not name
		(100, 'u5000'), (101, 'U5001'), (1000, 'u5002'),
		-- with what an item before took
		(200, 'mine'), (201, 'MINE'), (202, 'Mine'),
		-- two swap
		(300, 'u301'), (301, 'u300'),
		-- what a later item frees, what an earlier one freed
		(400, 'u401'), (401, 'freed'), (500, 'free'), (501, 'u500'),
		-- what an item would free that fails itself
		(600, 'u5003'), (601, 'u600')) AS collision(number, login) ON number = i});
my $failing = '100 101 201 202 300 301 400 600 601 1000';
my ($rc, $out, $err);
my $failed = q{SELECT string_agg(substr(i ->> 'id', 2), ' ' ORDER BY n), bool_and((i ->> 'status', i ->> 'error', i ->> 'path')
		= ('409', 'a user with this "login" exists already', 'login'))
	FROM jsonb_array_elements(%s) WITH ORDINALITY AS a(i, n) WHERE i ? 'error'};
query(q{CREATE TABLE collided AS SELECT userstore.users_bulk_put('people', body) AS bulk FROM thousand});
is(query(sprintf $failed, '(SELECT bulk FROM collided)'), "$failing|t", 'of 1,000 items ten collide');
is(query(q{SELECT string_agg(id || ' is ' || (document ->> 'login'), ', ' ORDER BY id) FROM people
	WHERE id ~ '^u\d+$' AND document ->> 'login' <> id}), 'u200 is mine, u401 is freed, u500 is free, u501 is u500', 'the others get what they want');
is(query(q{SELECT count(*) FROM people WHERE id ~ '^u\d+$' AND substr(id, 2)::int <= 1000 AND (document ->> 'n') = '7'}), '990', 'and no more fail with them');

# All have their own login again.
is(outcome(q{userstore.users_bulk_put('people', bodies(2000, 2))}), '200 3999, 409 1', 'the second time there is nobody in the way');

# More than is done at a time: order counts all the same.
my $long = q{bodies(25000, n => 50) || '[{"id": "u24001", "login": "u24002"}, {"id": "u1", "login": "freed"}]' || bodies(25000, n => 60)
	|| '[{"id": "u24003", "login": "freed"}, {"id": "u24004", "login": "u2"}, {"id": "u1", "login": "u1"}, {"id": "u24003", "login": "freed"}]'};
query(qq{CREATE TABLE long AS SELECT userstore.users_bulk_put('people', $long) AS bulk});
is(query(q{SELECT string_agg(concat_ws(' ', n - 1, i ->> 'id', i ->> 'status'), ', ' ORDER BY n) FROM long, jsonb_array_elements(bulk) WITH ORDINALITY AS a(i, n)
	WHERE i ->> 'id' IN ('u1', 'u24001', 'u24003', 'u24004')}),
	'0 u1 200, 24000 u24001 201, 24002 u24003 201, 24003 u24004 201, 25000 u24001 409, 25001 u1 200, '
	  . '25002 u1 200, 49002 u24001 200, 49004 u24003 200, 49005 u24004 200, 50002 u24003 200, 50003 u24004 409, 50004 u1 200, 50005 u24003 200', 'fifty thousand items in order');
is(query(q{SELECT oracle.wrong_histories('people')}), '0', 'history tells it all');
($rc, $out, $err) = $node->psql('userstore', q{SELECT userstore.users_bulk_put('people', bodies(40000, n => 70) || '[{"id": "u1", "login": "u2"}]', atomic => true)});
like($err, qr/DETAIL:  .*"index": 40000\b/, 'one of forty thousand fails');
is(query(q{SELECT count(*) FROM people WHERE document ->> 'n' = '71'}), '0', 'and atomic, all of them');

# ---- All or nothing --------------------------------------------------------

my $state = q{SELECT (SELECT count(*) FROM people), (SELECT sum(version) FROM people), (SELECT count(*) FROM people_history), (SELECT count(*) FROM people_idempotency)};
my $before = query($state);
($rc, $out, $err) = $node->psql('userstore', q{
	\set VERBOSITY verbose
	SELECT userstore.users_bulk_put('people', bodies(3000, n => 100, prefix => 'atomic ') || '[{"id": "u1", "login": "u5000"}, {"id": ""}]' || bodies(100), 'atomic', atomic => true)});
like($err, qr/ERROR:  23505: a user with this "login" exists already/, 'atomic: the first failure is raised');
my ($detail) = $err =~ /DETAIL:  (.*)/;
is(query("SELECT '$detail'::jsonb"), '{"path": "login", "index": 3000, "scimType": "uniqueness"}', 'atomic: DETAIL says which item it was');
is(query($state), $before, 'atomic: nothing is left, nothing remembered');
is(outcome(q{userstore.users_bulk_put('people', bodies(3000, n => 100, prefix => 'atomic '), 'atomic', atomic => true)}), '201 3000', 'atomic: the key is free');

# ---- Keys ------------------------------------------------------------------

query(q{CREATE TABLE request AS SELECT '[{"id": "nobody"}, {"id": "k", "n": "x"}, {"n": 1}, {"id": "k2", "login": "u5000"}]' || bodies(300, prefix => 'k') AS body});
query(q{CREATE TABLE answer AS SELECT userstore.users_bulk_put('people', body, 'key') AS first FROM request});
is(query(q{SELECT string_agg(i ->> 'status', ' ') FROM (SELECT jsonb_array_elements(first) FROM answer LIMIT 5) a(i)}), '201 400 400 409 201', 'a request with failed items');
$before = query($state);
my $replay = q{userstore.users_bulk_put('people', (SELECT body FROM request), 'key')};
is(query(qq{SELECT $replay = first FROM answer}), 't', 'is answered again as the first time, with its failed items');
like(query(qq{EXPLAIN (ANALYZE, WAL, COSTS OFF, TIMING OFF) SELECT $replay}), qr/Result/, 'WAL is counted');
unlike(query(qq{EXPLAIN (ANALYZE, WAL, COSTS OFF, TIMING OFF) SELECT $replay}), qr/WAL:/, 'a replay writes none');
like(query(qq{EXPLAIN (ANALYZE, WAL, COSTS OFF, TIMING OFF) SELECT userstore.users_bulk_put('people', '[{"id": "wal"}]')}), qr/WAL: records=/, 'while an update does');
query(q{SELECT userstore.user_delete('people', 'wal')});
$before = query($state);
query(q{SELECT userstore.user_delete('people', 'k1'), userstore.user_put('people', 'k2', '{"n": 5}')});
$before = query($state);
is(query(qq{SELECT $replay = first FROM answer}), 't', 'whatever became of the users since');
is(query($state), $before, 'and changes nothing');
foreach my $other (
	[ 'another item'      => q{userstore.users_bulk_put('people', (SELECT body || '[{"id": "k1"}]' FROM request), 'key')} ],
	[ 'another order'     => q{userstore.users_bulk_put('people', (SELECT jsonb_agg(i ORDER BY i::text) FROM request, jsonb_array_elements(body) i), 'key')} ],
	[ 'another operation' => q{userstore.users_bulk_patch('people', (SELECT body FROM request), 'key')} ],
	[ 'a single user'     => q{userstore.user_put('people', 'k1', '{}', 'key')} ])
{
	my ($what, $call) = @$other;

	($rc, $out, $err) = $node->psql('userstore', "\\set VERBOSITY sqlstate\nSELECT $call");
	like($err, qr/ERROR:  PT422/, "the same key with $what is refused");
}
is(query($state), $before, 'and changes nothing');
is(query(q{BEGIN; SELECT jsonb_array_length(userstore.users_bulk_put('people', bodies(3, prefix => 'back'), 'rolled back')); ROLLBACK}), '3', 'a request that is rolled back');
is(outcome(q{userstore.users_bulk_put('people', bodies(4, prefix => 'back'), 'rolled back')}), '201 4', 'is not remembered');

# A session that runs a script while we do something else; what is given waits
# for its end and gives its output.
my $scripts = 0;

sub beside
{
	my ($script) = @_;
	my $file = "$PostgreSQL::Test::Utils::tmp_check/beside" . ++$scripts . '.sql';
	my ($out, $err);

	append_to_file($file, $script);
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('userstore'), '-f', $file ],
		'>', \$out, '2>', \$err);
	return sub { $run->finish; return $out . $err };
}

# two at once under one key: one does it, both get the answer
my @twins = map { beside(q{SELECT md5(userstore.users_bulk_put('people', bodies(2000, n => 300), 'twin')::text)}) } 1 .. 2;
my @answers = map { $_->() } @twins;
like($answers[0], qr/^[0-9a-f]{32}$/, 'twins are answered');
is($answers[1], $answers[0], 'alike');
is(query(q{SELECT count(*) FROM people_history WHERE document ->> 'n' = '301'}), '2000', 'and the work is done once');

# ---- Two at once -----------------------------------------------------------

query(q{SELECT userstore.users_bulk_put('people', bodies(2000, n => 1000))});
foreach my $case (
	[ changes => 'n => %d', 2000, 10 ], [ creates => "prefix => 'round %d user '", 2000, 10 ],
	[ 'many changes' => 'n => %d', 40000, 2 ], [ 'many creates' => "prefix => 'long round %d user '", 40000, 2 ])
{
	my ($what, $argument, $users, $rounds) = @$case;
	my @sessions;
	my $versions = query(q{SELECT sum(version) FROM people WHERE id ~ '^u\d+$' AND substr(id, 2)::int <= 2000});

	foreach my $upwards (qw(true false))
	{
		my @calls = map {
			my $this = sprintf $argument, $what =~ /changes/ ? $_ * 10 + ($upwards eq 'true' ? 10000 : 20000) : $_;
			"SELECT string_agg(DISTINCT i ->> 'error', ' ') FROM jsonb_array_elements(userstore.users_bulk_put('people', bodies($users, $this, upwards => $upwards))) i;\n"
		} 1 .. $rounds;

		push @sessions, beside(join '', @calls);
	}
	is($_->() =~ s/\n//gr, '', "$what of the same users in opposite order: no deadlock, no error") for @sessions;
	is(query(q{SELECT sum(version) FROM people WHERE id ~ '^u\d+$' AND substr(id, 2)::int <= 2000}) - $versions, 40000, 'all was done') if $what eq 'changes';
}
is(query(q{SELECT count(*), min(version), max(version) FROM people WHERE id LIKE 'round %'}), '20000|1|1', 'created once by one of the two');
is(query(q{SELECT count(*), min(version), max(version) FROM people WHERE id LIKE 'long round %'}), '80000|1|1', 'and so are many');
is(query(q{SELECT oracle.wrong_histories('people')}), '0', 'history tells it all');

# Users who are created in other ways than as one set: some refused by a CHECK,
# one by one, matched, with passwords.
query(q{
	SELECT userstore.user_table_create('checked', schemas => '{urn:test:bulk:User}');
	ALTER TABLE checked ADD CHECK (document ->> 'n' <> '7');
	SELECT userstore.user_table_create('referring', schemas => '{urn:test:bulk:User}');
	ALTER TABLE referring ADD COLUMN superior text GENERATED ALWAYS AS (document ->> 'superior') STORED REFERENCES referring (id);
	SELECT userstore.user_table_create('matched', schemas => '{urn:test:bulk:User}');
	CREATE FUNCTION weak(password text, hash text) RETURNS text LANGUAGE sql AS 'SELECT pg_catalog.md5(password)';
	SELECT userstore.user_table_create('secret', api => 'cpq', password_function => 'weak');
	CREATE FUNCTION new_users(kind text, round int, users int, upwards boolean) RETURNS jsonb LANGUAGE sql AS $$
		SELECT jsonb_agg(CASE kind WHEN 'matched' THEN '{}' ELSE jsonb_build_object('id', format('%s user %s', round, i)) END ||
			jsonb_build_object('login', format('%s user %s', round, i)) ||
			CASE kind WHEN 'secret' THEN '{"password": "it"}' ELSE jsonb_build_object('n', i % 100) END
			ORDER BY CASE WHEN upwards THEN i ELSE -i END)
		FROM generate_series(1, users) i $$});
foreach my $case ([ checked => 500, 5 ], [ referring => 300, 0 ], [ matched => 1000, 0 ], [ secret => 50, 0 ])
{
	my ($kind, $users, $refused) = @$case;
	my $rounds = 8;
	my $match = $kind eq 'matched' ? ", match => 'login'" : '';
	my @sessions = map {
		my $upwards = $_;
		beside(join '', map {
			"SELECT count(*) FILTER (WHERE i ? 'error') FROM jsonb_array_elements(userstore.users_bulk_put('$kind', new_users('$kind', $_, $users, $upwards), creates => true$match)) i;\n"
		} 1 .. $rounds);
	} qw(true false);

	is($_->(), "$refused\n" x $rounds, "$kind: users created in opposite order: no deadlock") for @sessions;
	is(query("SELECT count(*) FROM $kind"), $rounds * ($users - $refused), 'each once');
}

# Changes of others are not overwritten, and none is lost.
my @bulks = map {
	my $mark = $_;
	beside(join '', map { "SELECT string_agg(DISTINCT i ->> 'error', ' ') FROM (SELECT jsonb_agg(jsonb_build_object('id', 'u' || i, 'extra $mark', $_) ORDER BY random()) FROM generate_series(1, 500) i) r(body), jsonb_array_elements(userstore.users_bulk_patch('people', body)) i;\n" } 1 .. 20)
} 1, 2;
my $singles = beside(q{DO $$
	BEGIN
		FOR i IN 1 .. 4000 LOOP
			PERFORM userstore.user_patch('people', 'u' || 1 + i % 500, jsonb_build_object('extra 3', i));
			COMMIT;
		END LOOP;
	END $$});
is($_->() =~ s/\n//gr, '', 'beside one another') for @bulks, $singles;
is(query(q{SELECT count(*) FROM people WHERE id ~ '^u\d+$' AND substr(id, 2)::int <= 500 AND document @> '{"extra 1": 20, "extra 2": 20}'
	AND (document ->> 'extra 3')::int > 3500}), '500', 'all changes are there');
is(query(q{SELECT oracle.wrong_histories('people')}), '0', 'and in history');

# ---- Memory ----------------------------------------------------------------

is(query(q{
	CREATE TABLE memory (n int, total bigint);
	DO $$
	BEGIN
		FOR i IN 1 .. 400 LOOP
			PERFORM userstore.users_bulk_put('people', bodies(60, 1 + i % 3, n => i) || '[{"id": "x"}, {"n": 1}, {"id": "u1", "login": "u5000"}, {"id": "m", "n": "x"}]',
				CASE WHEN i % 2 = 0 THEN 'memory ' || i END, request_id => 'memory');
			BEGIN
				PERFORM userstore.users_bulk_put('people', bodies(60, n => i) || '[{"id": "u1", "login": "u5000"}]', atomic => true);
			EXCEPTION WHEN unique_violation THEN
				NULL;
			END;
			PERFORM userstore.users_bulk_patch('people', bodies(60, n => -i), dry_run => true);
			COMMIT;
			IF i % 100 = 0 THEN
				INSERT INTO memory SELECT i, sum(total_bytes) FROM pg_backend_memory_contexts;
				COMMIT;
			END IF;
		END LOOP;
	END $$;
	SELECT max(total) - min(total) < 200000 FROM memory WHERE n > 100}), 't', 'memory is flat');

# ---- Cancel ----------------------------------------------------------------

# Times grow by what else the machine does; so the best of some tries counts.
query(q{
	SELECT userstore.user_table_create('crowd');
	ALTER TABLE crowd ADD CHECK (document ->> 'n' <> 'refused');
	CREATE TABLE many (kind text, body jsonb);
	ALTER TABLE many ALTER body SET STORAGE EXTERNAL;
	INSERT INTO many VALUES ('create', bodies(100000)), ('change', bodies(100000, n => 1));
	VACUUM ANALYZE many});

# How long it takes from a cancel, sent so long after the call, to its end.
sub hear
{
	my ($call, $wait) = @_;
	my ($in, $out, $err) = ("SELECT pg_backend_pid();\n", '', '');
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('userstore') ], '<', \$in, '>', \$out, '2>', \$err,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));

	$run->pump until $out =~ /\n/;
	my ($pid) = $out =~ /(\d+)/;
	$in .= "BEGIN;\nSELECT 'begun';\nSELECT 'done ' || jsonb_array_length($call);\n";
	$run->pump until $out =~ /begun/;
	sleep $wait;
	query("SELECT pg_cancel_backend($pid)");
	my $start = time;
	$run->pump until $err =~ /ERROR:.*/ || $out =~ /done/;
	my $latency = time - $start;
	$run->finish;
	return ($latency, $out =~ /done/ ? 'done' : $err =~ /canceling statement due to user request/ ? 'cancelled' : $err);
}

sub cancel
{
	my ($what, $call, $before) = @_;

	# how long it takes when nobody cancels
	my $start = time;
	query("BEGIN; SELECT jsonb_array_length($call); ROLLBACK");
	my $duration = time - $start;
	my $state = q{SELECT (SELECT count(*) FROM crowd), (SELECT sum(version) FROM crowd), (SELECT count(*) FROM crowd_history), (SELECT count(*) FROM crowd_idempotency)};
	my $stands = query($state);
	my @slow;
	my $heard = 0;

	foreach my $part (0.02, 0.25, 0.5, 0.75, 0.95)
	{
		my $best = 1e9;

		for (1 .. 3)
		{
			my ($latency, $end) = hear($call, $part * $duration);

			next if $end eq 'done';
			is($end, 'cancelled', "$what, cancelled") if $end ne 'cancelled';
			$best = $latency if $latency < $best;
			last if $best < 0.1;
		}
		next if $best == 1e9;    # it was over before
		note(sprintf '%s of %.1f s, cancelled at %.2f: heard after %.3f s', $what, $duration, $part, $best);
		$heard++;
		push @slow, sprintf '%.2f: %.3f s', $part, $best if $best > 0.3;
	}
	is(join(', ', @slow), '', "$what: a cancel is heard soon");
	cmp_ok($heard, '>=', 3, "$what: and not only at the end");
	is(query($state), $stands, "$what: nothing is left of what was cancelled");
	return;
}

my $many = q{(SELECT body FROM many WHERE kind = '%s')};
cancel('creates', sprintf "userstore.users_bulk_put('crowd', $many, 'key')", 'create');
query(sprintf "SELECT userstore.users_bulk_put('crowd', $many)", 'create');

# As when it was analyzed while the users were loaded: that must not make it slow.
query(q{VACUUM ANALYZE crowd; UPDATE pg_class SET reltuples = 0 WHERE oid = 'crowd'::regclass});
cancel('changes', sprintf "userstore.users_bulk_patch('crowd', $many, 'key')", 'change');
cancel('changes that fail', sprintf "userstore.users_bulk_patch('crowd', $many || '[{\"id\": \"u7\", \"n\": \"refused\"}]')", 'change');

done_testing();
