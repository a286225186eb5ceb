# One transaction with 20,000 keys: their locks would not fit into the memory
# that all sessions share.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $node = UserstoreTest->new_node('many_keys');
is($node->safe_psql('userstore', 'SHOW max_locks_per_transaction'), '64', 'the default of PostgreSQL');
$node->safe_psql('userstore', q{SELECT userstore.user_table_create('people')});
my $update = q{
	SELECT count(userstore.user_put('people', 'u' || i % 1000, jsonb_build_object('n', i), 'key ' || i)),
		(SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')
	FROM generate_series(1, 20000) i};
my $counts = q{SELECT (SELECT count(*) FROM people), (SELECT count(*) FROM people_history),
	(SELECT count(*) FROM people_idempotency WHERE response IS NOT NULL AND user_id = 'u' || substr(key, 5)::int % 1000)};

is($node->safe_psql('userstore', "BEGIN; $update; ROLLBACK"), '20000|256', 'rolled back');
is($node->safe_psql('userstore', $counts), '0|0|0', 'nothing is left');
is($node->safe_psql('userstore', $update), '20000|256', 'committed');
is($node->safe_psql('userstore', $counts), '1000|20000|20000', 'all is there');
is($node->safe_psql('userstore', $update), '20000|256', 'replayed');
is($node->safe_psql('userstore', $counts), '1000|20000|20000', 'nothing was done again');
is($node->safe_psql('userstore', q{SELECT count(*) FROM people WHERE version <> 20}), '0', 'versions are right');

# A call that comes back under its own key cannot be answered.
$node->safe_psql('userstore', q{
	CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM userstore.user_put('people', 'again', '{}', 'again');
		RETURN NEW;
	END $$;
	CREATE TRIGGER again BEFORE INSERT ON people FOR EACH ROW WHEN (NEW.id = 'again') EXECUTE FUNCTION again();
});
my ($rc, $out, $err) = $node->psql('userstore', qq{$update;
	SELECT userstore.user_put('people', 'again', '{}', 'again')}, extra_params => ['-1'],
	on_error_stop => 1);
like($err, qr/a request with the same idempotency key is in progress/, 'a trigger that repeats its own request is refused');
is($node->safe_psql('userstore', 'SELECT 1'), '1', 'and the server lives');

done_testing();
