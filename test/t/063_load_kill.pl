# userstore-load, killed at some points and started again: each record is
# applied once.  The long form is test/long/load.pl.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use KilledLoad;
use Test::More;
use UserstoreTest;

my $node = UserstoreTest->new_node('load_kill', conf => "log_statement = none\n");
my $load = KilledLoad->new($node, users => 20_000, kills => 3, patched => 5_000);

$load->users;
$load->patches;

SKIP:
{
	skip 'no /proc here', 1 if !defined $load->peak;
	cmp_ok($load->peak, '<', 64 * 2**20, sprintf 'it had %.1f MB at most', $load->peak / 2**20);
}

done_testing();
