# The web app of examples/express, asked by curl: who the callers are, what it
# does when the database is busy or away, and the requests of the four APIs'
# reference pages (doc/apis.md).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;
use WebApp;

WebApp->skip_without;

# One connection for all, so that each request comes upon what others left.
my $node = UserstoreTest->new_node('web_app');
my $app = WebApp->new($node, POOL_SIZE => 1);

sub query { return $node->safe_psql('userstore', @_) }

sub whole
{
	my ($got, $expected, $what) = @_;
	is(WebApp::shown($got), WebApp::shown($expected), $what);
}

# A request that gets this status.
sub gets
{
	my ($status, $method, $path, %opt) = @_;
	my $answer = $app->request($method, $path, %opt);
	is($answer->{status}, $status, $opt{what} // "$method $path: $status") or diag($answer->{text});
	return $answer;
}

# ---- Callers ---------------------------------------------------------------

my ($admin, $reader) = ($WebApp::admin, $WebApp::reader);

foreach my $wrong ([ undef, 'none' ], [ 'wrong', 'a wrong one' ], [ '', 'an empty one' ], [ $admin . 'x', 'one that begins well' ], [ substr($admin, 0, -1), 'one that is cut' ])
{
	my $answer = gets(401, 'GET', '/scim/v2/Users', token => $wrong->[0], what => "token: $wrong->[1]");
	like($answer->{headers}{'www-authenticate'}, qr/^Bearer\b/, 'it says what is asked for');
}
gets(401, 'GET', '/', token => undef);
gets(401, 'POST', '/scim/v2/Users', token => undef, body => '{"userName": "nobody"}');
gets(401, 'GET', '/scim/v2/Users', token => undef, headers => { Authorization => 'Basic !' });
is(query('SELECT count(*) FROM people'), '0', 'nothing came of it');

my $ann = gets(201, 'POST', '/scim/v2/Users', body => '{"userName": "ann", "displayName": "Ann <b>&\"é"}');
my $id = $ann->{json}{id};
is($ann->{headers}{'content-type'}, 'application/scim+json', 'SCIM has a media type of its own');
is($ann->{headers}{location}, $app->url . "/scim/v2/Users/$id", 'Location');
is($app->request('GET', $ann->{headers}{location} =~ s/^\Q@{[ $app->url ]}//r)->{body}, $ann->{body}, 'the user is there');
gets(200, 'GET', "/SCIM/v2/Users/$id", headers => { Authorization => "bearer  $admin" }, what => 'cases do not matter');
gets(200, 'GET', "/scim/v2/Users/$id", token => undef, curl => [ '-u', "anybody:$admin" ], what => 'the token as the password of Basic authentication');
gets(200, 'GET', "/scim/v2/Users/$id", token => undef, headers => { 'api-key' => $admin }, what => "the token in Zluri's header");
gets(200, 'GET', "/scim/v2/Users/$id", token => $reader);
my $denied = gets(403, 'PUT', "/scim/v2/Users/$id", token => $reader, body => '{"userName": "ann"}', what => 'the database says who may do what');
whole($denied->{json}, '{"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "403", "detail": "permission denied for table people"}', 'in the form of the API');
gets(200, 'PUT', "/scim/v2/Users/$id", body => '{"userName": "ann", "title": "x"}', what => 'nobody inherits a role from the one before');
gets(403, 'DELETE', "/scim/v2/Users/$id", token => $reader);

my %key = (headers => { 'Idempotency-Key' => 'mine' });
gets(201, 'POST', '/scim/v2/Users', %key, body => '{"userName": "bob"}');
gets(422, 'POST', '/scim/v2/Users', %key, body => '{"userName": "eve"}', what => 'a key is for one request');
gets(201, 'POST', '/scim/v2/Users', %key, body => '{"userName": "eve"}', token => $WebApp::other, what => 'and belongs to one client');
is(query(q{SELECT string_agg(DISTINCT changed_by::text, ',') FROM people_history}), 'people_admin', 'history knows the role');

# ---- The page of its own ---------------------------------------------------

my $page = gets(200, 'GET', '/', token => undef, curl => [ '-u', "anybody:$reader" ]);
like($page->{headers}{'content-type'}, qr{^text/html}, 'a page');
like($page->{body}, qr{<td>ann<td>}, 'lists the users');
gets(200, 'PATCH', "/scim/v2/Users/$id", body => { displayName => '<script>"&' });
like($app->request('GET', '/')->{body}, qr{<td>&#60;script&#62;&#34;&#38;<td>}, 'as text');

# ---- Bodies ----------------------------------------------------------------

my $long = { userName => 'long', title => 'long ' x 500 };
my $gzip = `printf '%s' '{"userName": "zip", "title": "é"}' | gzip`;
my $zip = WebApp::answer($app->run_curl($gzip, 'curl', '-sSi', '-H', "Authorization: Bearer $admin",
	'-H', 'Content-Type: application/scim+json', '-H', 'Content-Encoding: gzip', '--data-binary', '@-', $app->url . '/scim/v2/Users'));
is($zip->{status}, 201, 'a body may be compressed');
is($zip->{json}{title}, "\x{e9}", 'and is read as UTF-8');
my @gzip = (headers => { 'Accept-Encoding' => 'gzip' }, curl => ['--compressed']);
my $large = gets(201, 'POST', '/scim/v2/Users', body => $long, @gzip);
is($large->{headers}{'content-encoding'}, 'gzip', 'an answer of over 1,000 bytes is compressed');
is($large->{json}{title}, 'long ' x 500, 'without loss');
is(gets(200, 'GET', "/scim/v2/Users/$id", @gzip)->{headers}{'content-encoding'}, undef, 'a short one is not');
is(gets(200, 'GET', "/scim/v2/Users/$large->{json}{id}")->{headers}{'content-encoding'}, undef, 'nor is one for who did not ask for it');
foreach my $bad (
	[ 400, 'no gzip', headers => { 'Content-Encoding' => 'gzip' }, body => '{}' ],
	[ 400, 'no JSON', body => '{' ],
	[ 400, 'no body' ],
	[ 413, 'too long', body => 'x' x 11_000_000 ],
	[ 415, 'no such encoding', headers => { 'Content-Encoding' => 'x' }, body => '{}' ],
	[ 400, 'a zero', body => "{\"userName\": \"a\0b\"}" ],
	[ 400, 'no UTF-8', body => "{\"userName\": \"\xff\"}" ],
	[ 415, 'no such media type', headers => { 'Content-Type' => 'text/html' }, body => '{}' ])
{
	my ($status, $what, %opt) = @$bad;
	my $answer = gets($status, 'POST', '/scim/v2/Users', %opt, what => $what);
	is($answer->{json}{status}, $status, "$what: with the error as SCIM has it");
	is($answer->{json}{schemas}[0], 'urn:ietf:params:scim:api:messages:2.0:Error', "$what: and says so");
}
my $head = gets(200, 'HEAD', "/scim/v2/Users/$id");
is($head->{body}, '', 'HEAD: no body');
is($head->{headers}{etag}, 'W/"3"', 'but an ETag');
my $same = gets(304, 'GET', "/scim/v2/Users/$id", headers => { 'If-None-Match' => 'W/"3"' });
is($same->{body}, '', '304: no body');
is(gets(405, 'DELETE', '/scim/v2/Users')->{headers}{allow}, 'GET, POST', '405 says what is allowed');
gets(404, 'GET', '/scim/v2/Nobody');
is($app->log, '', 'none of this is worth a line in the log');

# ---- A database that is busy or away ---------------------------------------

# The first tries fail; a sequence counts them, since it is not rolled back.
query(q{
	CREATE TABLE failing (times int, state text);
	INSERT INTO failing VALUES (0, '');
	CREATE SEQUENCE tries;
	GRANT SELECT ON failing TO PUBLIC;
	GRANT USAGE ON tries TO PUBLIC;
	CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
	DECLARE
		f failing;
	BEGIN
		SELECT * INTO f FROM failing;
		IF nextval('tries') <= f.times THEN
			RAISE EXCEPTION 'trouble' USING ERRCODE = f.state;
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER fail BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION fail()});

sub failing
{
	my ($times, $state) = @_;
	query("UPDATE failing SET times = $times, state = '$state'; SELECT setval('tries', 1, false)");
}
sub tries { return query('SELECT last_value FROM tries') }
my $versions = q{SELECT version, (SELECT count(*) FROM people_history WHERE user_id = id) FROM people WHERE document ->> 'userName' = 'ann'};

foreach my $state ('40001', '40P01')
{
	my ($before) = query($versions) =~ /^(\d+)/;
	failing(3, $state);
	is(gets(200, 'PATCH', "/scim/v2/Users/$id", body => { title => $state }, what => "$state: is tried again")->{json}{title}, $state, 'until it is done');
	is(tries(), '4', 'at the fourth time');
	is(query($versions), join('|', ($before + 1) x 2), 'once');
}
my $before = query($versions);
foreach my $state ('40001', '57014')
{
	failing(1000, $state);
	my $answer = gets(503, 'PATCH', "/scim/v2/Users/$id", body => { title => 'never' }, what => "$state: at last the client is asked to come again");
	is($answer->{headers}{'retry-after'}, '1', 'later');
	is($answer->{json}{schemas}[0], 'urn:ietf:params:scim:api:messages:2.0:Error', 'in the form of SCIM');
	unlike($answer->{body}, qr/trouble/, 'without particulars');
	like($app->log, qr/trouble/, 'which the log has');
	is(query($versions), $before, 'and nothing is done');
}
is(tries(), '1', 'a statement that was cancelled is not tried again');
failing(1, 'P0001');
gets(400, 'PATCH', "/scim/v2/Users/$id", body => { title => 'never' }, what => 'what a trigger refuses is refused');
is($app->log, '', 'with a plain answer');

$node->stop('fast');
gets(503, 'GET', "/scim/v2/Users/$id", what => 'without a database');
$node->start;
gets(200, 'GET', "/scim/v2/Users/$id", what => 'and when it is back');
$app->log;

# ---- Zuora: PUT /scim/v2/Users/{id} ----------------------------------------

my $amy = '4ae68f98-2762-4001-b95c-34569b413e8e';
my $zuora = '/zuora/scim/v2';
query(qq{SELECT userstore.user_create('subscribers', '{"userName": "Amy+test5", "active": false}', id => '$amy')});

# The page's request, with the commas that it has too many taken out.
my $request = <<'EOJ';
{
  "schemas": ["urn:zuora:scim:schemas:1.0:UserExtension", "urn:ietf:params:scim:schemas:core:2.0:User"],
  "id": "4ae68f98-2762-4001-b95c-34569b413e8e",
  "externalId": "Amy+test5",
  "meta": {"created": "2023-01-04T18:48:30.180Z", "resourceType": "User"},
  "userName": "Amy+test6",
  "name": {"formatted": "Amy Lawrence", "familyName": "Amy", "givenName": "Lawrence"},
  "displayName": "Amy Lawrence",
  "preferredLanguage": "en",
  "locale": "en-US",
  "active": true,
  "emails": [{"value": "Amy+test5-updated@zuora.com"}],
  "groups": [{"value": "0fb99576-2154-4d96-a6cb-384dd430f45f", "display": "Amy Test"}],
  "roles": [{"value": "USER", "display": "USER"}],
  "urn:zuora:scim:schemas:1.0:UserExtension": {
    "schemas": ["urn:zuora:scim:schemas:1.0:UserExtension"],
    "organizationId": "ec141dc2-901e-4813-a25d-ef480cff1e26",
    "status": "ACTIVE", "ssoEnabled": true, "region": "EU"
  }
}
EOJ
# The page's response to it: the e-mail is completed, groups are readOnly.
my $response = decode_json($request);
delete $response->{groups};
$response->{schemas} = [ reverse @{ $response->{schemas} } ];
$response->{emails} = [ { value => 'Amy+test5-updated@zuora.com', display => 'Amy+test5-updated@zuora.com', type => 'work', primary => JSON::PP::true } ];
$response->{meta} = { version => 'W/"2"' };

my %header = ('Idempotency-Key' => '"zuora-1"', 'zuora-track-id' => 'track 1', 'Accept-Encoding' => 'gzip', 'Content-Type' => 'application/json');
my $put = gets(200, 'PUT', "$zuora/Users/$amy", body => $request, headers => \%header, curl => ['--compressed']);
whole($app->settled($put->{json}, "$zuora/Users"), $response, 'Zuora: the user, active again, as the page has it');
is($put->{headers}{'zuora-track-id'}, 'track 1', 'Zuora: Zuora-Track-Id comes back');
is($put->{headers}{'content-encoding'}, 'gzip', 'Zuora: compressed on request');
is(gets(200, 'PUT', "$zuora/Users/$amy", body => $request, headers => \%header, curl => ['--compressed'])->{body}, $put->{body}, 'Zuora: a retry gets the same answer');
is(query(q{SELECT count(*), max(request_id) FROM subscribers_history WHERE operation = 'put'}), '1|track 1', 'Zuora: and does nothing');
gets(400, 'PUT', "$zuora/Users/$amy", body => $request, headers => { 'Zuora-Track-Id' => 'a:b' });
gets(401, 'PUT', "$zuora/Users/$amy", body => $request, token => undef);
gets(403, 'PUT', "$zuora/Users/$amy", body => $request, token => $reader);
gets(404, 'PUT', "$zuora/Users/nobody", body => $request);
my $bulk = gets(200, 'PATCH', "$zuora/Users/bulk", body => [ { id => $amy, active => JSON::PP::false } ])->{json};
is_deeply([ @$bulk{qw(totalResults startIndex itemsPerPage)} ], [ 1, 1, 1 ], 'Zuora: bulk, a list as the page has it');
whole($app->settled($bulk->{resources}[0], "$zuora/Users"), { %$response, active => JSON::PP::false, meta => { version => 'W/"3"' } }, 'Zuora: of resources in lower case');

# ---- Zluri: update of some fields ------------------------------------------

my $ravi = '65f1c0ffee0123456789abcd';
my %staff = (user_name => 'Ravi', user_email => 'ravi@example.com', user_status => 'active');
query(qq{SELECT userstore.user_create('staff', '@{[ encode_json(\%staff) ]}', id => '$ravi')});

# The page has a table of fields, and no sample: each field alone.
my %json = (headers => { 'Content-Type' => 'application/json', 'api-key' => $admin }, token => undef);
my @fields = (
	[ user_name => 'Ravi K' ],
	[ user_email => 'ravi.k@example.com', 'ravi' ],
	[ user_personal_email => 'me@example.org', 'me@' ],
	[ user_department_id => '5f1c0ffee0123456789abcde', 'D1' ],
	[ user_status => 'suspended', 'asleep' ],
	[ reporting_manager_id => '4f1c0ffee0123456789abcde', '7' ],
	[ user_designation => 'Engineer' ],
	[ user_account_type => 'employee', 'boss' ],
	[ user_archive => JSON::PP::true, 'yes' ],
	[ optimization_inclusion => 'exclude for unused', 'exclude' ],
	[ primary_source => { keyword => 'okta', org_integration_id => 'a' x 24, integration_id => 'b' x 24 }, { keyword => 'okta' } ],
	[ user_custom_fields => [ { field_id => 'badge', field_value => 1234 } ], [ { field_value => 1 } ] ]);
foreach my $field (@fields)
{
	my ($name, $value, $bad) = @$field;
	my $answer;
	if (defined $bad)
	{
		$answer = gets(400, 'PUT', "/zluri/users/$ravi", %json, body => { $name => $bad })->{json};
		is_deeply([ sort keys %$answer ], [qw(error field status)], "Zluri: $name: the error body");
		like($answer->{field}, qr/^$name/, "Zluri: $name: it says which field");
		is($answer->{status}, 400, "Zluri: $name: and the status");
	}
	$staff{$name} = $value;
	$answer = gets(200, 'PUT', "/zluri/users/$ravi", %json, body => { $name => $value });
	delete $answer->{json}{meta};
	whole($answer->{json}, { %staff, id => $ravi }, "Zluri: $name changes alone");
}
is($app->request('GET', "/zluri/users/$ravi", %json)->{headers}{'content-type'}, 'application/json', 'Zluri: application/json');
gets(401, 'PUT', "/zluri/users/$ravi", token => undef, headers => { 'api-key' => 'wrong' }, body => { user_name => 'x' });
gets(404, 'PUT', '/zluri/users/' . 'f' x 24, %json, body => { user_name => 'x' });

# ---- Oracle CPQ: PUT /rest/v19/users/{partyNumber} -------------------------

my %kim = (login => 'kim', firstName => 'Kim', lastName => 'Lee');
my %cpq = (%kim, email => 'kim@example.com', currency => { value => 'EUR', displayValue => 'Euro' }, isNotifyEmail => JSON::PP::true, password => 'correct horse');
my $created = gets(201, 'PUT', '/rest/v19/users/300100', body => \%cpq, headers => { 'Content-Type' => 'application/json' });
whole($created->{json}, \%kim, 'CPQ: a user who was not there is created; the page has three members');
is($created->{headers}{location}, $app->url . '/rest/v19/users/300100', 'CPQ: Location');
is($created->{headers}{'content-type'}, 'application/json', 'CPQ: application/json');
whole(gets(200, 'PUT', '/rest/v19/users/300100', body => { %kim, firstName => 'Kimmy' })->{json}, { %kim, firstName => 'Kimmy' }, 'CPQ: then it is replaced');
my $read = gets(200, 'GET', '/rest/v19/users/300100')->{json};
is_deeply([ @$read{qw(email currency isNotifyEmail isWebServicesOnly password)} ], [ undef, undef, JSON::PP::false, JSON::PP::false, undef ], 'CPQ: what was left out has its default');
is(query(q{SELECT userstore.user_password_verify('parties', '300100', 'correct horse')}), 't', 'CPQ: but the password stays');
my $problem = gets(400, 'PUT', '/rest/v19/users/300100', body => { %kim, fax => 5 })->{json};
is_deeply([ @$problem{qw(status o:errorPath)} ], [ 400, 'fax' ], 'CPQ: the error body');
gets(405, 'DELETE', '/rest/v19/users/300100');
gets(401, 'PUT', '/rest/v19/users/300100', body => \%cpq, token => undef);

# uiMetadata shows more of segments
gets(200, 'PUT', '/rest/v19/users/300100', body => { %kim, groups => { items => [ { segments => { items => [ { variableName => 's', icon => '/i.png', status => 1 } ] } } ] } });
foreach my $metadata ([ '', undef ], [ '?uiMetadata=false', undef ], [ '?uiMetadata=true', '/i.png' ])
{
	is(gets(200, 'GET', "/rest/v19/users/300100$metadata->[0]")->{json}{groups}{items}[0]{segments}{items}[0]{icon}, $metadata->[1], "CPQ: icons, $metadata->[0]");
}

# ---- Oracle Identity Governance: the page's curl ---------------------------

query(q{SELECT userstore.user_create('identities', '{"fields": [{"name": "User Login", "value": "FN"}]}', id => '24')});
my $file = PostgreSQL::Test::Utils::tempdir() . '/put.json';
append_to_file($file, <<'EOJ');
{
  "users": [
    {
      "requestId": "123",
      "id": "24",
      "fields": [
        {
          "name": "First Name",
          "value": "UpdatedFN"
        }
      ]
    },
    {
      "requestId": "123",
      "id": "9999",
      "fields": [
        {
          "name": "First Name",
          "value": "UpdatedFN1"
        }
      ]
    }
  ]
}
EOJ
my $oig = $app->url . '/iam/governance/selfservice/api/v1';
my @curl = ('curl', '-sSi', '-H', 'Content-Type: application/json', '-H', 'X-Requested-By: <anyvalue>', '-X', 'PUT', '-d', "\@$file", "$oig/users");
my $answer = WebApp::answer($app->run_curl('', @curl, '-u', "username:$admin"));
is($answer->{status}, 200, 'OIG: 200, though one user is missing');
whole($answer->{json}, <<"EOJ", 'OIG: the answer is the page\'s');
{
    "users": [
        {
            "links": [
                {
                    "rel": "self",
                    "href": "$oig/users/24"
                }
            ],
            "requestId": "123",
            "status": "SUCCESS",
            "fields": [
                {
                    "name": "First Name",
                    "value": "UpdatedFN"
                }
            ]
        },
        {
            "links": [
                {
                    "rel": "self",
                    "href": "$oig/users/9999"
                }
            ],
            "requestId": "123",
            "status": "FAIL",
            "reason": "IAM-2040028:User does not exists:"
        }
    ]
}
EOJ
is(WebApp::answer($app->run_curl('', @curl))->{status}, 401, 'OIG: 401');
is(WebApp::answer($app->run_curl('', @curl, '-u', "username:$reader"))->{status}, 403, 'OIG: 403');
is(WebApp::answer($app->run_curl('', map { s/users$/nothing/r } @curl, '-u', "username:$admin"))->{status}, 404, 'OIG: 404');
is(query(q{SELECT document ->> 'First Name' FROM identities}), 'UpdatedFN', 'OIG: it is stored');

ok($app->stop, 'the app ends when it is asked to');

# The node's log has every statement with its parameters.
my $log = slurp_file($node->logfile);
like($log, qr/zuora-track-id/, 'headers come to the database');
unlike($log, qr/\Q$_\E/, 'but no secret') for $admin, MIME::Base64::encode_base64("username:$admin", '');

done_testing();
