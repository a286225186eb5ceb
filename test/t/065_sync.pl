# Feeds do to each user what calls on one user would, preview and run agree, and
# a revert gives everything back: generated feeds against a model.
#
# SYNC_SEED repeats a run with another seed than the usual one, SYNC_FEEDS says
# how many feeds there are.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use SyncOracle;
use UserstoreTest;

my $node = UserstoreTest->new_node('sync', conf => "autovacuum = off\nfsync = off\n");

SyncOracle::setup($node);
my $outcome = SyncOracle::try_feeds($node, feeds => $ENV{SYNC_FEEDS} // 45, seed => $ENV{SYNC_SEED} // 20261122, only => $ENV{SYNC_KIND});

# Whether the feeds were worth it.
cmp_ok($outcome->{$_} // 0, '>=', 5, "there were enough: $_")
  foreach $ENV{SYNC_KIND} ? () : qw(created changed reactivated deactivated deleted failed refused again), $ENV{SYNC_KIND} ? () : ('revert', 'revert of the revert');

done_testing();
