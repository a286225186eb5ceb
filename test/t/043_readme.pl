# The commands of the README's section "Behind a web app", as a new user would
# copy them into one shell: each block of them says what the README shows.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;
use WebApp;

WebApp->skip_without;

# The app as ./run serve has it, but for the port.
my $node = UserstoreTest->new_node('readme');
($WebApp::admin, $WebApp::reader) = ('secret', 'look');
my $app = WebApp->new($node);
my $url = $app->url;

my ($section) = slurp_file("$FindBin::RealBin/../../README.md") =~ /^## Behind a web app\n(.*?)^## /ms;
my @blocks = $section =~ /^```sh\n(.*?)^```\n(?:```\n(.*?)^```\n)?/msg;
my ($script, @shown, @printed) = ('');

while (my ($commands, $output) = splice @blocks, 0, 2)
{
	$script .= "$commands\necho '=== end of block'\n";
	push @shown, $output // '';
}
$script =~ s/http:\/\/localhost:3000/$url/g;
{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'userstore', PGUSER => 'postgres');
	my ($out, $err);
	ok(IPC::Run::run([ 'sh', '-u' ], '<', \$script, '>', \$out, '2>', \$err), 'the commands run');
	is($err, '', 'without a complaint');
	@printed = split /=== end of block\n/, $out;
}

cmp_ok(scalar(@shown), '>=', 4, 'there are blocks of commands');
is(scalar(@printed), scalar(@shown), 'all of them were run');
foreach my $n (0 .. $#shown)
{
	# ids differ, and the README cuts them
	my $printed = $printed[$n] =~ s/\b[0-9a-f]{8}-[-0-9a-f]{27}\b/8c5a3f62-\xe2\x80\xa6/gr;
	is($printed =~ s/ +$//gmr =~ s/\n+\z/\n/r, $shown[$n] =~ s/ +$//gmr, 'block ' . ($n + 1) . ' says what the README shows');
}
ok($app->stop, 'the app ends when it is asked to');

done_testing();
