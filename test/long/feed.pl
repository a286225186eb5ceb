# The change feed while others write, for half a minute.

use strict;
use warnings;

use FindBin;

$ENV{FEED_SECONDS} = 30;
my $test = "$FindBin::RealBin/../t/050_feed.pl";
do $test or die $@ || "$test: $!\n";
