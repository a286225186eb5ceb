# One session polls the change feed while others write, for some seconds.
#
#   use FeedOracle;
#   FeedOracle::poll($node, seconds => 3);
#
# Writers hold their transactions open for uneven times, get their transaction
# ids early or late, roll back whole or to savepoints, and change the same users
# in turn.  What the poller was given is then compared with history.

package FeedOracle;

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

# What the poller has: each change once, and from which cursor on it goes on.
my $setup = q{
	CREATE TABLE delivered (place bigserial PRIMARY KEY, id text, version bigint, operation text, document jsonb, cursor text, poll int, at timestamptz DEFAULT clock_timestamp());
	CREATE TABLE poll (number int, delivered int, cursor text);
	CREATE SEQUENCE early;
	-- Takes max changes of each page, or fewer: a consumer may stop anywhere.
	CREATE PROCEDURE poll(number int, max int) LANGUAGE plpgsql AS $$
	DECLARE
		since text := (SELECT cursor FROM delivered ORDER BY place DESC LIMIT 1);
		taken int := 1 + floor(random() * max);
		n int;
	BEGIN
		INSERT INTO delivered (id, version, operation, document, cursor, poll)
		SELECT c.id, c.version, c.operation, c.document, c.cursor, number FROM userstore.users_changes('people', since, max) c LIMIT taken;
		GET DIAGNOSTICS n = ROW_COUNT;
		INSERT INTO poll VALUES (number, n, since);
	END $$;
	CREATE TABLE scratch (n int);
	-- One transaction of a writer: so many changes, with pauses.
	CREATE PROCEDURE write(number int) LANGUAGE plpgsql AS $$
	DECLARE
		kind int := floor(random() * 10);
		id text;
	BEGIN
		-- a transaction id long before the change, or only with it
		IF kind < 4 THEN
			INSERT INTO scratch VALUES (number);
			PERFORM pg_sleep(random() * 0.02);
		END IF;
		FOR i IN 1 .. 1 + floor(random() * 4) LOOP
			id := 'u' || floor(random() * 20);
			BEGIN
				CASE
					WHEN random() < 0.1 THEN PERFORM userstore.user_delete('people', id);
					WHEN random() < 0.2 THEN PERFORM userstore.users_bulk_put('people', jsonb_build_array(
						jsonb_build_object('id', 'b' || number, 'n', random()), jsonb_build_object('id', id, 'n', random()), jsonb_build_object('id', 'b' || number, 'n', random())));
					ELSE PERFORM userstore.user_put('people', id, jsonb_build_object('n', random()));
				END CASE;
				IF random() < 0.2 THEN
					RAISE division_by_zero;  -- back to the savepoint
				END IF;
			EXCEPTION WHEN division_by_zero OR deadlock_detected OR SQLSTATE 'PT404' THEN
				NULL;
			END;
			IF kind % 3 = 0 THEN
				PERFORM pg_sleep(random() * 0.01);
			END IF;
		END LOOP;
		IF kind = 9 THEN
			PERFORM pg_sleep(random() * 0.3);
		END IF;
		IF kind % 5 = 4 THEN
			ROLLBACK;
		ELSE
			COMMIT;
		END IF;
	END $$};

# The differences between what was delivered and what history has.
my %wrong = (
	'changes that were never delivered' => q{SELECT count(*) FROM people_history h
		WHERE NOT EXISTS (SELECT FROM delivered d WHERE (d.id, d.version) = (h.user_id, h.version))},
	'changes that were delivered twice' => q{SELECT count(*) - count(DISTINCT (id, version)) FROM delivered},
	'changes that never happened' => q{SELECT count(*) FROM delivered d LEFT JOIN people_history h ON (d.id, d.version) = (h.user_id, h.version)
		WHERE (h.operation, h.document) IS DISTINCT FROM (d.operation, d.document)},
	'changes of a user out of order' => q{SELECT count(*) FROM (SELECT version <= lag(version) OVER (PARTITION BY id ORDER BY place) AS wrong FROM delivered) d WHERE wrong});

sub compare
{
	my ($node, $what) = @_;

	is($node->safe_psql('userstore', $wrong{$_}), '0', "$what: no $_") for sort keys %wrong;
	return;
}

# Poll until there is nothing more.
sub poll_to_the_end
{
	my ($node) = @_;

	$node->safe_psql('userstore', q{
		DO $$
		BEGIN
			FOR i IN 1 .. 100000 LOOP
				CALL poll(-i, 100);
				COMMIT;
				EXIT WHEN (SELECT delivered FROM poll WHERE number = -i) = 0 AND
					NOT EXISTS (SELECT FROM people_history WHERE feed_position >= pg_snapshot_xmin(pg_current_snapshot()) AND era = (SELECT max(era) FROM userstore.era));
				DELETE FROM poll WHERE number < 0;
			END LOOP;
			DELETE FROM poll WHERE number < 0;
		END $$});
	return;
}

sub prepare
{
	my ($node) = @_;

	$node->safe_psql('userstore', "SELECT userstore.user_table_create('people'); $setup");
	return;
}

# Eight write while one polls.
sub poll
{
	my ($node, %opt) = @_;
	my @sessions;
	my %out;

	my $start = sub {
		my ($name, $sql) = @_;

		$out{$name} = { out => '', err => '' };
		push @sessions, $out{$name}->{session} = IPC::Run::start(
			[ 'psql', '-X', '-q', '-v' => 'ON_ERROR_STOP=1', '-d' => $node->connstr('userstore'), '-c' => $sql ],
			'>' => \$out{$name}->{out}, '2>' => \$out{$name}->{err});
	};
	$start->("writer $_", qq{DO \$\$
		DECLARE
			until timestamptz := clock_timestamp() + interval '$opt{seconds} s';
			n int := $_ * 1000000;
		BEGIN
			WHILE clock_timestamp() < until LOOP
				n := n + 1;
				CALL write(n);
			END LOOP;
		END \$\$}) for 1 .. 8;
	$start->('poller', qq{DO \$\$
		DECLARE
			until timestamptz := clock_timestamp() + interval '$opt{seconds} s';
			n int := 0;
		BEGIN
			WHILE clock_timestamp() < until LOOP
				n := n + 1;
				CALL poll(n, 40);
				COMMIT;
			END LOOP;
		END \$\$});
	$_->finish for @sessions;
	is($out{$_}->{err}, '', "$_ ran to its end") for sort keys %out;
	return;
}

1;
