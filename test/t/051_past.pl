# What users were at any time: random updates, folded.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use PastOracle;
use UserstoreTest;

my $node = UserstoreTest->new_node('past', conf => "autovacuum = off\n");

PastOracle::run($node, updates => $ENV{PAST_UPDATES} // 200);

done_testing();
