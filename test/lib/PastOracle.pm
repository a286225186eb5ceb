# Random updates, and what users were in between: as the functions tell it, as a
# fold over history gives it, and as the table was seen to be.
#
#   use PastOracle;
#   PastOracle::run($node, updates => 1000);

package PastOracle;

use strict;
use warnings;

use Test::More;

# A table of so many random steps on twenty users, and how it looked after each.
my $setup = q{
	SELECT userstore.user_table_create('people');
	CREATE TABLE seen (step int, at timestamptz, id text, version bigint, document jsonb);
	-- users whom plain SQL inserted: history does not have when
	CREATE TABLE inserted (id text, at timestamptz, document jsonb);
	CREATE PROCEDURE step(step int) LANGUAGE plpgsql AS $$
	DECLARE
		who text := 'u' || floor(random() * 20);
		other text := 'u' || floor(random() * 20);
		body jsonb := jsonb_build_object('n', floor(random() * 3), 'list', jsonb_build_array(floor(random() * 2), step), CASE WHEN random() < 0.5 THEN 'a' ELSE 'b' END, '{"x": [1, "é"]}'::jsonb);
	BEGIN
		CASE floor(random() * 8)
			WHEN 0 THEN PERFORM userstore.user_delete('people', who) FROM people WHERE people.id = who;
			WHEN 1 THEN
				INSERT INTO people (id, document, created_at, modified_at) VALUES (who, body, clock_timestamp(), clock_timestamp()) ON CONFLICT DO NOTHING;
				IF FOUND THEN
					INSERT INTO inserted SELECT people.id, created_at, document FROM people WHERE people.id = who;
				END IF;
			WHEN 2 THEN UPDATE people SET document = body WHERE people.id = who;
			WHEN 3 THEN DELETE FROM people WHERE people.id = who;
			WHEN 4 THEN PERFORM userstore.users_bulk_put('people', jsonb_build_array(body || jsonb_build_object('id', who), body || jsonb_build_object('id', other),
				'{"again": true}' || jsonb_build_object('id', who)));
			WHEN 5 THEN PERFORM userstore.user_patch('people', who, '{"n": 1, "list": null}') FROM people WHERE people.id = who;
			ELSE PERFORM userstore.user_put('people', who, body);
		END CASE;
		COMMIT;
		INSERT INTO seen SELECT step, clock_timestamp(), p.id, p.version, p.document FROM people p;
		COMMIT;
	END $$};

# One line for each user at a time.
my $state = q{(SELECT string_agg(concat_ws(' ', u.id, u.version, u.document), E'\n' ORDER BY u.id COLLATE "C") FROM userstore.users_as_of('people', %s) u)};

sub run
{
	my ($node, %opt) = @_;
	my $query = sub { return $node->safe_psql('userstore', $_[0]) };

	$query->("$setup; SELECT setseed(0.5)");
	$query->("DO \$\$ BEGIN FOR i IN 1 .. $opt{updates} LOOP CALL step(i); END LOOP; END \$\$");
	cmp_ok($query->('SELECT count(*) FROM people_history'), '>', $opt{updates} * 0.7, 'updates made versions');
	cmp_ok($query->("SELECT count(*) FROM people_history WHERE $_"), '>', 0, "some: $_")
	  for "operation = 'sql' AND document IS NULL", "operation = 'sql' AND document IS NOT NULL", "operation = 'delete'", 'before IS NOT NULL', 'version > 10';

	# What was seen after each step.
	is($query->(sprintf q{SELECT count(*) FROM (SELECT step, max(at) AS at, string_agg(concat_ws(' ', id, version, document), E'\n' ORDER BY id COLLATE "C") AS users
		FROM seen GROUP BY step) s WHERE s.users IS DISTINCT FROM %s}, sprintf $state, 's.at'), '0', 'after each step: as it was seen');

	# The fold: events in the order of time, each with the user that it leaves.
	my @events = map { [ split /\t/ ] } split /\n/, $query->(q{
		SELECT concat_ws(E'\t', t, kind, user_id, version, document) FROM (
			SELECT extract(epoch FROM changed_at) * 1000000 AS t, 1 AS kind, user_id, version, document FROM people_history
			UNION ALL SELECT extract(epoch FROM at) * 1000000, 0, id, 1, document FROM inserted) e (t, kind, user_id, version, document)
		ORDER BY t, kind, user_id, version});
	my %users;
	my %expected;
	for my $event (@events)
	{
		my ($t, undef, $id, $version, $document) = @$event;

		if (defined $document)
		{
			$users{$id} = "$id $version $document";
		}
		else
		{
			delete $users{$id};
		}
		$expected{ int($t) } = join "\n", map { $users{$_} } sort keys %users;
	}
	my @times = sort { $a <=> $b } keys %expected;
	cmp_ok(scalar(@times), '>', $opt{updates} * 0.7, 'there are many boundaries');
	my $boundaries = join ',', map { "($_)" } @times;
	my $wrong = 0;
	my $last = '';
	my $answers = $query->(sprintf q{SELECT t || '|' || coalesce(replace(%s, E'\n', '~'), '') || '|' || coalesce(replace(%s, E'\n', '~'), '')
		FROM (VALUES %s) v (t), LATERAL (SELECT timestamptz 'epoch' + t * interval '1 us') a (at) ORDER BY t},
		sprintf($state, 'a.at'), sprintf($state, "a.at - interval '1 us'"), $boundaries);

	for my $line (split /\n/, $answers)
	{
		my ($t, $then, $before) = map { s/~/\n/gr } split /\|/, $line, -1;

		if ($then ne $expected{$t} || $before ne $last)
		{
			diag("at $t: $then\nfolded: $expected{$t}\njust before: $before\nfolded: $last") if $wrong++ < 3;
		}
		$last = $expected{$t};
	}
	is($wrong, 0, 'at each boundary, and just before: as the fold has it');

	# One user is what all are.
	is($query->(q{SELECT count(*) FROM (SELECT DISTINCT changed_at AS at FROM people_history ORDER BY 1 LIMIT 200) b, generate_series(0, 19) n
			LEFT JOIN LATERAL (SELECT 'u' || n) i (id) ON true
			LEFT JOIN LATERAL (SELECT u.version, u.document FROM userstore.users_as_of('people', b.at) u WHERE u.id = i.id) s ON true
		WHERE EXISTS (SELECT FROM people_history h WHERE h.user_id = i.id)
			AND (SELECT (a - 'meta' - 'id', a #>> '{meta,version}') FROM userstore.user_as_of('people', i.id, b.at) a)
				IS DISTINCT FROM (CASE WHEN s.version IS NOT NULL THEN s.document END, s.version::text)}), '0', 'each user: as all are');

	# What changed of each is what changed of all, of any span.
	my $differ = q{
		WITH each AS (SELECT i.id, h.* FROM (SELECT DISTINCT user_id AS id FROM people_history) i, userstore.user_history('people', i.id) h)
		SELECT count(*) FROM (SELECT (SELECT changed_at FROM people_history ORDER BY changed_at OFFSET n * (SELECT count(*) FROM people_history) / 7 LIMIT 1) AS since,
				(SELECT changed_at FROM people_history ORDER BY changed_at OFFSET m * (SELECT count(*) FROM people_history) / 7 LIMIT 1) AS until
			FROM generate_series(0, 6, 2) n, generate_series(1, 9, 2) m) s, LATERAL (
			(SELECT * FROM each e WHERE coalesce(e.changed_at >= s.since, true) AND coalesce(e.changed_at < s.until, true) EXCEPT ALL SELECT * FROM userstore.users_history('people', s.since, s.until))
			UNION ALL
			(SELECT * FROM userstore.users_history('people', s.since, s.until) EXCEPT ALL SELECT * FROM each e WHERE coalesce(e.changed_at >= s.since, true) AND coalesce(e.changed_at < s.until, true))) d};
	cmp_ok($query->(q{SELECT count(*) FROM userstore.users_history('people')}), '>', $opt{updates} * 0.7, 'there are many changes');
	is($query->($differ), '0', 'what changed of each user: what changed of all');

	# Purging leaves what users were since.
	my $middle = $query->('SELECT changed_at FROM people_history ORDER BY changed_at OFFSET (SELECT count(*) / 2 FROM people_history) LIMIT 1');
	my $later = sprintf q{SELECT md5(string_agg(%s, '/' ORDER BY a.at)) FROM (SELECT DISTINCT changed_at FROM people_history WHERE changed_at >= '%s') a (at)},
	  sprintf($state, 'a.at'), $middle;
	my $known = $query->($later);
	my $purged = 0;
	while (my $n = $query->("SELECT userstore.user_history_purge('people', '$middle', 50)"))
	{
		cmp_ok($n, '<=', 50, 'a bounded batch');
		$purged += $n;
	}
	cmp_ok($purged, '>', $opt{updates} / 4, 'history is purged');
	is($query->($later), $known, 'and what users were since is known as before');
	is($query->($differ), '0', 'what changed of each is still what changed of all');
	is($query->("SELECT count(*) FROM people_history h WHERE changed_at < '$middle' AND EXISTS (SELECT FROM people_history n
		WHERE n.user_id = h.user_id AND n.version > h.version AND n.changed_at <= '$middle')"), '0', 'while what was superseded is gone');
	return;
}

1;
