# The change feed while others write, for half a minute.

use strict;
use warnings;

use FindBin;

$ENV{FEED_SECONDS} = 30;
exec $^X, (map { "-I$_" } @INC), "$FindBin::RealBin/../t/050_feed.pl" or die "$^X: $!\n";
