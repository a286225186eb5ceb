# How many statements a call runs, and that a backend does not grow: neither
# plans nor memory, whatever happens to tables and roles.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $node = UserstoreTest->new_node('statements');
$node->safe_psql('userstore', q{
	SELECT userstore.user_table_create('t' || i) FROM generate_series(1, 3) i;
	SELECT userstore.user_create('t1', '{"n": 0}', 'ann');
	CREATE ROLE one; CREATE ROLE two;
	GRANT SELECT, INSERT, UPDATE, DELETE ON t1, t2, t3 TO one, two});

# ---- Statements ------------------------------------------------------------

# The statements below the call, as auto_explain logs them.
sub statements
{
	my ($call) = @_;
	my ($table) = $call =~ /\('(\w+)'/;
	my ($out, $err);
	$node->psql('userstore', qq{
		LOAD 'auto_explain';
		-- the second call of a session: the first one fills caches
		SELECT userstore.user_patch('$table', 'ann', '{}', dry_run => true);
		SET auto_explain.log_nested_statements = on;
		SET auto_explain.log_level = notice;
		SET auto_explain.log_min_duration = 0;
		SELECT $call}, stdout => \$out, stderr => \$err, on_error_die => 0);
	my @texts = $err =~ /Query Text: (.*)/g;
	return join ', ', map {
		/userstore\.user_/ ? () :
		/^(SELECT|INSERT|UPDATE|DELETE)\b.*?\b(t1\w*)/ ? lc($1) . " $2" : "?? $_"
	} @texts;
}

my $update = 'update t1, insert t1_history';
my %work = (
	q{userstore.user_put('t1', 'ann', '{"n": 1}')} => "select t1, $update",
	q{userstore.user_put('t1', 'ann', '{"n": 2}', 'k')} => "select t1_idempotency, select t1, $update, insert t1_idempotency",
	q{userstore.user_patch('t1', 'ann', '{"n": 3}', 'k2')} => "select t1_idempotency, select t1, $update, insert t1_idempotency",
	q{userstore.user_put('t1', 'ann', '{"n": 3}')} => 'select t1',
	q{userstore.user_put('t1', 'ann', '{"n": 3}', 'k3')} => 'select t1_idempotency, select t1, insert t1_idempotency',
	q{userstore.user_put('t1', 'ann', '{"n": 3}', expected_version => 1)} => 'select t1',
	q{userstore.user_create('t1', '{}', 'bob', 'k4')} =>
		'select t1_idempotency, select t1_history, insert t1, insert t1_history, insert t1_idempotency',
	q{userstore.user_put('t1', 'eve', '{}')} => 'select t1, select t1_history, insert t1, insert t1_history',
	q{userstore.user_delete('t1', 'bob', 'k5')} =>
		'select t1_idempotency, select t1, delete t1, insert t1_history, insert t1_idempotency',
	q{userstore.user_get('t1', 'ann')} => 'select t1',
	q{userstore.user_version('t1', 'ann')} => 'select t1',
);
# in an order in which they make sense
for my $call (sort { length $work{$a} <=> length $work{$b} || $a cmp $b } grep { /n": [12]|create|eve/ } keys %work)
{
	is(statements($call), $work{$call}, $call);
}
is(statements($_), $work{$_}, $_) for grep { /n": 3}', 'k2/ } keys %work;
is(statements($_), $work{$_}, $_) for sort grep { /n": 3}(?!', 'k2)|get|version\('t1', 'ann'\)|delete/ } keys %work;
is(statements($_), 'select t1_idempotency', "replay: $_") for sort grep { /'k\d?'\)/ } keys %work;

# A password takes one statement more, which reads the hash.
$node->safe_psql('userstore', q{
	CREATE EXTENSION pgcrypto;
	SELECT userstore.user_table_create('t1p', 'scim');
	SELECT userstore.user_create('t1p', '{"userName": "ann"}', 'ann')});
my $patch = q{userstore.user_patch('t1p', 'ann', '{"password": "secret"}'};
is(statements("$patch)"), 'select t1p, select t1p, update t1p, insert t1p_history', 'a new password');
is(statements("$patch)"), 'select t1p, select t1p', 'the same password');
is(statements("$patch, 'k')"), 'select t1p_idempotency, select t1p, select t1p, insert t1p_idempotency', 'the same password with a key');
is(statements("$patch, 'k')"), 'select t1p_idempotency', 'its replay');
is(statements(q{userstore.user_patch('t1p', 'ann', '{"title": "x"}')}), 'select t1p, update t1p, insert t1p_history', 'no password');
is(statements(q{userstore.user_create('t1p', '{"userName": "bob", "password": "secret"}', 'bob')}),
	'select t1p_history, insert t1p, insert t1p_history', 'created with a password');
is(statements(q{userstore.user_password_verify('t1p', 'ann', 'secret')}), 'select t1p', 'verifying');

# ---- Plans and memory ------------------------------------------------------

my $session = $node->background_psql('userstore');

sub plans
{
	return $session->query_safe(q{SELECT count(*) FROM pg_backend_memory_contexts
		WHERE name IN ('CachedPlanSource', 'CachedPlan', 'CachedPlanQuery', 'SPI Plan', 'userstore binding', 'userstore api')});
}

sub memory
{
	return $session->query_safe('SELECT sum(total_bytes) FROM pg_backend_memory_contexts');
}

# So many rounds of updates on three tables, each in its transaction.
sub work
{
	my ($rounds, %also) = @_;
	my $roles = $also{roles} ? q{EXECUTE CASE i % 2 WHEN 0 THEN 'SET ROLE one' ELSE 'SET ROLE two' END;} : '';
	my $alter = $also{alter} ? qq{IF i % $also{alter} = 0 THEN
		ALTER TABLE t2 ALTER document SET STATISTICS 10;
		ALTER TABLE t3_history SET (fillfactor = 90);
		END IF;} : '';
	$session->query_safe(qq{DO \$do\$
	BEGIN
		FOR i IN 1 .. $rounds LOOP
			$roles
			PERFORM userstore.user_put(t, 'user ' || i % 10, jsonb_build_object('n', i), 'key ' || i % 50 || '/' || i / 1000 || clock_timestamp())
			FROM unnest('{t1,t2,t3}'::regclass[]) t;
			PERFORM userstore.user_put(t, 'user ' || i % 10, jsonb_build_object('n', i), api => 'plain')
			FROM unnest('{t1,t2,t3}'::regclass[]) t;
			BEGIN
				PERFORM userstore.user_put('t1', 'user 1', '{"n": 1}', expected_version => -1);
			EXCEPTION WHEN SQLSTATE 'PT412' THEN
				NULL;
			END;
			RESET ROLE;
			$alter
			COMMIT;
		END LOOP;
	END \$do\$});
	return;
}

for my $kind ([ 'as one role' ], [ 'as two roles', roles => 1 ], [ 'with tables altered in between', alter => 20 ])
{
	my ($name, %also) = @$kind;
	work(100, %also);
	plans();
	memory();
	my ($plans, $memory) = (plans(), memory());
	cmp_ok($plans, '>', 20, "$name: plans are kept") unless $also{alter};
	work(1500, %also);
	is(plans(), $plans, "$name: as many plans after 9,000 updates as after 600");
	my $grown = memory() - $memory;
	cmp_ok($grown, '<', 100_000, "$name: memory is flat (grew by $grown bytes)");
}

# Row security makes plans that hold for one role; replays look as caller and
# as owner.
$node->safe_psql('userstore', q{
	ALTER TABLE t1 ENABLE ROW LEVEL SECURITY;
	CREATE POLICY all_rows ON t1 USING (true)});
my $replays = q{DO $do$
	BEGIN
		FOR i IN 1 .. %d LOOP
			EXECUTE CASE i %% 2 WHEN 0 THEN 'SET ROLE one' ELSE 'SET ROLE two' END;
			PERFORM userstore.user_put('t1', 'secured', '{}', 'secured');
			RESET ROLE;
			COMMIT;
		END LOOP;
	END $do$};
$session->query_safe(sprintf $replays, 100);
my ($plans, $memory) = (plans(), memory());
$session->query_safe(sprintf $replays, 3000);
is(plans(), $plans, 'row security: as many plans after 3,000 replays as after 100');
cmp_ok(memory() - $memory, '<', 100_000, 'row security: memory is flat');

# So do passwords, with a function of the table's own in two languages.
$session->query_safe(q{
	CREATE FUNCTION quick(password text, hash text) RETURNS text LANGUAGE sql AS
		$$ SELECT public.crypt(password, coalesce(hash, public.gen_salt('des'))) $$;
	CREATE FUNCTION slow(password text, hash text) RETURNS text LANGUAGE plpgsql AS
		$$ BEGIN RETURN public.quick(password, hash); END $$;
	SELECT userstore.user_table_create('hashed_' || f, 'scim', password_function => f),
		userstore.user_create('hashed_' || f, '{"userName": "ann"}', 'ann') FROM unnest('{quick,slow}'::text[]) f});
my $passwords = q{DO $do$
	BEGIN
		FOR i IN 1 .. %d LOOP
			PERFORM userstore.user_patch(t, 'ann', jsonb_build_object('password', i::text), 'key ' || clock_timestamp()),
				userstore.user_password_verify(t, 'ann', i::text)
			FROM unnest('{hashed_quick,hashed_slow}'::regclass[]) t;
			COMMIT;
		END LOOP;
	END $do$};
$session->query_safe(sprintf $passwords, 50);
($plans, $memory) = (plans(), memory());
$session->query_safe(sprintf $passwords, 1000);
is(plans(), $plans, 'passwords: as many plans after 2,000 as after 100');
cmp_ok(memory() - $memory, '<', 100_000, 'passwords: memory is flat');

# Tables that come and go leave nothing.
my $tables = q{DO $do$
	BEGIN
		FOR i IN 1 .. %d LOOP
			PERFORM userstore.user_table_create('coming');
			PERFORM userstore.user_put('coming', 'ann', '{}', 'k');
			DROP TABLE coming;
			COMMIT;
		END LOOP;
	END $do$};
$session->query_safe(sprintf $tables, 5);
# what this very session still holds is freed when a transaction ends
$session->query_safe('SELECT 1');
$plans = plans();
$session->query_safe(sprintf $tables, 50);
$session->query_safe('SELECT 1');
is(plans(), $plans, 'tables that were dropped leave no plans');
$session->quit;

done_testing();
