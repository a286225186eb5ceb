# Microsoft Entra ID and Okta provision users through the web app of
# examples/express: the dialogues of test/dialogues, exchange by exchange.

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

my $node = UserstoreTest->new_node('provisioning');
my $app = WebApp->new($node);

sub query { return $node->safe_psql('userstore', @_) }

# The exchanges of a dialogue: title, request line, body, status, name for the
# id in the answer, answer.
sub read_dialogue
{
	my ($path) = @_;
	my ($comment, @parts) = split /^### /m, slurp_file($path);
	my @exchanges;

	foreach my $part (@parts)
	{
		my %exchange;
		@exchange{qw(title method path body status name answer)} =
		  $part =~ /\A([^\n]+)\n([A-Z]+) ([^\n]+)\n\s*(\{.*?)?\s*^-> (\d+)(?: as (\$\w+))?\n(.*)\z/ms
		  or die "$path: cannot be read: $part";
		push @exchanges, \%exchange;
	}
	return @exchanges;
}

# What is expected of an answer, where "..." stands for all members that are not
# named; what differs each time has been looked at.
sub comparable
{
	my ($got, $expected, $collection) = @_;

	if (ref $got eq 'ARRAY' && ref $expected eq 'ARRAY')
	{
		return [ map { comparable($got->[$_], $expected->[$_], $collection) } 0 .. $#$got ];
	}
	return $got if ref $got ne 'HASH' || ref $expected ne 'HASH';

	my %got = %$got;
	%got = %{ $app->settled(\%got, $collection) } if $got{userName};
	if ($expected->{'...'})
	{
		exists $expected->{$_} or delete $got{$_} for keys %got;
		$got{'...'} = '...';
	}
	return { map { $_ => comparable($got{$_}, $expected->{$_}, $collection) } keys %got };
}

# play(NAME, PREFIX, BLANK): sends a dialogue; then what is left is looked at
sub play
{
	my ($name, $prefix, $blank) = @_;
	my %variable;
	my $known = sub { $_[0] =~ s/(\$\w+)/$variable{$1} \/\/ $1/ger };

	foreach my $exchange (read_dialogue("$FindBin::RealBin/../dialogues/$name.http"))
	{
		my $title = "$name: $exchange->{title}";
		my $path = $known->($exchange->{path});
		my %opt;
		if (defined $exchange->{body})
		{
			$opt{body} = $known->($exchange->{body});
			$opt{headers}{'Content-Type'} = 'application/scim+json; charset=utf-8';
		}
		$path =~ s/ /$blank/g;
		$path =~ s/(["\[\]])/sprintf '%%%02X', ord $1/ge;

		my $answer = $app->request($exchange->{method}, "$prefix$path", %opt);
		is($answer->{status}, $exchange->{status}, $title) or diag($answer->{text});
		if ($exchange->{answer} !~ /\S/)
		{
			is($answer->{body}, '', "$title: no body");
			next;
		}
		is($answer->{headers}{'content-type'}, 'application/scim+json', "$title: media type");
		$variable{ $exchange->{name} } = $answer->{json}{id} if defined $exchange->{name};
		my $expected = decode_json($known->($exchange->{answer}));
		is(WebApp::shown(comparable($answer->{json}, $expected, "$prefix/Users")), WebApp::shown($expected), "$title: the answer");
	}
	return \%variable;
}

my $entra = play('entra', '/entra/scim/v2', '+');
is(query(q{SELECT document ->> 'userName' FROM people}), 'jyoung@testuser.com', 'entra: who was not deleted is there');
is(query(qq{SELECT count(*), min(version), max(version) FROM people_history WHERE user_id = '$entra->{'$user'}'}), '17|1|17', 'entra: history has all of it');
is(query(qq{SELECT string_agg(DISTINCT changed_by::text, ',') FROM people_history}), 'people_admin', 'entra: and by whom');
query(q{SELECT userstore.user_delete('people', id) FROM people});

my $okta = play('okta', '/okta/scim/v2', '%20');
is(query(q{SELECT count(*) FROM people}), '0', 'okta: nobody is left');
is(query(qq{SELECT string_agg(array_to_string(changed, ','), '; ' ORDER BY version) FROM people_history WHERE user_id = '$okta->{'$user'}' AND 'password' = ANY (changed)}) =~ s/[^;]//gr,
	';', 'okta: two passwords were set');
unlike(query(q{SELECT string_agg(to_jsonb(h)::text, '') FROM people_history h}), qr/1mz050nq|correct horse/, 'okta: and are not in history');
is($app->log, '', 'the app had nothing to complain of');
ok($app->stop, 'the app ends when it is asked to');

done_testing();
