# A million realistic users (USERSTORE_LOAD_USERS) by userstore-load, on two
# connections: its rate beside that of psql's \copy and a hand-written upsert
# with history, its memory, and that each is applied once though it is killed
# ten times.  Needs some 15 GB of disk.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use KilledLoad;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use UserstoreTest;

my $users = $ENV{USERSTORE_LOAD_USERS} // 1_000_000;
my $rounds = 2;

# As in production, not as in tests: what is committed is on disk.
my $node = UserstoreTest->new_node('load_long', conf => q{
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = replica
max_wal_size = 4GB
checkpoint_timeout = 15min
shared_buffers = 1GB
log_statement = none
});
my $load = KilledLoad->new($node, users => $users, kills => 10, patched => int($users / 10) || 1);

sub query { return $node->safe_psql('userstore', @_) }

sub seconds
{
	my ($work) = @_;

	query('CHECKPOINT');
	my $begin = time;
	$work->();
	return time - $begin;
}

# ---- The loader ------------------------------------------------------------

sub load
{
	query(q{SELECT userstore.user_table_create('loaded', 'scim')});
	my $seconds = seconds(sub {
		$load->start('--creates', 'loaded', $load->{input});
		is($load->end, 0, 'userstore-load') or diag($load->{err});
	});
	is(query('SELECT (SELECT count(*) FROM loaded), (SELECT count(*) FROM loaded_history)'), "$users|$users", 'loads all users');
	query('DROP TABLE loaded');
	return $seconds;
}

# ---- What one would write by hand ------------------------------------------

# The same tables with the same indexes, constraints and fillfactor, without
# triggers; one transaction; the users are parsed while they are copied.
query(q{
	SELECT userstore.user_table_create('model', 'scim');
	CREATE TABLE by_hand (LIKE model INCLUDING ALL) WITH (fillfactor = 80);
	CREATE TABLE by_hand_history (LIKE model_history INCLUDING ALL);
	DROP TABLE model});
my $script = PostgreSQL::Test::Utils::tempdir() . '/by_hand.sql';
append_to_file($script, qq{
BEGIN;
CREATE TEMPORARY TABLE staging (body jsonb) ON COMMIT DROP;
\\copy staging FROM '$load->{input}' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
WITH written AS (
	INSERT INTO by_hand AS b (id, document, version, created_at, modified_at)
	SELECT body ->> 'id', body - '{id,schemas}'::text[], 1, now(), now() FROM staging
	ON CONFLICT (id) DO UPDATE SET document = excluded.document, version = b.version + 1, modified_at = excluded.modified_at
		WHERE b.document <> excluded.document
	RETURNING id, document, version, modified_at)
INSERT INTO by_hand_history (user_id, version, operation, document, changed, changed_at, changed_by, era, transaction_id, feed_position)
SELECT id, version, 'put', document, ARRAY(SELECT jsonb_object_keys(document)), modified_at, current_user, 1, pg_current_xact_id(), pg_current_xact_id()
FROM written;
COMMIT;
});

sub copy
{
	query('TRUNCATE by_hand, by_hand_history');
	my $seconds = seconds(sub {
		ok(IPC::Run::run([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('userstore'), '-f', $script ]), '\copy and upsert');
	});
	is(query('SELECT (SELECT count(*) FROM by_hand), (SELECT count(*) FROM by_hand_history)'), "$users|$users", 'write all users');
	return $seconds;
}

# ---- Side by side ----------------------------------------------------------

sub median
{
	my @sorted = sort { $a <=> $b } @_;
	return ($sorted[ $#sorted / 2 ] + $sorted[ @sorted / 2 ]) / 2;
}

sub rate { return sprintf '%.0f/s', $users / $_[0] }

my (@load, @copy);
foreach (1 .. $rounds)
{
	push @load, load();
	push @copy, copy();
}
my $ratio = median(@copy) / median(@load);
diag(sprintf '%d users of %.2f kB: userstore-load %s, \copy and upsert %s, ratio %.2f',
	$users, (-s $load->{input}) / $users / 1000, join(' ', map { rate($_) } @load), join(' ', map { rate($_) } @copy), $ratio);
cmp_ok($ratio, '>=', 1, 'userstore-load is at least as fast as \copy and a hand-written upsert');
query('DROP TABLE by_hand, by_hand_history');

# ---- Killed ----------------------------------------------------------------

$load->users;
$load->patches;

SKIP:
{
	skip 'no /proc here', 1 if !defined $load->peak;
	diag(sprintf 'userstore-load had %.1f MB at most', $load->peak / 2**20);
	cmp_ok($load->peak, '<', 64 * 2**20, 'that is less than 64 MB');
}

done_testing();
