# userstore-load: what it applies and rejects, in each API's shape, and that it
# can be started again whatever has stopped it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use POSIX qw(:sys_wait_h);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use UserstoreTest;

my $node = UserstoreTest->new_node('load', conf => "deadlock_timeout = 100ms\nmax_connections = 20\n");
my $dir = PostgreSQL::Test::Utils::tempdir();

$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'userstore';
delete $ENV{PGAPPNAME};

sub query { return $node->safe_psql('userstore', @_) }

my $files = 0;

# A new file with this text.
sub file
{
	my ($text, $name) = @_;
	my $path = "$dir/" . ($name // 'input' . ++$files);

	unlink $path;
	append_to_file($path, $text);
	return $path;
}

# What came of a load: exit status and standard error.
sub load
{
	my @arguments = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'userstore-load', @arguments ], '<', \undef, '>', \$out, '2>', \$err);
	return ($? >> 8, $err, $out);
}

# It ends with this status and these totals.
sub loads
{
	my ($arguments, $status, $totals, $what) = @_;
	my ($got, $err) = load(@$arguments);

	is($got, $status, "$what: ends with $status") or diag($err);
	like($err, qr/^\Q$totals\E/m, "$what: $totals");
	return $err;
}

sub lines { return join '', map { "$_\n" } @_ }

# ---- Put, patch, match, creates --------------------------------------------

query(q{
	SELECT userstore.attribute_schema_define('{"id": "urn:test:load:User", "attributes": [
		{"name": "login", "uniqueness": "server"}, {"name": "n", "type": "integer"}, {"name": "text"},
		{"name": "tags", "multiValued": true}]}');
	SELECT userstore.user_table_create('people', schemas => '{urn:test:load:User}')});

my $input = file(lines('{"id": "a", "login": "ann", "n": 1}', '{"id": "b", "login": "bob", "n": 1, "text": "x"}'));
loads([ 'people', $input ], 0, '2 read, 2 applied (2 created, 0 changed, 0 as they were), 0 rejected', 'put creates');
is(query(q{SELECT string_agg(id || document, ' ' ORDER BY id) FROM people}), 'a{"n": 1, "login": "ann"} b{"n": 1, "text": "x", "login": "bob"}', 'the users');
my $history = q{SELECT count(*), count(DISTINCT user_id) FROM people_history};
is(query($history), '2|2', 'each with a version');
loads([ 'people', $input ], 0, '2 read, 2 applied (2 created, 0 changed, 0 as they were; 2 of them before), 0 rejected', 'the same again');
loads([ '--load-id=other', 'people', $input ], 0, '2 read, 2 applied (0 created, 0 changed, 2 as they were), 0 rejected', 'the same under another name');
is(query($history), '2|2', 'makes no version');

loads([ '--patch', '--request-id=r1', 'people', file(lines('{"id": "b", "n": 2}', '{"id": "c", "n": 3}')) ], 1,
	'2 read, 1 applied (0 created, 1 changed, 0 as they were), 1 rejected', 'patch');
is(query(q{SELECT document FROM people WHERE id = 'b'}), '{"n": 2, "text": "x", "login": "bob"}', 'leaves the others');
is(query(q{SELECT request_id FROM people_history WHERE user_id = 'b' AND version = 2}), 'r1', 'history has the request');
loads([ '--patch', '--creates', 'people', file(lines('{"id": "c", "n": 3}')) ], 0, '1 read, 1 applied (1 created', 'patch that creates');
loads([ '--no-creates', 'people', file(lines('{"id": "d", "n": 3}')) ], 1, '1 read, 0 applied (0 created, 0 changed, 0 as they were), 1 rejected', 'put that does not');
loads([ '--match=login', '--patch', 'people', file(lines('{"login": "BOB", "n": 7}', '{"login": "nobody", "n": 7}')) ], 1,
	'2 read, 1 applied (0 created, 1 changed', 'found by another attribute');
is(query(q{SELECT document ->> 'n' FROM people WHERE id = 'b'}), '7', 'is changed');
loads([ '--patch', 'people', file(lines('{"id": "a", "tags": ["x"]}', '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "id": "a", "Operations": [{"op": "add", "path": "tags", "value": ["y"]}]}')) ], 0,
	'2 read, 2 applied (0 created, 2 changed', 'a PatchOp message');
is(query(q{SELECT document ->> 'tags' FROM people WHERE id = 'a'}), '["x", "y"]', 'adds');

# ---- Dry run ---------------------------------------------------------------

my $state = q{SELECT md5(string_agg(p::text, ' ' ORDER BY id)), (SELECT count(*) FROM people_history), (SELECT count(*) FROM people_idempotency) FROM people p};
my $before = query($state);
$input = file(lines('{"id": "a", "n": 5}', '{"id": "e", "n": "x"}', '{"id": "f", "login": "ann"}', '{"id": "g"}'));
my $told = loads([ '--dry-run', 'people', $input ], 1, '4 read, 3 would be applied (2 created, 1 changed, 0 as they were), 1 rejected', 'dry run');
like($told, qr/^userstore-load: warning: line 2: attribute "n" must be a whole number/m, 'tells what would be rejected');
is(query($state), $before, 'and leaves all as it was');

# ---- Rejected records ------------------------------------------------------

my $rejects = "$dir/rejects";
$input = file(lines('{"id": "r1", "n": 1}', '', '# a comment', 'nonsense', '{"id": "r2", "n": "x"}', '  {"id": "r3",  "login": "bob"} ',
	'{"id": "r4", "text": "a\u0000b"}', '{"id": "r5", "text": "\ud800"}', '{"id": "r6", "text": "\ud83d\ude00"}', '[1]',
	'{"id": "r7", "n": 2}', '{"id": "r8", "text": "' . "\xff" . '"}', '{"id": "r9", "n": 9}'));
$told = loads([ '--rejects', $rejects, 'people', $input ], 1, '11 read, 4 applied (4 created, 0 changed, 0 as they were), 7 rejected', 'bad records between good ones');
is($told =~ tr/\n//, 1, 'nothing else is told');
my @rejected = split /\n/, slurp_file($rejects);
is(scalar(@rejected), 14, 'each has two lines');
is(join("\n", @rejected[ map { 2 * $_ + 1 } 0 .. 6 ]), join("\n", 'nonsense', '{"id": "r2", "n": "x"}', '  {"id": "r3",  "login": "bob"} ',
	'{"id": "r4", "text": "a\u0000b"}', '{"id": "r5", "text": "\ud800"}', '[1]', '{"id": "r8", "text": "' . "\xff" . '"}'), 'the records as they stand');
like($rejected[0], qr/^# line 4: /, 'no JSON');
like($rejected[2], qr/^# line 5: attribute "n" must be a whole number/, 'the wrong type');
like($rejected[4], qr/^# line 6: a user with this "login" exists already$/, 'a value that is taken');
like($rejected[6], qr/^# line 7: unsupported Unicode escape sequence: /, 'a zero character');
like($rejected[8], qr/^# line 8: .*surrogate/, 'half of a surrogate pair');
like($rejected[10], qr/^# line 10: /, 'no object');
like($rejected[12], qr/^# line 12: .*UTF-8/i, 'bytes that are no UTF-8');
is(query(q{SELECT string_agg(id, ' ' ORDER BY id) FROM people WHERE id LIKE 'r%'}), 'r1 r6 r7 r9', 'the others are there');

# mended and loaded again
my $mended = slurp_file($rejects) =~ s/^#.*/# line 0/mgr =~ s/nonsense/{"id": "r0"}/r =~ s/"n": "x"/"n": 2/r =~ s/\\u0000//r =~ s/\\ud800//r =~ s/\[1\]/{"id": "r10"}/r
  =~ s/\xff//r;
loads([ '--rejects', "$rejects.2", 'people', file($mended) ], 1, '7 read, 6 applied (6 created, 0 changed, 0 as they were), 1 rejected', 'mended');
like(slurp_file("$rejects.2"), qr/^# line 6: a user with this "login" exists already\n  \{"id": "r3",  "login": "bob"\} \n$/, 'what is left');
loads([ '--rejects', "$rejects.2", 'people', file('{"id": "r1", "n": 1}') ], 0, '1 read, 1 applied', 'nothing to reject');
is(slurp_file("$rejects.2"), '', 'leaves the file empty');

# in the order of the input, whoever is done first
my @many = map { $_ % 37 ? qq({"id": "o$_", "n": $_}) : $_ % 2 ? qq({"id": "o$_", "n": "$_"}) : "no $_" } 1 .. 5000;
loads([ '--batch=20', '-j', '4', '--rejects', $rejects, 'people', file(lines(@many)) ], 1, '5000 read, 4865 applied (4865 created, 0 changed, 0 as they were), 135 rejected', 'many rejected');
is(join(' ', slurp_file($rejects) =~ /^# line (\d+):/mg), join(' ', map { $_ * 37 } 1 .. 135), 'come in the order of the input');
$told = loads([ 'people', file(lines(@many)) ], 1, '5000 read, 4865 applied', 'without a file for them');
is(scalar(() = $told =~ /warning: line \d+: /g), 10, 'ten are told');
like($told, qr/warning: further rejected records are counted only/, 'and the others counted');

# of a whole batch
my $bad = file(lines((map { qq({"id": "w$_", "n": $_}) } 1 .. 9), '{"id": "w10", "n": "x"}', map { qq({"id": "w$_", "n": $_}) } 11 .. 25));
loads([ '--atomic-batches', '--batch=10', '--rejects', $rejects, 'people', $bad ], 1, '25 read, 15 applied (15 created, 0 changed, 0 as they were), 10 rejected', 'atomic batches');
is(query(q{SELECT count(*), min(substr(id, 2)::int) FROM people WHERE id LIKE 'w%'}), '15|11', 'nothing of the batch is applied');
my $why = 'attribute "n" must be a whole number';
is(slurp_file($rejects), join('', map({ qq(# line $_: not applied, since the record of line 10 was refused: $why\n{"id": "w$_", "n": $_}\n) } 1 .. 9), qq(# line 10: $why\n{"id": "w10", "n": "x"}\n)), 'each says why');

# ---- Numbers and names keep what they are ----------------------------------

my $digits = '12345678901234567890123456789012345678901234567890';
query(q{SELECT userstore.user_table_create('plain')});
loads([ 'plain', file(lines(qq({"id": "digits", "big": $digits, "small": 0.$digits, "exp": 1e30, "k\\u00e9y \\"q\\" \\\\": "v", "": 1}))) ], 0, '1 read, 1 applied', 'long numbers');
is(query(q{SELECT document FROM plain WHERE id = 'digits'}), qq({"": 1, "big": $digits, "exp": 1) . '0' x 30 . qq(, "small": 0.$digits, "k\x{c3}\x{a9}y \\"q\\" \\\\": "v"}), 'keep each digit');
loads([ 'plain', file(qq({"id": "max", "n": 1e200000}\n{"id": "next"}\n)) ], 1, '2 read, 1 applied', 'a number beyond numeric is rejected alone');

# ---- Each API --------------------------------------------------------------

my %record = (
	scim => [ '{"id": "a", "userName": "ann", "emails": [{"value": "ann@example.com"}]}', '{"id": "b", "userName": 1}' ],
	entra => [ '{"id": "a", "userName": "ann", "unknown": 1}', '{"id": "b"}' ],
	okta => [ '{"id": "a", "userName": "ann", "active": true}', '{"id": "b", "userName": "ANN"}' ],
	zuora => [ '{"id": "a", "userName": "ann", "urn:zuora:scim:schemas:1.0:UserExtension": {"region": "EU"}}', '{"id": "b", "userName": []}' ],
	zluri => [ '{"id": "5f43a1b2c3d4e5f6a7b8c9d0", "user_name": "Ann"}', '{"id": "5f43a1b2c3d4e5f6a7b8c9d1", "unknown": 1}' ],
	oig => [ '{"id": "a", "fields": [{"name": "User Login", "value": "ANN"}, {"name": "Last Name", "value": "Smith"}]}', '{"id": "b", "fields": [{"name": "Unknown", "value": 1}]}' ],
	cpq => [ '{"id": "a", "login": "ann", "firstName": "Ann", "lastName": "Smith", "currency": {"value": "USD"}}', '{"id": "b", "login": 1}' ],
	plain => [ '{"id": "a", "x": {"y": [1, null, "z"]}}', '{"id": 1.5e300000}' ]);
foreach my $api (sort keys %record)
{
	my $table = "of_$api";
	my $input = file(lines(@{ $record{$api} }));

	query("SELECT userstore.user_table_create('$table', api => '$api')");
	loads([ '--creates', $table, $input ], 1, '2 read, 1 applied (1 created, 0 changed, 0 as they were), 1 rejected', $api);
	loads([ '--creates', $table, $input ], 1, '2 read, 1 applied (1 created, 0 changed, 0 as they were; 1 of them before), 1 rejected', "$api again");
	loads([ '--creates', '--load-id=2', $table, $input ], 1, '2 read, 1 applied (0 created, 0 changed, 1 as they were), 1 rejected', "$api anew");
	is(query("SELECT count(*), sum(version) FROM $table"), '1|1', "$api: one user, one version");

	# and back
	my ($status, $err, $exported) = load('--export', $table);
	is($status, 0, "$api: export");
	query("SELECT userstore.user_table_create('copy_$table', api => '$api')");
	loads([ '--creates', "copy_$table", file($exported) ], 0, '1 read, 1 applied (1 created', "$api: load what was exported");
	is(query("SELECT count(*) FROM $table a JOIN copy_$table b USING (id) WHERE a.document = b.document"), '1', "$api: the same document");
	is((load('--export', "copy_$table"))[2], $exported, "$api: exported alike");
}
($told) = (load('of_oig', file('{"id": "z", "fields": []}' . "\n")))[1];
like($told, qr/warning: line 1: .*not exist/, 'by default the profile says that oig creates nobody');

# what wraps them
my $envelope = '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 2, "Resources": [{"id": "l1", "userName": "l1"}, {"id": "l2",' . "\n" . '"userName": ["x"]}]}';
loads([ '--creates', '--rejects', $rejects, 'of_scim', file($envelope) ], 1, '2 read, 1 applied', 'a ListResponse');
like(slurp_file($rejects), qr/^# line \d: .*\n\{"id": "l2", "userName": \["x"\]\}\n$/, 'rejected records are lines');
loads([ '--creates', 'of_oig', file('{"users": [{"id": "o1", "fields": [{"name": "User Login", "value": "O1"}, {"name": "Last Name", "value": "Jones"}]}]}') ], 0, '1 read, 1 applied', 'a bulk body');
loads([ 'plain', file('[{"id": "arr1"}, 5, {"id": "arr2"}]') ], 1, '3 read, 2 applied', 'an array');
loads([ '--rejects', $rejects, '--map={"id": "Id", "login": "Login", "n": {"column": "N", "type": "integer"}}', 'people',
	file(qq(Id,Login,N\r\ncsv1,"quoted, ""x""",5\r\ncsv2,bob,6\r\ncsv3,c3,seven\r\n"csv4",,8\r\n)) ], 1, '4 read, 2 applied (2 created', 'CSV');
is(query(q{SELECT string_agg(id || document, ' ' ORDER BY id) FROM people WHERE id LIKE 'csv%'}), 'csv1{"n": 5, "login": "quoted, \"x\""} csv4{"n": 8}', 'by its mapping');
like(slurp_file($rejects), qr/^Id,Login,N\r?\n# line 3: a user with this "login" exists already\ncsv2,bob,6\r?\n# line 4: .*\ncsv3,c3,seven\r?\n$/, 'rejected with the header');
loads([ '--format=csv', '--map={"id": "Id", "login": "Login", "n": {"column": "N", "type": "integer"}}', 'people', file(slurp_file($rejects) =~ s/bob/bob2/r =~ s/,seven/,7/r) ], 0,
	'2 read, 2 applied', 'mended');

# ---- Users of several records ----------------------------------------------

@many = map { my $i = $_; map { qq({"id": "m$_", "n": $i}) } 1 .. 30 } 1 .. 60;
loads([ '--batch=7', '-j', '5', 'people', file(lines(@many)) ], 0, '1800 read, 1800 applied (30 created, 1770 changed, 0 as they were), 0 rejected', 'users of several records');
is(query(q{SELECT count(*) FROM people_history WHERE user_id LIKE 'm%' AND (document ->> 'n')::int <> version}), '0', 'whose versions follow the input');
is(query(q{SELECT count(*), min(version), max(version) FROM people WHERE id LIKE 'm%'}), '30|60|60', 'to the last');
@many = map { my $i = $_; map { my $user = $_ % 2 ? "Match$_" : "MATCH$_"; qq({"login": "$user", "n": $i, "text": "$i"}) } 1 .. 20 } 1 .. 20;
loads([ '--match=login', '--batch=3', '-j', '5', 'people', file(lines(@many)) ], 0, '400 read, 400 applied (20 created, 380 changed', 'found by an attribute, too');
is(query(q{SELECT count(*) FROM people_history h JOIN people p ON p.id = h.user_id WHERE p.document ->> 'login' ILIKE 'match%' AND (h.document ->> 'n')::int <> h.version}), '0', 'in the order of the input');

# ---- Killed and started again ----------------------------------------------

my $add = sub { return qq({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "id": "$_[0]", "Operations": [{"op": "add", "path": "tags", "value": ["$_[1]"]}]}) };
query(q{SELECT count(userstore.user_put('people', 'k' || i, '{}')) FROM generate_series(1, 200) i});
$input = file(lines(map { my $i = $_; map { $add->("k$_", "t$i") } 1 .. 200 } 1 .. 25));

my $starts = 0;
for (my $status = -1; $status != 0 && $starts < 40; $starts++)
{
	my $run = IPC::Run::start([ 'userstore-load', '--patch', '--batch=20', 'people', $input ], '<', \undef, '>', "$dir/out", '2>', "$dir/err");

	# each time a little later; the sixth is left alone
	sleep(0.02 + 0.03 * $starts);
	$run->signal('KILL') if $starts < 5;
	eval { $run->finish };
	$status = $? & 127 ? -1 : $? >> 8;
}
cmp_ok($starts, '>', 1, "killed and started again $starts times");
is(query(q{SELECT count(*) FROM people WHERE id ~ '^k\d' AND jsonb_array_length(document -> 'tags') = 25 AND version = 26}), '200', 'each record was applied once');
is(query(q{SELECT count(*) FROM people WHERE id ~ '^k\d' AND (SELECT string_agg(t, ' ' ORDER BY n) FROM jsonb_array_elements_text(document -> 'tags') WITH ORDINALITY e(t, n))
	= (SELECT string_agg('t' || i, ' ' ORDER BY i) FROM generate_series(1, 25) i)}), '200', 'in order');

# ---- The server is gone for a while ----------------------------------------

# A load that reads from a pipe, so that it can be held in the middle.
sub begin_load
{
	my @arguments = @_;
	my $load = { in => '', err => '', out => '' };

	$load->{run} = IPC::Run::start([ 'userstore-load', @arguments, '-' ], '<', \$load->{in}, '>', \$load->{out}, '2>', \$load->{err},
		IPC::Run::timeout(180));
	return $load;
}

sub feed
{
	my ($load, @lines) = @_;

	$load->{in} .= lines(@lines);
	$load->{run}->pump while length $load->{in};
}

sub end_load
{
	my ($load) = @_;

	eval { $load->{run}->finish } or diag($@);
	return $load->{run}->full_result(0) >> 8;
}

# A server that we start would keep a pipe of ours open, so this one reads from a
# file, slowly.
query(q{CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.001); RETURN new; END';
	CREATE TRIGGER slowly BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION slowly()});
foreach my $mode (qw(immediate fast))
{
	my $input = file(lines(map { qq({"id": "$mode$_", "n": $_}) } 1 .. 3000));
	my $load = { err => '' };

	$load->{run} = IPC::Run::start([ 'userstore-load', '--batch=10', '--retry-for=120', 'people', $input ], '<', \undef, '>', \$load->{out},
		'2>', \$load->{err});
	ok($node->poll_query_until('userstore', "SELECT count(*) > 0 FROM people WHERE id LIKE '$mode%'"), "$mode: some are applied");
	$node->stop($mode);
	sleep 0.3;
	$node->start;
	is(end_load($load), 0, "$mode: the load goes on where it was");
	like($load->{err}, qr/^userstore-load: warning: .*; trying again for 120 seconds$/m, "$mode: says so");
	like($load->{err}, qr/^3000 read, 3000 applied \(3000 created, 0 changed, 0 as they were(?:; \d+ of them before)?\), 0 rejected/m, "$mode: all are applied");
	is(query("SELECT count(*), sum(version) FROM people WHERE id LIKE '$mode%'"), '3000|3000', "$mode: once");
}
query('DROP TRIGGER slowly ON people');

# and stays away
my $gone = begin_load('--batch=10', '--retry-for=1', 'people');
feed($gone, map { qq({"id": "gone$_"}) } 1 .. 100);
ok($node->poll_query_until('userstore', q{SELECT count(*) > 0 FROM people WHERE id LIKE 'gone%'}), 'some are applied');
$node->stop('fast');
$gone->{in} .= lines(map { qq({"id": "gone$_"}) } 101 .. 200);
is(end_load($gone), 2, 'a server that stays away');
like($gone->{err}, qr/error: nothing has succeeded for 1 seconds?: connection to server/, 'is waited for no longer than said');
like($gone->{err}, qr/hint: Start it again with the same input and options/, 'what to do then is told');
$node->start;
loads([ '--batch=10', 'people', file(lines(map { qq({"id": "gone$_"}) } 1 .. 200)) ], 0, '200 read, 200 applied (200 created', 'which can be done');
is(query(q{SELECT count(*), sum(version) FROM people WHERE id LIKE 'gone%'}), '200|200', 'each once');

# ---- What stands in the way ------------------------------------------------

# a lock, under a timeout
my $blocker = $node->background_psql('userstore');
$blocker->query_safe(q{BEGIN; SELECT 1 FROM people WHERE id = 'a' FOR UPDATE});
{
	local $ENV{PGOPTIONS} = '-c lock_timeout=50ms';
	my $load = begin_load('--patch', '--batch=1', 'people');

	feed($load, '{"id": "a", "n": 100}', '{"id": "b", "n": 100}', '{"id": "a", "n": 101}');
	ok($node->poll_query_until('userstore', q{SELECT document ->> 'n' = '100' FROM people WHERE id = 'b'}), 'the others go on while one is locked');
	$blocker->query_safe('COMMIT');
	is(end_load($load), 0, 'until it is free');
	like($load->{err}, qr/warning: canceling statement due to lock timeout; trying again/, 'which is told');
	is(query(q{SELECT document ->> 'n' FROM people WHERE id = 'a'}), '101', 'then both are applied, in order');
}
$blocker->quit;

# deferred constraints fail when the batch commits
query(q{CREATE TABLE bosses (id text PRIMARY KEY); INSERT INTO bosses VALUES ('boss');
	ALTER TABLE people ADD COLUMN boss text GENERATED ALWAYS AS (document ->> 'text') STORED;
	UPDATE people SET document = document - 'text';
	ALTER TABLE people ADD FOREIGN KEY (boss) REFERENCES bosses DEFERRABLE INITIALLY DEFERRED});
loads([ '--rejects', $rejects, 'people', file(lines((map { qq({"id": "def$_", "text": "boss"}) } 1 .. 40), '{"id": "def41", "text": "nobody"}', map { qq({"id": "def$_", "text": "boss"}) } 42 .. 90)) ], 1,
	'90 read, 89 applied (89 created', 'a constraint that is checked at the end of the transaction');
like(slurp_file($rejects), qr/^# line 41: .*violates foreign key constraint.*\n\{"id": "def41", "text": "nobody"\}\n$/, 'rejects the one alone');
query('ALTER TABLE people DROP COLUMN boss');

# the table goes
{
	my $load = begin_load('--batch=10', 'doomed');
	query(q{SELECT userstore.user_table_create('doomed')});
	$load = begin_load('--batch=10', 'doomed') if end_load($load) == 2;
	feed($load, map { qq({"id": "t$_"}) } 1 .. 100);
	ok($node->poll_query_until('userstore', 'SELECT count(*) > 0 FROM doomed'), 'a load begins');
	query('DROP TABLE doomed');
	$load->{in} .= lines(map { qq({"id": "t$_"}) } 101 .. 300);
	is(end_load($load), 2, 'a table that is dropped meanwhile ends it');
	like($load->{err}, qr/error: could not apply the records from line \d+ on: relation "doomed" does not exist/, 'and is named');
	is(scalar(() = $load->{err} =~ /error:/g), 1, 'once');
}

# the disk is full
SKIP:
{
	skip 'there is no /dev/full', 4 if !-c '/dev/full';
	my $full = file(lines((map { qq({"id": "full$_", "n": $_}) } 1 .. 50), '{"id": "x", "n": "x"}', map { qq({"id": "full$_", "n": $_}) } 51 .. 3000));

	$told = (load('--rejects=/dev/full', '--batch=50', 'people', $full))[1];
	like($told, qr{error: could not write to file "/dev/full": No space left on device}, 'a full disk for rejected records ends it');
	my ($applied) = $told =~ /^\d+ read, (\d+) applied/m;
	is(query(q{SELECT count(*) FROM people WHERE id LIKE 'full%'}), $applied, 'what was on its way is counted');
	cmp_ok($applied, '<', 3000, 'the rest is not sent');
	loads([ '--rejects', $rejects, '--batch=50', 'people', $full ], 1, '3001 read, 3000 applied (3000 created', 'and is when there is room');
}

# interrupted
foreach my $signal (qw(INT TERM))
{
	my $load = begin_load('--batch=10', 'people');

	feed($load, map { qq({"id": "$signal$_"}) } 1 .. 95);
	ok($node->poll_query_until('userstore', "SELECT count(*) = 90 FROM people WHERE id LIKE '$signal%'"), "$signal: some are applied");
	$load->{run}->signal($signal);
	is(end_load($load), 2, "SIG$signal ends it");
	like($load->{err}, qr/error: interrupted\n.*^95 read, 90 applied/ms, "SIG$signal: how far it got is told");
	is(query("SELECT count(*) FROM people WHERE id LIKE '$signal%'"), '90', "SIG$signal: whole batches are there");
}

# ---- Broken input ----------------------------------------------------------

foreach my $broken (
	[ 'an empty file', '', 0, '0 read, 0 applied', 'empty' ],
	[ 'a truncated file', lines(map { qq({"id": "cut$_"}) } 1 .. 205) . '{"id": "cut', 2, '205 read, 200 applied', 'cut' ],
	[ 'a truncated array', '[' . join(', ', map { qq({"id": "arr$_"}) } 101 .. 305) . ', {"id"', 2, '205 read, 200 applied', 'arr1__|arr[23]__' ])
{
	my ($what, $text, $status, $totals, $like) = @$broken;
	my $told = loads([ 'people', file($text) ], $status, $totals, $what);

	like($told, qr/error: .*line \d+.*byte/s, "$what: where is told") if $status == 2;
}
loads([ 'people', file(lines(map { qq({"id": "cut$_"}) } 1 .. 206)) ], 0, '206 read, 206 applied (206 created, 0 changed, 0 as they were; 200 of them before)', 'the whole file then');
loads([ '--max-record=1MB', '--rejects', $rejects, 'plain', file(qq({"id": "long", "x": ") . 'x' x 2_000_000 . qq("}\n{"id": "short"}\n)) ], 1, '2 read, 1 applied', 'a record that is too long');
like(slurp_file($rejects), qr/^# line 1: .*left out/, 'is left out');

# ---- What is told ----------------------------------------------------------

$input = file(lines(map { qq({"id": "q$_", "n": $_}) } 1 .. 10));
is((load('-q', 'people', $input))[1], '', 'quiet');
like((load('-q', 'people', file("x\n")))[1], qr/^userstore-load: warning: line 1: .*\n$/, 'quiet, but for what is rejected');
is((load('--no-progress', 'people', $input))[1] =~ tr/\n//, 1, 'one line of totals');
is(query(q{SELECT userstore.users_load('people', '[]')}), '{"failed": [], "changed": 0, "created": 0, "unchanged": 0}', 'users_load');

# passed over attributes are told once
query(q{SELECT count(userstore.user_delete('of_entra', id)) FROM of_entra});
$told = (load('--creates', '--batch=5', 'of_entra', file(lines(map { qq({"id": "n$_", "userName": "n$_", "unheard": 1}) } 1 .. 50))))[1];
is(scalar(() = $told =~ /unheard/g), 1, 'attributes that are passed over are told once');

# ---- Export ----------------------------------------------------------------

my $out = "$dir/exported";
($told) = (load('--export', '--output', $out, 'people'))[1];
my $count = query('SELECT count(*) FROM people');
is($told, "$count users exported\n", 'exported to a file');
query(q{SELECT userstore.user_table_create('people2', schemas => '{urn:test:load:User}')});
loads([ 'people2', $out ], 0, "$count read, $count applied ($count created", 'loaded into another table');
is(query(q{SELECT count(*) FROM people a FULL JOIN people2 b USING (id) WHERE a.document IS DISTINCT FROM b.document}), '0', 'the same documents');
is(query(q{SELECT bool_and(ordered) FROM (SELECT id >= lag(id) OVER () IS NOT FALSE AS ordered FROM (SELECT e ->> 'id' COLLATE "C" AS id FROM userstore.users_export('people') e) x) y}), 't', 'ordered by id');
is((load('--export', '--output=/dev/full', 'people'))[0], 2, 'a full disk') if -c '/dev/full';
query(q{CREATE TABLE attached (key bigint PRIMARY KEY, login text UNIQUE, email text, data jsonb NOT NULL DEFAULT '{}');
	CREATE UNIQUE INDEX ON attached (lower(login));
	INSERT INTO attached SELECT i, 'login' || i, i || '@example.com', jsonb_build_object('title', 'T' || i) FROM generate_series(1, 150) i;
	CREATE TABLE attached2 (LIKE attached INCLUDING ALL)});
$told = $node->psql('userstore', q{SELECT userstore.user_table_attach(t, api => 'scim', id_column => 'key', document_column => 'data', columns => '{"userName": "login", "emails[primary eq true].value": "email"}') FROM unnest('{attached,attached2}'::regclass[]) t});
is($told, 0, 'tables of an app are attached');
load('--export', '--output', $out, 'attached');
loads([ '--creates', 'attached2', $out ], 0, '150 read, 150 applied (150 created', 'loaded from one into another');
is((load('--export', 'attached2'))[2], slurp_file($out), 'the same users');
is(query(q{SELECT count(*) FROM attached a JOIN attached2 b USING (key, login, email)}), '150', 'in the same columns');

$node->stop;
done_testing();
