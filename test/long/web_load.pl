# 200 connections at once through the pool of the web app of examples/express,
# for a minute: nothing fails, no change is lost or made twice, history has no
# holes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;
use WebApp;

WebApp->skip_without;

my ($seconds, $clients, $users) = ($ENV{WEB_LOAD_SECONDS} // 60, 200, 25);

my $node = UserstoreTest->new_node('web_load');
my $app = WebApp->new($node, POOL_SIZE => 20);

sub query { return $node->safe_psql('userstore', @_) }

# Client i has the entitlement "ci" of the user "u(i modulo users)".
query(qq{
	SELECT count(userstore.user_create('people', jsonb_build_object('userName', 'u' || u, 'entitlements',
		(SELECT jsonb_agg(jsonb_build_object('value', 'c' || c, 'display', '0') ORDER BY c) FROM generate_series(u, $clients - 1, $users) c)), id => 'u' || u))
	FROM generate_series(0, $users - 1) u});

my ($out, $err);
ok(IPC::Run::run([ 'node', "$FindBin::RealBin/web_load.js", $app->url . '/scim/v2', $WebApp::admin, $seconds, $clients, map { "u$_" } 0 .. $users - 1 ],
		'<', \undef, '>', \$out, '2>', \$err), 'all clients came to their end') or BAIL_OUT($err);
my $result = decode_json($out);
my %answers = %{ $result->{answers} };
my $reached = $result->{reached};
my $changes = 0;
$changes += $_ for values %$reached;

diag("web load, $seconds s: " . join ', ', map { "$answers{$_} x $_" } sort keys %answers);
is(join("\n", @{ $result->{wrong} }), '', 'every answer was the right one');
is_deeply([ grep { !/ (200|412)$/ } keys %answers ], [], 'no other status than 200, and 412 for who came second');
is($result->{sockets}, $clients, 'so many connections at once');
is(scalar(keys %$reached), $clients, 'every client has changed something');
cmp_ok($answers{'PUT 412'} // 0, '>', 0, 'they were in the way of each other');
cmp_ok($changes, '>', 2 * $clients, "$changes changes");

my %stored = split /[|\n]/, query(q{SELECT e ->> 'value', e ->> 'display' FROM people, jsonb_array_elements(document -> 'entitlements') e});
is_deeply(\%stored, $reached, 'the last number of each client is there');
is(query(q{SELECT count(*) FROM people WHERE version <> (SELECT count(*) FROM people_history WHERE user_id = id)
	OR version <> (SELECT max(h.version) FROM people_history h WHERE user_id = id) OR document <> (SELECT document FROM people_history h WHERE user_id = id AND h.version = people.version)}),
	'0', 'history has every version');
is(query(q{SELECT sum(version - 1) FROM people}), $changes, 'one for each change');
# each after-image differs from the one before in one client's number, by one
is(query(q{
	SELECT count(*) FROM (
		SELECT document, lag(document) OVER (PARTITION BY user_id ORDER BY version) AS before, version FROM people_history) h
	WHERE version > 1 AND (
		SELECT count(*) <> 1 OR bool_or((a ->> 'display')::int <> (b ->> 'display')::int + 1)
		FROM jsonb_array_elements(document -> 'entitlements') WITH ORDINALITY AS x(a, n)
		JOIN jsonb_array_elements(before -> 'entitlements') WITH ORDINALITY AS y(b, n) USING (n)
		WHERE a <> b)}), '0', 'and each change is one step of one client');
is($app->log, '', 'the app had nothing to complain of');
ok($app->stop, 'the app ends when it is asked to');

done_testing();
