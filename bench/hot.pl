# What indexes on attributes do to the share of HOT updates: 1,000 updates of an
# attribute that has none, on a table without indexed attributes and on one with
# two; then of one of those two.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../test/lib";
use Test::More;
use HotShare;
use UserstoreTest;

my $updates = $ARGV[0] // 1000;
my $node = UserstoreTest->new_node('hot');
my %share = HotShare::measure($node, $updates);

# standard output is the log's
my $out = Test::More->builder->output;
print $out sprintf "%-60s %s\n", 'HOT updates', "of $updates";
print $out sprintf "%-60s %5.1f %%\n", @$_ for
	[ 'no attribute indexed', 100 * $share{none} ],
	[ 'title and emails.value indexed, another attribute updated', 100 * $share{two} ],
	[ 'title and emails.value indexed, title updated', 100 * $share{changing} ];
