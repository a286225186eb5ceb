# What userstore-load needs to read 300 MB of each kind of input.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use LoadMemory;
use Test::More;

LoadMemory::check(300);
done_testing();
