# Filters made at random, on a table of users made at random: an index must find
# what a scan finds.
#
#   IndexFilters::fill($node, 2000);         # the table people, with indexes
#   IndexFilters::compare($node, 200);       # so many filters, one test each
#
# Some users have values that their schema does not allow, as plain SQL may
# leave them.

package IndexFilters;

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my @indexed = qw(title emails.value active level salary hired code tags urn:test:index:1.0:Work:department);

sub fill
{
	my ($node, $users) = @_;

	$node->safe_psql('userstore', q{
		SELECT userstore.attribute_schema_define('{"id": "urn:test:index:User", "attributes": [
			{"name": "userName", "uniqueness": "server"}, {"name": "badge", "uniqueness": "server", "caseExact": true}, {"name": "number", "uniqueness": "server", "type": "integer"},
			{"name": "title"}, {"name": "code", "caseExact": true}, {"name": "active", "type": "boolean"}, {"name": "level", "type": "integer"}, {"name": "salary", "type": "decimal"},
			{"name": "hired", "type": "dateTime"}, {"name": "tags", "multiValued": true},
			{"name": "name", "type": "complex", "subAttributes": [{"name": "familyName"}]},
			{"name": "emails", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "type"}]}]}');
		SELECT userstore.attribute_schema_define('{"id": "urn:test:index:1.0:Work", "attributes": [{"name": "department"}]}');
		SELECT userstore.user_table_create('people', schemas => '{urn:test:index:User,urn:test:index:1.0:Work}')});
	$node->safe_psql('userstore', qq{
		SELECT setseed(0.5);
		INSERT INTO people (id, document)
		SELECT 'u' || i, CASE WHEN i % 20 = 0 THEN bad ELSE '{}' END || jsonb_build_object('userName', CASE WHEN i % 2 = 0 THEN 'User' ELSE 'user' END || i, 'badge', 'B' || i, 'number', i)
			|| CASE WHEN i % 20 = 0 THEN '{}' ELSE jsonb_build_object('title', (ARRAY['Dr', 'DR', 'Prof', '', 'Ärztin', 'ÄRZTIN', 'Dr med', repeat('é', 600)])[1 + r1 * 8],
			'code', (ARRAY['a', 'A', 'b', 'B', ''])[1 + r2 * 5], 'active', r3 < 0.5, 'level', floor(r4 * 20), 'salary', round(r5::numeric * 1000, 1),
			'hired', CASE WHEN i % 2 = 0 THEN to_char(timestamp '2026-01-01' + r6 * interval '30 days', 'YYYY-MM-DD"T"00:00:00"Z"') ELSE to_char(timestamp '2026-01-01' + r6 * interval '30 days', 'YYYY-MM-DD"T"02:00:00"+02:00"') END,
			'tags', jsonb_build_array('t' || floor(r1 * 50), 'T' || floor(r2 * 50)), 'name', jsonb_build_object('familyName', 'F' || floor(r3 * 100)),
			'emails', jsonb_build_array(jsonb_build_object('value', 'U' || i || '\@example.com', 'type', 'work'), jsonb_build_object('value', 'shared' || floor(r4 * $users / 10) || '\@example.com', 'type', 'home')),
			'urn:test:index:1.0:Work', jsonb_build_object('department', (ARRAY['Sales', 'sales', 'Tools', 'HR'])[1 + r5 * 4])) END
		FROM (SELECT i, random() r1, random() r2, random() r3, random() r4, random() r5, random() r6 FROM generate_series(1, $users) i) r,
			LATERAL (SELECT (ARRAY['{"title": ["Dr"], "emails": "u1\@example.com", "active": "true", "level": "5", "hired": ["2026-01-05T00:00:00Z"]}',
				'{"title": 5, "emails": {"value": "shared5\@example.com"}, "active": [true], "level": [5], "tags": "t5"}',
				'{"title": null, "emails": [["x", {"value": "shared7\@example.com"}]], "tags": [["t7"], null], "hired": "2026-02-30T00:00:00Z", "urn:test:index:1.0:Work": ["Sales"]}'])[1 + i / 20 % 3]::jsonb) b(bad)});
	foreach my $attribute (@indexed)
	{
		$node->safe_psql('userstore', "SELECT userstore.users_index('people', '$attribute')");
	}
	$node->safe_psql('userstore', 'ANALYZE people');
	return;
}

sub pick { return $_[ rand @_ ] }

# A string as a filter has it, in another case now and then.
sub string
{
	my ($string) = @_;
	$string = pick($string, $string, uc $string, lc $string);
	return JSON::PP->new->allow_nonref->encode($string);
}

sub date { return sprintf pick('"2026-01-%02dT00:00:00Z"', '"2026-01-%02dT03:00:00+03:00"'), 1 + int rand 30 }

# One comparison with an attribute that has an index, or has none.
sub comparison
{
	my ($users) = @_;
	my @order = qw(eq eq eq eq gt ge lt le ne);
	my @text = qw(eq eq eq eq eq sw sw gt ge lt le co ne);
	my $user = 1 + int rand $users;
	my @made = (
		sub { 'userName ' . pick(@text) . ' ' . string("user$user") },
		sub { 'badge ' . pick(@text) . ' ' . string("B$user") },
		sub { 'number ' . pick(@order) . " $user" },
		sub { 'title ' . pick(@text) . ' ' . string(pick('Dr', 'Prof', '', "\x{c4}rztin", "\x{e9}" x 600, "\x{e9}" x 500, '["Dr"]')) },
		sub { 'code ' . pick(@text) . ' ' . string(pick('a', 'b', '')) },
		sub { 'active ' . pick(qw(eq ne)) . ' ' . pick(qw(true false)) },
		sub { 'level ' . pick(@order) . ' ' . pick(5, 7, '5.0', int rand 20) },
		sub { 'salary ' . pick(@order) . ' ' . pick(500, int(rand 10000) / 10) },
		sub { 'hired ' . pick(@order, 'sw') . ' ' . date() },
		sub { 'tags ' . pick(@text) . ' ' . string('t' . int rand 50) },
		sub { 'name.familyName ' . pick(@text) . ' ' . string('f' . int rand 100) },
		sub { pick('emails', 'emails.value') . ' ' . pick(@text) . ' ' . string(pick("u$user\@example.com", 'shared' . int(rand $users / 10) . '@example.com')) },
		sub { 'emails[' . pick('', 'type eq "home" and ') . 'value ' . pick(@text) . ' ' . string('shared' . int(rand $users / 10) . '@example.com') . ']' },
		sub { 'urn:test:index:1.0:Work:department ' . pick(@text) . ' ' . string(pick('Sales', 'HR')) },
		sub { pick(qw(title emails active tags hired)) . ' pr' },
		sub { pick(qw(title userName level emails.value)) . ' ' . pick(qw(eq ne)) . ' null' });

	return pick(@made)->();
}

sub filter
{
	my ($users, $depth) = @_;
	my $kind = $depth > 0 ? rand : 1;

	return filter($users, $depth - 1) . ' and ' . filter($users, $depth - 1) if $kind < 0.4;
	return '(' . filter($users, $depth - 1) . ' or ' . filter($users, $depth - 1) . ')' if $kind < 0.5;
	return 'not (' . filter($users, $depth - 1) . ')' if $kind < 0.6;
	return '(' . filter($users, $depth - 1) . ')' if $kind < 0.65;
	return comparison($users);
}

# compare(NODE, COUNT): user_matches and users_list with indexes, and what each
# document says by itself
sub compare
{
	my ($node, $count) = @_;
	my $users = $node->safe_psql('userstore', 'SELECT count(*) FROM people');
	my $by_index = 0;

	srand 20260131;
	foreach my $number (1 .. $count)
	{
		my $filter = filter($users, 2);
		my $text = $filter =~ s/'/''/gr;
		utf8::encode(my $sql = qq{
			EXPLAIN (COSTS OFF) SELECT id FROM people WHERE userstore.user_matches('people', document, '$text');
			SELECT 'index', count(*), md5(string_agg(id, ' ' ORDER BY id)) FROM people WHERE userstore.user_matches('people', document, '$text');
			SELECT 'scan', count(*), md5(string_agg(id, ' ' ORDER BY id)) FROM people WHERE userstore.user_matches('people', document || '{}', '$text');
			SELECT 'page', md5(string_agg(id, ' ')) FROM (SELECT id FROM people WHERE userstore.user_matches('people', document || '{}', '$text') ORDER BY id LIMIT 1000) p;
			SELECT 'list', list ->> 'totalResults', md5(string_agg(u ->> 'id', ' ' ORDER BY n))
			FROM userstore.users_list('people', '$text', count => 1000) list LEFT JOIN LATERAL jsonb_array_elements(list -> 'items') WITH ORDINALITY i(u, n) ON true GROUP BY 2});
		my $out = $node->safe_psql('userstore', $sql);
		my ($index) = $out =~ /^index\|(.*)$/m;
		my ($scan) = $out =~ /^scan\|(.*)$/m;
		my ($total) = $scan =~ /^(\d+)/;
		my ($page) = $out =~ /^page\|(.*)$/m;
		my ($list) = $out =~ /^list\|(.*)$/m;

		utf8::encode($filter);
		$filter =~ s/(.{200}).+/$1.../;
		$by_index++ if $out =~ /Index Cond/;
		is("$index, $list", "$scan, $total|$page", "$number: $filter");
	}
	cmp_ok($by_index, '>', $count / 4, "of $count filters, $by_index were looked up");
	return;
}

1;
