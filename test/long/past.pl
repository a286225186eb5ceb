# What users were at any time: a thousand random updates, folded.

use strict;
use warnings;

use FindBin;

$ENV{PAST_UPDATES} = 1000;
exec $^X, (map { "-I$_" } @INC), "$FindBin::RealBin/../t/051_past.pl" or die "$^X: $!\n";
