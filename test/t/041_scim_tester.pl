# scim2-tester against the web app of examples/express: every check that it has
# for a server such as this one, each a test here.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;
use WebApp;

# A virtual environment with what test/scim_tester.txt names, made by ./run.
my $python = $ENV{SCIM_TESTER};

# Checks that may be skipped: title, and why.
my %skipped = ();

WebApp->skip_without;
plan skip_all => "scim2-tester is not installed; ./run has it if it can reach PyPI" if !$python;

my $node = UserstoreTest->new_node('scim_tester');
my $app = WebApp->new($node);
my %count;

sub check_api
{
	my ($path) = @_;
	my ($out, $err);
	ok(IPC::Run::run([ $python, "$FindBin::RealBin/../scim_tester.py", $app->url . $path, $WebApp::admin ], '<', \undef, '>', \$out, '2>', \$err),
		"$path: scim2-tester runs") or diag($err);
	foreach my $line (split /\n/, $out)
	{
		my $check = decode_json($line);
		my ($status, $title) = @$check{qw(status title)};

		$count{$status}++;
		ok($status eq 'SUCCESS' || ($status eq 'SKIPPED' && $skipped{$title}), "$path: $title: " . ($check->{reason} // '') =~ s/\n/ /gr)
		  or diag("$status: $check->{data}");
	}
}

check_api($_) for qw(/scim/v2 /entra/scim/v2 /okta/scim/v2);

# What it does not check is not there to be skipped: each kind has been at work.
cmp_ok($count{SUCCESS} // 0, '>=', 3 * 110, 'it had something to check');
diag('scim2-tester: ' . join ', ', map { "$count{$_} " . lc $_ } sort keys %count);
is($node->safe_psql('userstore', 'SELECT count(*) FROM people'), '0', 'it has deleted all that it created');
is($app->log, '', 'the app had nothing to complain of');
ok($app->stop, 'the app ends when it is asked to');

done_testing();
