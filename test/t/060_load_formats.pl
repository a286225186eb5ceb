# What userstore-load makes of files: each format, whole and broken, whatever
# the pieces in which it comes.  Without a server: --to-json writes the records
# that would be sent.

use strict;
use warnings;

use Compress::Zlib qw(memGzip);
use FindBin;
use IPC::Run ();
use lib "$FindBin::RealBin/../lib";
use LoadMemory;
use PostgreSQL::Test::Utils;
use Socket qw(AF_UNIX SOCK_SEQPACKET);
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $files = 0;

# A file with these bytes; what is put at the end of its name tells its format.
sub file
{
	my ($bytes, $suffix) = @_;
	my $path = "$dir/" . ++$files . ($suffix // '');

	open my $file, '>:raw', $path or die "$path: $!\n";
	print $file $bytes;
	close $file or die "$path: $!\n";
	return $path;
}

# The exit status and what was written, of bytes at standard input.
sub convert
{
	my ($bytes, @options) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'userstore-load', '--to-json', @options, file($bytes) ],
		'>', \$out, '2>', \$err);
	return ($? >> 8, $out, $err);
}

# The same in pieces of so many bytes: each read() gets one packet.
sub convert_pieces
{
	my ($bytes, $size, @options) = @_;

	socketpair(my $from, my $to, AF_UNIX, SOCK_SEQPACKET, 0) or die "socketpair: $!\n";
	my $writer = fork() // die "fork: $!\n";
	if ($writer == 0)
	{
		close $from;
		$SIG{PIPE} = 'IGNORE';
		for (my $at = 0; $at < length $bytes; $at += $size)
		{
			last if !defined syswrite $to, substr($bytes, $at, $size);
		}
		close $to;
		require POSIX;
		POSIX::_exit(0);
	}
	close $to;
	my ($out, $err) = ("$dir/pieces.out", "$dir/pieces.err");
	my $reader = fork() // die "fork: $!\n";
	if ($reader == 0)
	{
		open STDIN, '<&', $from or die "dup: $!\n";
		open STDOUT, '>', $out or die "$out: $!\n";
		open STDERR, '>', $err or die "$err: $!\n";
		exec 'userstore-load', '--to-json', @options or die "userstore-load: $!\n";
	}
	close $from;
	waitpid $reader, 0;
	my $status = $? >> 8;
	waitpid $writer, 0;
	return ($status, slurp_file($out), slurp_file($err));
}

# Each case: what it is about, options, bytes, the exit status, the records one
# a line, and what must be said: in order, and nothing else.
sub check
{
	my ($name, $options, $bytes, $status, $records, @said) = @_;
	my @got = convert($bytes, @$options);
	my @lines = split /\n/, $got[2];

	subtest $name => sub {
		is($got[0], $status, 'exit status');
		is($got[1], $records, 'records');
		is(scalar @lines, scalar @said, 'as many messages') or diag($got[2]);
		like($lines[$_] // '', $said[$_], "message $_") for 0 .. $#said;
		# One size will do where there are many cases of a kind.
		foreach my $size ($name =~ /^(?:not JSON|broken|header)/ ? 1 : (1, 2, 3, 7))
		{
			my @pieces = convert_pieces($bytes, $size, @$options);
			my @want = @got;

			# A number is refused by one rule or the other.
			s/byte \d+: (invalid JSON): (invalid number|number expected)/$1/ for $pieces[2], $want[2];
			is_deeply(\@pieces, \@want, "the same in pieces of $size");
		}
		is_deeply([ convert(memGzip($bytes), @$options) ], \@got, 'the same from gzip');
	};
	return;
}

# ---- Newline-delimited JSON ------------------------------------------------

check('lines', [], <<'EOT', 0, <<'EOT');
{"id":"a"}
{ "id" : "b" , "n":[1,{"x":null}] }
EOT
{"id":"a"}
{ "id" : "b" , "n":[1,{"x":null}] }
EOT

# What a JSON library would write anew comes through as it is.
my $exact = join "\n",
  '{"n":12345678901234567890123456789012345678901234567890,"m":-0.10e+5,"z":1E400}',
  '{"z":1,"a":2,"z":3,"A":4}',
  "{\t\"id\"  :\r\"x\" }",
  '{"s":"\u00e9\/\ud83d\ude00\u0041\\\\\"","u":"' . "\xc3\xa9\xf0\x9f\x98\x80\x7f" . '"}',
  '{"lone":"\ud800","zero":"\u0000"}',
  '{"":{"":[]},"d":' . '[' x 300 . ']' x 300 . '}',
  '{"t":true,"f":false,"n":null,"e":[{},[]]}', '';
check('exact bytes', [], $exact, 0, $exact);

check('empty lines, comments, white space, CRLF, no end of the last line', [],
	"\n\r\n# line 7: no such user\n \t\n  {\"id\":1}\t \r\n#{\"id\":2}\n{\"id\":3}", 0,
	qq({"id":1}\n{"id":3}\n));
check('an empty file', [], '', 0, '');
check('an empty file, whatever it should be', [ '--format', $_ ], '', 0, '')
  foreach qw(ndjson array scim oig csv);
check('white space alone', [], " \n\t\r\n", 0, '');
check('a byte order mark alone', [], "\xef\xbb\xbf", 0, '');
check('a byte order mark', [], "\xef\xbb\xbf{\"id\":1}\n", 0, qq({"id":1}\n));
check('half a byte order mark', [], "\xef\xbb{\"id\":1}\n{\"id\":2}\n", 1, qq({"id":2}\n),
	qr/line 1: .*not a JSON object|line 1: invalid UTF-8 at byte 1/);
check('UTF-16', [], "\xff\xfe{\0}\0\n\0", 2, '', qr/UTF-16/);

check('bad lines, between good ones', [], <<'EOT', 1, qq({"id":1}\n{"id":2}\n{"id":3}\n),
{"id":1}
{"id":
{"id":2}
{"id":5} {"id":6}
"id"
[1,2]

{'id':7}
{"id":3}
EOT
	qr/line 2: invalid JSON: the line ends within the object/,
	qr/line 4: invalid JSON: something follows the object at byte 10/,
	qr/line 5: record is not a JSON object/, qr/line 6: record is not a JSON object/,
	qr/line 8: invalid JSON: .* at byte 2/);

# What json-c lets pass, all of it or some versions, and PostgreSQL does not.
foreach my $text (
	q({'a':1}), q({"a":'b'}), q({a:1}), '{"a":NaN}', '{"a":-NaN}', '{"a":nan}', '{"a":Infinity}',
	'{"a":-Infinity}', '{"a":inf}', '{"a":01}', '{"a":-01}', '{"a":00}', '{"a":1.}', '{"a":.5}',
	'{"a":+1}', '{"a":1e}', '{"a":-}', '{"a":0x10}', '{"a":1-2}', '{"a":1 2}', '{"a":TRUE}',
	'{"a":True}', '{"a":Null}', '{"a":nul}', '{"a":1,}', '{"a":[1,]}', '{,}', '{"a"}',
	'{"a":1 "b":2}', '{"a" 1}', '{"a":1/**/}', '/**/{"a":1}', "{\"a\":1}//", "{\"a\":\"\t\"}",
	"{\"a\":\"\x01\"}", "{\"\x1f\":1}", '{"a":"\x41"}', '{"a":"\u00g0"}', "{\"a\":\f1}",
	"{\"a\":\xc2\xa01}", "{\"a\":1}\0", "{\"a\0b\":1}", "{\"a\":\0}", '{"a":[}', '{"a":1]',
	'{"a":"\'"', '{"a":"b}', '{"a":}', '{"a"::1}', '{{}}', '{1:2}', '{"a":tru', '{"a":"\\')
{
	my $name = $text =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;

	check("not JSON: $name", [], qq({"id":1}\n$text\n{"id":2}\n), 1, qq({"id":1}\n{"id":2}\n),
		qr/line 2: invalid JSON: .* at byte \d+$|line 2: invalid JSON: the line ends|line 2: record is not a JSON object/);
	# Releases of json-c differ in whether this comment is a part of the element.
	next if $text =~ m{//$};
	check("not JSON within an array: $name", [], qq([{"id":1},\n$text\n,{"id":2}]), 2,
		$text =~ /^\{[^\/]*\}\0$/ ? qq({"id":1}\n$text\n) =~ s/\0//gr : qq({"id":1}\n),
		qr/line [23], byte \d+: (invalid JSON: |the input ends)/);
}

check('invalid UTF-8', [],
	qq({"id":1}\n{"id":"\xff"}\n{"id":"\xc0\xaf"}\n{"id":"\xed\xa0\x80"}\n{"id":"\xf4\x90\x80\x80"}\n{"id":"M\xfcller"}\n{"id":"\xe2\x82"}\n{"id":2}\n),
	1, qq({"id":1}\n{"id":2}\n),
	map { qr/line $_: invalid UTF-8 at byte \d+$/ } 2 .. 7);

check('a file that was cut off', [], qq({"id":1}\n{"id":2,"x":"), 2, qq({"id":1}\n),
	qr/line 2, byte 23: the input ends within a record/);
check('a file that was cut off within a character', [], qq({"id":1}\n{"id":"\xe2\x82), 2,
	qq({"id":1}\n), qr/line 2, byte \d+: the input ends within a record/);
check('no JSON at the end', [], qq({"id":1}\n{"id"]), 2, qq({"id":1}\n),
	qr/line 2, byte 15: invalid JSON: /);

check('too deep', [], '{"a":' x 600 . '1' . '}' x 600 . qq(\n{"id":1}\n), 1, qq({"id":1}\n),
	qr/line 1: record has more than 512 levels/);
check('too long', [ '--max-record', '30B' ],
	qq({"id":1,"x":"34567890123456789"}\n{"id":2,"x":"345678901234567"}\r\n{"id":3,"x":"345678901234567"}\n)
	. qq({"id":4,"x":") . 'y' x 1000 . qq("}\n{"id":5}\n), 1,
	qq({"id":2,"x":"345678901234567"}\n{"id":3,"x":"345678901234567"}\n{"id":5}\n),
	qr/line 1: record is longer than 30 bytes/, qr/line 4: record is longer than 30 bytes/);

# ---- Arrays ----------------------------------------------------------------

check('an array', [], qq( \n[{"id":1} ,\n{"id"\n:2},{"x":{"y":[{}]}}\r\n]\n ), 0,
	qq({"id":1}\n{"id" :2}\n{"x":{"y":[{}]}}\n));
check('an empty array', [], " [ ] ", 0, '');
check('exact bytes in an array', [], '[' . $exact =~ s/\n(?=.)/,/gr . ']', 0, $exact);
check('elements that are no objects', [],
	qq([1,\n-2.5e3 ,"a]",[{"id":0}],null,true\n,{"id":1},{"id":"\xff\xfe"},{"id":2}]), 1,
	qq({"id":1}\n{"id":2}\n),
	(map { qr/line $_: record is not a JSON object/ } 1, 2, 2, 2, 2, 2),
	qr/line 3: invalid UTF-8 at byte 8/);
foreach my $case (
	[ '[',                   1, 2,  'the input ends' ],
	[ '[{"id":1}',           1, 10, 'the input ends' ],
	[ '[{"id":1},',          1, 11, 'the input ends' ],
	[ "[{\"id\":1},\n{\"id\"", 2, 17, 'the input ends' ],
	[ '[{"id":1}{"id":2}]',  1, 10, 'invalid JSON: expected "," or "]"' ],
	[ '[{"id":1} {"id":2}]', 1, 11, 'invalid JSON: expected "," or "]"' ],
	[ '[{"id":1},]',         1, 11, 'invalid JSON: expected another element' ],
	[ '[,]',                 1, 2,  'invalid JSON: ' ],
	[ '[{"id":1},,{}]',      1, 11, 'invalid JSON: ' ],
	[ '[{"id":1}}',          1, 10, 'invalid JSON: expected "," or "]"' ],
	[ '[{"id":1}] x',        1, 12, 'something follows the array' ],
	[ '[{"id":1}][]',        1, 11, 'something follows the array' ])
{
	my ($text, $line, $byte, $said) = @$case;

	check("broken array: $text", [], $text, 2, $text =~ /\{"id":1\}/ ? qq({"id":1}\n) : '',
		qr/line $line, byte $byte: \Q$said\E/);
}
check('long and deep elements', [ '--max-record', '1000B' ],
	qq([{"id":1},\n{"x":") . '\\"]}' x 500 . qq("},{"id":2},\n) . '[' x 600 . ']' x 600 . ",\n"
	. '9' x 3000 . qq( ,"a) . 'b' x 3000 . qq(",{"x":) . '[{}],' x 0 . '[' x 2000 . ']' x 2000
	. qq(},{"id":3}]), 1, qq({"id":1}\n{"id":2}\n{"id":3}\n),
	qr/line 2: record is longer than 1000 bytes/, qr/line 3: record has more than 512 levels|line 3: record is longer/,
	qr/line 4: record is longer than 1000 bytes/, qr/line 4: record is longer than 1000 bytes/,
	qr/line 4: record has more than 512 levels|line 4: record is longer/);
check('the end within an element that is too long', [ '--max-record', '100B' ],
	'[{"x":"' . 'y' x 1000, 2, '', qr/line 1, byte 1008: the input ends within the list/);
check('an array is told apart from lines', [ '--format', 'ndjson' ], qq([{"id":1}]\n{"id":2}\n), 1,
	qq({"id":2}\n), qr/line 1: record is not a JSON object/);
check('what is not an array', [ '--format', 'array' ], '{"id":1}', 2, '',
	qr/line 1, byte 1: invalid JSON: expected an array/);

# ---- Envelopes -------------------------------------------------------------

my $scim = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';

check('ListResponse', [], <<EOT, 0, qq({"id":1,\t"n":{"Resources":[]} }\n{"id":2}\n));
{"schemas":["$scim"],
 "totalResults":2, "x":{"users":[1,2,{"y":"]}"}]}, "startIndex":1,
 "Resources": [{"id":1,\t"n":{"Resources":[]} } , {"id":2}],
 "itemsPerPage":2}
EOT
check('ListResponse, names in any case', [], '{"RESOURCES":[{"id":1}]}', 0, qq({"id":1}\n));
check('ListResponse, a name with escapes', [], '{"\u0052esources":[{"id":1}]}', 0, qq({"id":1}\n));
check('ListResponse of nobody', [], qq({"schemas":["$scim"],"totalResults":0}), 0, '');
check('pages, one after the other', [],
	qq({"totalResults":3,"Resources":[{"id":1},{"id":2}]}\n{"totalResults":3,"Resources":[{"id":3}]}\n), 0,
	qq({"id":1}\n{"id":2}\n{"id":3}\n));
check('a bulk body', [], '{"requestId":"r","users":[{"id":"1","fields":[{"name":"Title","value":"x"}]}]}', 0,
	qq({"id":"1","fields":[{"name":"Title","value":"x"}]}\n));
check('an empty bulk body', [], '{"users":[]}', 0, '');
check('what looks like an envelope further down', [], qq({"a":{"Resources":[{"id":1}]}}\n{"id":2}\n), 0,
	qq({"a":{"Resources":[{"id":1}]}}\n{"id":2}\n));
check('a member of that name that is no array', [], qq({"users":"3","Resources":{}}\n{"id":2}\n), 0,
	qq({"users":"3","Resources":{}}\n{"id":2}\n));
check('lines, of which one has such an array', [ '--format', 'ndjson' ], qq({"id":1,"users":[]}\n), 0,
	qq({"id":1,"users":[]}\n));
check('an envelope that is asked for', [ '--format', 'oig' ], '{"Resources":[{}],"users":[{"id":1}]}', 0,
	qq({"id":1}\n));
foreach my $case (
	[ 'auto', '{"Resources":[{"id":1}]', 24, 'the input ends' ],
	[ 'auto', '{"Resources":[{"id":1}],', 25, 'the input ends' ],
	[ 'auto', '{"Resources":[{"id":1}],"x":', 29, 'the input ends' ],
	[ 'auto', '{"Resources":[{"id":1}],"x"', 28, 'the input ends' ],
	[ 'auto', '{"Resources":[{"id":1}],"x":[1', 31, 'the input ends' ],
	[ 'auto', '{"Resources":[{"id":1}],}', 25, 'invalid JSON: expected the name of a member' ],
	[ 'auto', '{"Resources":[{"id":1}],"x"}', 28, 'invalid JSON: expected ":"' ],
	[ 'auto', '{"Resources":[{"id":1}],"x":NaN}', 29, 'invalid JSON: NaN' ],
	[ 'auto', '{"Resources":[{"id":1}]]', 24, 'invalid JSON: expected "," or "}"' ],
	[ 'auto', '{"Resources":[{"id":1}]}x', 25, 'invalid JSON: expected an object' ],
	[ 'auto', '{"Resources":[{"id":1}],"resources":[]}', 37, 'the array "resources" is there twice' ],
	[ 'scim', '{"id":1}', 8, 'the object has no array "Resources"' ],
	[ 'scim', '{}', 2, 'the object has no array "Resources"' ],
	[ 'scim', '[]', 1, 'invalid JSON: expected an object' ],
	[ 'oig', '{"Resources":[]}', 16, 'the object has no array "users"' ])
{
	my ($format, $text, $byte, $said) = @$case;

	check("broken envelope ($format): $text", [ '--format', $format ], $text, 2,
		$text =~ /\{"id":1\}\]/ ? qq({"id":1}\n) : '', qr/line 1, byte $byte: \Q$said\E/);
}

# ---- CSV -------------------------------------------------------------------

my @csv = ('--format', 'csv');

check('CSV', \@csv, <<"EOT", 0, <<'EOT');
id,userName,name.familyName
1,"anna ""x"" , y",M\xc3\xbcller
2,"two
lines",
"3","",\\ 'x'\t
EOT
{"id": "1", "userName": "anna \"x\" , y", "name": {"familyName": "Müller"}}
{"id": "2", "userName": "two\nlines"}
{"id": "3", "userName": "", "name": {"familyName": "\\ 'x'\t"}}
EOT
check('CSV with CRLF, byte order mark, empty lines, comments, no last end', \@csv,
	qq(\xef\xbb\xbf"id",a\r\n\r\n# line 3: no such user\r\n1,"x\r\ny"\r\n\n# line 3,#\n#,2), 0,
	qq({"id": "1", "a": "x\\r\\ny"}\n{"id": "#", "a": "2"}\n));
check('CSV of a header alone', \@csv, "id,a\r\n", 0, '');
check('CSV of one column', \@csv, qq(id\n1\n\n""\n2), 0, qq({"id": "1"}\n{"id": ""}\n{"id": "2"}\n));
check('CSV with another delimiter', [ @csv, '--delimiter', ';' ], qq(id;a\n1;x,y\n2;"p;q"\n), 0,
	qq({"id": "1", "a": "x,y"}\n{"id": "2", "a": "p;q"}\n));
check('bad records of CSV', \@csv, <<"EOT", 1, qq({"id": "1", "a": "x"}\n{"id": "7", "a": "y"}\n),
id,a
1,x
2
3,x,y
4,"x"y
5,x"y"
6,a\rb
\xff,1
8,\0
7,y
EOT
	qr/line 3: record has 1 field, and the header has 2/,
	qr/line 4: record has 3 fields, and the header has 2/,
	qr/line 5: something follows the closing quote of field 2/,
	qr/line 6: a quote is inside of field 2, which is not quoted/,
	qr/line 7: a carriage return is inside of field 2, which is not quoted/,
	qr/line 8: invalid UTF-8 at byte 1/, qr/line 9: NUL byte at byte 3/);
check('a quoted field that never ends', \@csv, qq(id,a\n1,"x\ny"\n2,"z\n3,q\n4,r\n), 2,
	qq({"id": "1", "a": "x\\ny"}\n), qr/line 4: the quoted field that begins here never ends/);
check('a header that is cut off', \@csv, qq("id), 2, '', qr/line 1: the quoted field/);
check('records of CSV that are too long', [ @csv, '--max-record', '10B' ],
	qq(id,a\n1,23456789\n2,234567890\n3,"567890"\r\n4,"5\n6\n890"\r\n5,x\n) . '6' x 100 . "\r\n7,x\n", 1,
	qq({"id": "1", "a": "23456789"}\n{"id": "3", "a": "567890"}\n{"id": "5", "a": "x"}\n{"id": "7", "a": "x"}\n),
	map { qr/line $_: record is longer than 10 bytes/ } 3, 5, 9);
foreach my $case (
	[ 'id,id', 'path "id" is there twice' ],
	[ 'id,name,name.x', 'is part of another' ],
	[ 'id,name.x,name', 'is part of another' ],
	[ 'id,', 'path "" is not' ],
	[ 'id,a..b', 'path "a..b" is not' ],
	[ 'id,a]', 'path "a]" is not' ],
	[ 'id,"a[b eq ""c""]"', 'needs a sub-attribute behind the bracket' ],
	[ 'id,a[b gt 1].c', 'has a filter other than [name eq value]' ],
	[ 'id,"a""b"x', 'the header is no record of CSV' ],
	[ "id,\xff", 'the header is not UTF-8' ])
{
	my ($header, $said) = @$case;

	check('header: ' . ($header =~ s/([^ -~])/?/gr), \@csv, "$header\n1,2,3\n", 2, '', qr/\Q$said\E/);
}

my $mapping = <<'EOT';
{"id": "No", "userName": "Login", "name.familyName": "Last name", "name.givenName": "First name",
 "emails[type eq \"work\"].value": "E-mail", "emails[type eq \"work\"].primary": {"value": true},
 "emails[type eq \"home\" and Primary eq FALSE].value": "Private",
 "active": {"column": "Status", "values": {"A": true, "T": false}, "empty": null},
 "age": {"column": "Age", "type": "number"}, "grade": {"column": "Grade", "type": "integer"},
 "manager": {"column": "Boss", "type": "boolean"}, "userType": {"value": "Employee"},
 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value": "Boss id",
 "urn:ietf:params:scim:schemas:core:2.0:User:title": "Title"}
EOT
my $head = 'Boss id,Unused,No,Login,Last name,First name,E-mail,Private,Status,Age,Grade,Boss,Title';
my $urn = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

check('a mapping', [ '--map', $mapping ], <<"EOT", 0, <<"EOT");
$head
9,u,1,anna,M,A,a\@x,b\@x,A,12345678901234567890123456789012345678901234567890.10,-7,yes,Dr
,,2,bo,,,,,T,,,,
,,3,,,,,"",,0,0,F,""
EOT
{"id": "1", "userName": "anna", "name": {"familyName": "M", "givenName": "A"}, "emails": [{"type": "work", "value": "a\@x", "primary": true}, {"type": "home", "Primary": false, "value": "b\@x"}], "active": true, "age": 12345678901234567890123456789012345678901234567890.10, "grade": -7, "manager": true, "userType": "Employee", "$urn": {"manager": {"value": "9"}}, "title": "Dr"}
{"id": "2", "userName": "bo", "active": false, "userType": "Employee"}
{"id": "3", "emails": [{"type": "home", "Primary": false, "value": ""}], "active": null, "age": 0, "grade": 0, "manager": false, "userType": "Employee", "title": ""}
EOT
check('a mapping in a file', [ '--map', file("\xef\xbb\xbf \n$mapping") ], "$head\n,,1,,,,,,A,,,,\n", 0,
	qq({"id": "1", "active": true, "userType": "Employee"}\n));
check('values that do not fit', [ '--map', $mapping ], <<"EOT", 1, qq({"id": "6", "active": null, "userType": "Employee"}\n),
$head
,,1,,,,,,X,,,,
,,2,,,,,,A,1.,,,
,,3,,,,,,A,1,1.5,,
,,4,,,,,,A,1,1,maybe,
,,5,,,,,,A,"",1,,
,,6,,,,,,,,,,
,,7,,,,,,A,"1,5",1,,
,,8,,,,,,A,,1e3,,
,,9,,,,,,A,,007,,
,,10,,,,,,${\ ("\xc3\xa9" x 50)},,7,,
EOT
	qr/line 2: column "Status": "X" is not one of "A", "T"$/,
	qr/line 3: column "Age": "1\." is not a number such as 1234\.5/,
	qr/line 4: column "Grade": "1\.5" is not an integer/,
	qr/line 5: column "Boss": "maybe" is not true or false/,
	qr/line 6: column "Age": "" is not a number/,
	qr/line 8: column "Age": "1,5" is not a number/,
	qr/line 9: column "Grade": "1e3" is not an integer/,
	qr/line 10: column "Grade": "007" is not an integer/,
	qr/line 11: column "Status": "(\xc3\xa9){30}"\.\.\. is not one of/);
check('values and empty fields',
	[ '--map', '{"a": {"column": "a", "values": {"1": [1.50, {"x": "/"}], "": "none"}}, "b": {"column": "b", "empty": []}, "c": {"column": "c", "type": "integer", "empty": 0}}' ],
	qq(a,b,c\n1,x,7\n,,\n"","",8\n2,,\n1,,""\n), 1,
	qq({"a": [1.50,{"x":"/"}], "b": "x", "c": 7}\n{"a": "none", "b": [], "c": 0}\n{"a": "none", "b": "", "c": 8}\n),
	qr/line 5: column "a": "2" is not one of "1", ""$/, qr/line 6: column "c": "" is not an integer$/);
check('fields', [ '--map', '{"id": "No", "fields[name eq \"Last Name\"].value": "Last", "fields[name eq \"Title\"].value": "Job"}' ],
	qq(No,Last,Job\n1,"O""Hara",Dr\n2,,x\n), 0,
	qq({"id": "1", "fields": [{"name": "Last Name", "value": "O\\"Hara"}, {"name": "Title", "value": "Dr"}]}\n)
	. qq({"id": "2", "fields": [{"name": "Title", "value": "x"}]}\n));
check('a column that is not there', [ '--map', '{"id": "No"}' ], "id\n1\n", 2, '', qr/there is no column "No"/);
check('a column that is there twice', [ '--map', '{"id": "No"}' ], "No,x,No\n1,2,3\n", 2, '',
	qr/column "No" is there twice/);

foreach my $case (
	[ '{', 'the mapping is not JSON' ],
	[ '{"a": "b"} x', 'the mapping is not JSON' ],
	[ "{'a': \"b\"}", 'the mapping is not JSON' ],
	[ '{"a": 1}', 'mapping of "a": needs the name of a column' ],
	[ '{"a": {}}', 'mapping of "a": needs the name of a column' ],
	[ '{"a": {"column": "x", "sort": "number"}}', '"sort" is not understood' ],
	[ '{"a": {"column": "x", "type": "date"}}', '"type" must be string, number, integer or boolean' ],
	[ '{"a": {"column": "x", "type": "number", "values": {}}}', 'do not go together' ],
	[ '{"a.b": "x", "a": "y"}', 'is part of another' ],
	[ '{"a[type eq \"x\"].type": "y"}', 'has a value for this in its filter' ],
	[ "$dir/none", 'could not open file' ])
{
	my ($text, $said) = @$case;
	my ($status, $out, $err) = convert("a\n1\n", '--map', $text);

	is($status, 2, "mapping $text: exit status");
	like($err, qr/error: .*\Q$said\E/, "mapping $text: message");
}

# ---- Files -----------------------------------------------------------------

foreach my $case ([ 'x.csv', "id\n1\n" ], [ 'x.CSV.gz', memGzip("id\n1\n") ])
{
	my ($name, $bytes) = @$case;

	command_like([ 'userstore-load', '--to-json', file($bytes, $name) ], qr/^\{"id": "1"\}\n$/, "by name: $name");
}

my $lines = join '', map { qq({"id":$_,"x":") . rand() . qq("}\n) } 1 .. 20000;
my $packed = memGzip($lines);
my @got;

@got = convert($packed);
ok($got[0] == 0 && $got[1] eq $lines, 'gzip');
@got = convert(memGzip(substr $lines, 0, 777) . memGzip('') . memGzip(substr $lines, 777) . "\0" x 512);
ok($got[0] == 0 && $got[1] eq $lines, 'gzip in several members, filled with zeros');
@got = convert_pieces($packed, 1);
ok($got[0] == 0 && $got[1] eq $lines, 'gzip, byte by byte');
foreach my $length (1 .. 12, length($packed) / 2, length($packed) - 9 .. length($packed) - 1)
{
	@got = convert(substr $packed, 0, $length);
	next if $length == 1;
	is($got[0], 2, "gzip, $length bytes of it: exit status");
	like($got[2], qr/the compressed data of .* ends too soon/, "gzip, $length bytes of it: message");
	ok(index($lines, $got[1]) == 0 && $got[1] =~ /^(.*\n)?\z/s, "gzip, $length bytes of it: only whole records");
}
@got = convert($packed . 'x');
is($got[0], 2, 'something behind gzip: exit status');
is($got[1], $lines, 'something behind gzip: all records');
like($got[2], qr/has something behind its compressed data/, 'something behind gzip: message');
@got = convert(substr($packed, 0, -8) . 'abcd' . substr($packed, -4));
is($got[0], 2, 'gzip with a wrong checksum: exit status');
like($got[2], qr/the compressed data of .* is damaged/, 'gzip with a wrong checksum: message');

command_fails_like([ 'userstore-load', '--to-json', "$dir/none.json" ],
	qr/error: could not open file ".*none\.json": No such file/, 'no file');
command_fails_like([ 'userstore-load', '--to-json', $dir ], qr/error: could not read file ".*": it is a directory/,
	'a directory');

# ---- Size ------------------------------------------------------------------

@got = convert(qq({"id":1,"x":") . 'y' x 10_000_000 . qq("}\n{"id":2}\n));
ok($got[0] == 0 && $got[1] eq qq({"id":1,"x":") . 'y' x 10_000_000 . qq("}\n{"id":2}\n), 'a record of 10 MB');
@got = convert(qq([{"id":1,"x":") . 'y' x 17_000_000 . qq("},{"id":2}]));
is($got[0], 1, 'a record of 17 MB: exit status');
is($got[1], qq({"id":2}\n), 'a record of 17 MB: the one behind it');
like($got[2], qr/line 1: record is longer than 16777216 bytes/, 'a record of 17 MB: message');

# More of it is read in test/long.
LoadMemory::check(80);

done_testing();
