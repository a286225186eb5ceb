# An app's own table, attached, beside one that user_table_create makes: a long
# row of random updates leaves both with the same users, answers, errors and
# history, although one of them has attributes in columns.  And what plain SQL
# does to one is as if it had been done to the document of the other.
# ATTACHED_SEED repeats a run with another seed than the usual one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

my $updates = 400;
my $seed = $ENV{ATTACHED_SEED} // 20261122;

note("seed $seed");
srand($seed);

my $node = UserstoreTest->new_node('attached');
my $json = JSON::PP->new->canonical->utf8(0);
my $enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

$node->safe_psql('userstore', qq{
	SELECT userstore.user_table_create('own', 'scim');
	CREATE TABLE app (id text PRIMARY KEY, "User Name" varchar(20) UNIQUE, given text, family text NOT NULL, mail varchar(100),
		work text, active boolean, title text, dept text, addresses jsonb, photos json, mobile text, logins int NOT NULL DEFAULT 0);
	SELECT userstore.user_table_attach('app', 'scim', columns => '{"userName": "User Name", "name.givenName": "given",
		"name.familyName": "family", "emails[primary eq true].value": "mail", "emails[type eq \\"work\\"].display": "work",
		"active": "active", "title": "title", "$enterprise:department": "dept", "addresses": "addresses", "photos": "photos",
		"phoneNumbers[type eq \\"mobile\\"].value": "mobile"}');
	CREATE FUNCTION outcome(users regclass, operation text, body jsonb) RETURNS text LANGUAGE plpgsql AS \$\$
	DECLARE
		answer jsonb;
	BEGIN
		IF operation = 'put' THEN
			answer := userstore.user_put(users, 'u', body);
		ELSE
			answer := userstore.user_patch(users, 'u', body);
		END IF;
		RETURN (answer #- '{meta,created}' #- '{meta,lastModified}')::text;
	EXCEPTION WHEN OTHERS THEN
		RETURN sqlstate || ' ' || sqlerrm;
	END \$\$;
	SELECT userstore.user_create(name, '{"userName": "u", "active": true}', 'u') FROM unnest('{own,app}'::regclass[]) name;
	-- what plain SQL sets in the one, in the document of the other
	CREATE FUNCTION by_sql(given text) RETURNS void LANGUAGE sql AS \$\$
		UPDATE app SET given = by_sql.given, logins = logins + 1 WHERE id = 'u';
		UPDATE own SET document = document - 'name' || CASE WHEN n.name = '{}' THEN '{}' ELSE jsonb_build_object('name', n.name) END
			FROM (SELECT coalesce(document -> 'name', '{}') - 'givenName' || jsonb_strip_nulls(jsonb_build_object('givenName', by_sql.given)) AS name FROM own) n \$\$;});

# ---- Random requests -------------------------------------------------------

sub one_of { return $_[ int(rand(@_)) ] }
sub maybe { return rand() < $_[0] }
sub word { return one_of('a', 'b', 'c d', "\x{e9}", 'X', "it's", '') || 'e' }
sub flag { return maybe(0.5) ? JSON::PP::true : JSON::PP::false }
sub some { return grep { maybe(0.6) } @_ }

sub words { return { map { $_ => word() } @_, some(@_) } }

sub emails
{
	my $primary = int(rand(5));
	my @emails;

	foreach my $type (some('work', 'home', 'other'))
	{
		my %email = (value => word() . '@example.com');
		$email{type} = $type if maybe(0.7);
		$email{display} = word() if maybe(0.4);
		$email{primary} = JSON::PP::false if maybe(0.2);
		$email{primary} = JSON::PP::true if @emails == $primary;
		push @emails, \%email;
	}
	return \@emails;
}

my %attributes = (
	userName => \&word,
	title => \&word,
	nickName => \&word,
	active => \&flag,
	name => sub { return words(one_of('givenName', 'familyName', 'middleName')) },
	emails => \&emails,
	phoneNumbers => sub { return [ map { { value => word(), type => $_ } } some('mobile', 'work', 'fax') ] },
	addresses => sub { return [ map { { locality => word(), type => $_ } } some('home', 'work') ] },
	photos => sub { return [ { value => 'http://example.com/' . int(rand(3)), type => 'photo' } ] },
	$enterprise => sub { return words(one_of('department', 'costCenter')) },);

sub body { return { map { $_ => $attributes{$_}->() } some(sort keys %attributes) } }

# Paths, and what they may be given.  An e-mail that is primary but has no value
# is nothing to a table with a column for that: no path makes one.
my %paths = (
	%attributes,
	'name.givenName' => \&word,
	'name.familyName' => \&word,
	'emails[primary eq true]' => sub { return { value => word() . '@example.com', display => word() } },
	'emails[type eq "work"]' => sub { return { value => word() . '@example.com' } },
	'emails[type eq "work"].display' => \&word,
	'addresses[type eq "work"].locality' => \&word,
	'phoneNumbers[type eq "mobile"]' => sub { return { value => word() } },
	"$enterprise:department" => \&word,);

sub operation
{
	my $path = one_of(sort keys %paths);
	my $op = one_of('add', 'replace', 'remove');

	return { op => $op, path => $path, $op eq 'remove' ? () : (value => $paths{$path}->()) };
}

sub request
{
	my $kind = rand();
	my $body = body();

	return ('put', { %$body, userName => word(), active => flag() }) if $kind < 0.35;
	if ($kind < 0.55)
	{
		$body->{$_} = undef foreach grep { $_ ne 'userName' && maybe(0.2) } keys %$body;
		return ('patch', $body);
	}
	return ('patch',
		{ schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [ map { operation() } 0 .. int(rand(3)) ] });
}

sub literal
{
	my ($text) = @_;
	return 'NULL' unless defined $text;
	$text =~ s/'/''/g;
	return "'$text'";
}

# ---- Both tables -----------------------------------------------------------

my @script;
my @requests;

foreach my $i (1 .. $updates)
{
	my ($operation, $body) = request();
	my $sql = literal($json->encode($body));

	push @requests, "$operation $sql";
	push @script, "SELECT 'update', outcome('own', '$operation', $sql), outcome('app', '$operation', $sql);";
	push @script, "SELECT by_sql(" . literal(maybe(0.3) ? undef : word()) . ");" if maybe(0.1);
	push @script, "SELECT 'again', userstore.user_get(name, 'u')::text, userstore.user_put(name, 'u', userstore.user_get(name, 'u'))::text FROM (VALUES ('app'::regclass)) t(name);"
	  if maybe(0.1);
}
my $script = join "\n", 'SET client_min_messages = error;', @script;
utf8::encode($script);
my $out = $node->safe_psql('userstore', $script, extra_params => [ '-F', "\t" ]);
my ($at, $differing, $errors, $again) = (0, 0, 0, 0);

foreach my $line (split /\n/, $out)
{
	my ($what, $expected, $got) = split /\t/, $line;

	next unless defined $got;
	$again++ if $what eq 'again';
	$errors++ if $what eq 'update' && $expected !~ /^\{/;
	$at++ if $what eq 'update';
	next if $expected eq $got;
	diag("$what $at: $requests[$at - 1]\nexpected: $expected\ngot:      $got") if $differing++ < 3;
}
is($at, $updates, 'all updates were made');
cmp_ok($errors, '<', $updates / 2, "most of them ($errors were errors in both tables)");
cmp_ok($again, '>', 0, 'users were put back');
is($differing, 0, 'users, versions and errors are the same in both tables, and what is put back changes nothing');
is( $node->safe_psql('userstore', q{
	SELECT count(*) > 100, count(*) FILTER (WHERE o IS DISTINCT FROM a)
	FROM (SELECT version, operation, document, changed FROM own_history) o FULL JOIN
		(SELECT version, operation, document, changed FROM app_history) a USING (version)}),
	't|0', 'and so is history');
is( $node->safe_psql('userstore', q{
	SELECT userstore.user_document('app', a) = (SELECT document FROM own), (SELECT version FROM app_state) = (SELECT version FROM own),
		(SELECT count(*) FROM (SELECT changed_at > lag(changed_at) OVER (ORDER BY version) AS later FROM app_history) h WHERE NOT later) FROM app a}),
	't|t|0', 'the user stands in columns and state as in the document, and times rise');

done_testing();
