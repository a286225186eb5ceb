# 100,000 items of 0.8 kB in one request stay within 1 GB of a backend's memory.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

# What the system counts includes these, as far as they are touched.
my $node = UserstoreTest->new_node('bulk_memory', conf => "shared_buffers = 16MB\n");
$node->safe_psql('userstore', q{
	SELECT userstore.attribute_schema_define('{"id": "urn:test:bulk:User", "attributes": [
		{"name": "login", "uniqueness": "server"}, {"name": "badge", "uniqueness": "server"},
		{"name": "active", "type": "boolean"}, {"name": "biography"}, {"name": "emails", "type": "complex", "multiValued": true,
			"subAttributes": [{"name": "value"}, {"name": "type"}]}]}');
	SELECT userstore.user_table_create('people', schemas => '{urn:test:bulk:User}');
	SELECT userstore.user_table_create('others', schemas => '{urn:test:bulk:User}');
	CREATE TABLE request (kind text, body jsonb)});
foreach my $kind (qw(first second))
{
	$node->safe_psql('userstore', qq{
		INSERT INTO request SELECT '$kind', jsonb_agg(jsonb_build_object('id', 'user ' || i, 'login', 'login of ' || i,
			'badge', md5(i || '$kind'), 'active', i % 2 = 0, 'biography', repeat(md5(i || '$kind '), 19),
			'emails', jsonb_build_array(jsonb_build_object('value', i || '\@example.com', 'type', 'work'))) ORDER BY md5(i::text))
		FROM generate_series(1, 100000) i});
}
my $size = $node->safe_psql('userstore',
	q{SELECT length(body::text) / jsonb_array_length(body) FROM request WHERE kind = 'first'});
cmp_ok($size, '>', 780, "an item has $size bytes");
cmp_ok($size, '<', 900, 'not more');

# The most that a backend had in memory, as the system tells, or undef.
sub peak
{
	my ($pid) = @_;

	open my $status, '<', "/proc/$pid/status" or return;
	local $/;
	return <$status> =~ /^VmHWM:\s*(\d+) kB/m ? $1 * 1024 : undef;
}

my $limit = 2**30;

sub try_request
{
	my ($what, $call, $outcome) = @_;
	my $session = $node->background_psql('userstore');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	is($session->query_safe(qq{SELECT coalesce(i ->> 'status', i #>> '{meta,version}'), count(*)
		FROM $call answer, jsonb_array_elements(CASE jsonb_typeof(answer) WHEN 'array' THEN answer ELSE answer -> 'Resources' END) i
		GROUP BY 1 ORDER BY 1}), $outcome, $what);
	my $peak = peak($pid);
	my $kept = $session->query_safe('SELECT sum(total_bytes) FROM pg_backend_memory_contexts');

  SKIP:
	{
		skip 'no /proc here', 1 if !defined $peak;
		cmp_ok($peak, '<', $limit, sprintf '%s: at most %.0f MB at a time', $what, $peak / 2**20);
	}
	cmp_ok($kept, '<', 32 * 2**20, sprintf '%s: %.0f MB are kept', $what, $kept / 2**20);
	$session->quit;
	return;
}

my $first = q{(SELECT body FROM request WHERE kind = 'first')};
my $second = q{(SELECT body FROM request WHERE kind = 'second')};
try_request('creates', "userstore.users_bulk_put('people', $first)", '201|100000');
try_request('replacements', "userstore.users_bulk_put('people', $second)", '200|100000');
try_request('replacements under a key', "userstore.users_bulk_put('people', $first, 'key')", '200|100000');
try_request('a replay', "userstore.users_bulk_put('people', $first, 'key')", '200|100000');
try_request('no changes', "userstore.users_bulk_put('people', $first)", '200|100000');
try_request('merges', "userstore.users_bulk_patch('people', $second)", '200|100000');

# one that fails makes the whole be done in chunks
$node->safe_psql('userstore', q{ALTER TABLE people ADD CHECK (document ->> 'biography' <> 'none')});
try_request('replacements of which one fails',
	qq{userstore.users_bulk_put('people', $first || '[{"id": "user 1", "biography": "none"}]')}, "200|100000\n400|1");

# an answer that has the users
try_request('SCIM resources', "userstore.users_bulk_put('others', $first, creates => true, api => 'scim')", 'W/"1"|100000');
try_request('SCIM resources again', "userstore.users_bulk_put('others', $second, api => 'scim')", 'W/"2"|100000');

is($node->safe_psql('userstore', q{SELECT count(*), sum(version), min(octet_length(document::text)) > 700 FROM people}),
	'100000|500000|t', 'all was done');

done_testing();
