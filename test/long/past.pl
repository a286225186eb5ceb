# What users were at any time: a thousand random updates, folded.

use strict;
use warnings;

use FindBin;

$ENV{PAST_UPDATES} = 1000;
my $test = "$FindBin::RealBin/../t/051_past.pl";
do $test or die $@ || "$test: $!\n";
