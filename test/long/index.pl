# Indexes on attributes find what a scan finds: 200 filters made at random on
# 100,000 users.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Test::More;
use IndexFilters;
use UserstoreTest;

my $node = UserstoreTest->new_node('index_long');

IndexFilters::fill($node, 100_000);
IndexFilters::compare($node, 200);

done_testing();
