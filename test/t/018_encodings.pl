# HTTP requests in databases of other encodings than UTF-8: what is in URLs is
# UTF-8 (RFC 3986 section 2.5), and so is what libpq gives to a client of UTF-8.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Test::More;
use UserstoreTest;

my $node = UserstoreTest->new_node('encodings', database => undef);

# The answers of requests, each METHOD, PATH and perhaps BODY: status and detail.
sub ask
{
	my ($database, @requests) = @_;
	my $sql = "SET client_encoding = UTF8;\n";
	foreach my $request (@requests)
	{
		my ($method, $path, $body) = @$request;
		$body = defined $body ? "\$body\$$body\$body\$" : 'NULL';
		$sql .= "SELECT concat_ws(' ', status, body ->> 'detail', body ->> 'userName', headers ->> 'Location')"
		  . " FROM userstore.user_request('people', '$method', \$path\$$path\$path\$, '{}', $body);\n";
	}
	my ($out, $err);
	$node->psql($database, $sql, stdout => \$out, stderr => \$err, on_error_die => 0);
	return "$out$err";
}

foreach my $encoding ('LATIN1', 'EUC_JP', 'SQL_ASCII')
{
	my $database = lc $encoding;
	$node->safe_psql('postgres',
		"CREATE DATABASE $database ENCODING $encoding LOCALE 'C' TEMPLATE template0");
	$node->safe_psql($database, q{CREATE EXTENSION userstore;
		SELECT userstore.user_table_create('people', 'scim');
		SET client_encoding = UTF8;
		SELECT userstore.user_create('people', '{"userName": "Jörg"}', 'jörg')});

	is(ask($database, [ 'GET', '/Users/j%C3%B6rg' ], [ 'GET', '/Users/j%F6rg' ]),
		"200 Jörg\n400 the URL is not encoded in UTF-8. Encode the bytes of UTF-8 that are not letters, digits or any of -._~ as %XX.",
		"$encoding: paths are of UTF-8");
	is(ask($database, [ 'GET', '/Users?filter=userName%20eq%20%22J%C3%B6rg%22' ], [ 'PUT', '/%C3%B6/Users/j%C3%B6rg', '{"userName": "Jörg"}' ]),
		"200\n200 Jörg", "$encoding: so are queries; bodies are of the client's encoding");
	like(ask($database, [ 'POST', '/%C3%B6/Users', '{"id": "x", "userName": "Ösp"}' ]), qr{^201 Ösp /%C3%B6/Users/[-0-9a-f]+$},
		"$encoding: so are locations");
	my $long = 'x' . '%C3%B6' x 120;
	like(ask($database, [ 'GET', "/Users/$long" ]), qr/^404 user "x(?:ö)+(?:\.\.\.)?" does not exist\./,
		"$encoding: what is cut short has whole characters");
}

my $escaped = '{"userName": "\u20ac"}';
is(ask('latin1', [ 'POST', '/Users', $escaped ]),
	'400 the body has a character that the database cannot store. Its encoding is LATIN1.', 'a character that LATIN1 lacks');
is(ask('sql_ascii', [ 'POST', '/Users', $escaped ]),
	'400 the body has a character that the database cannot store. Its encoding is SQL_ASCII.', 'SQL_ASCII has no escapes');
like(ask('latin1', [ 'GET', '/Users/%E2%82%AC' ]), qr/^400 character with byte sequence 0xe2 0x82 0xac/, 'in a path');

$node->stop;
done_testing();
