# A PostgreSQL::Test::Cluster with userstore in it.
#
#   use FindBin;
#   use lib "$FindBin::RealBin/../lib";
#   use UserstoreTest;
#   my $node = UserstoreTest->new_node('main');
#   is($node->safe_psql('userstore', 'SELECT ...'), ...);
#
# Where the extension is found is told by TEMP_CONFIG, a file of settings that
# PostgreSQL::Test::Cluster adds to those of every node; ./run makes one.
# Without it, as under "make installcheck", the installed extension is tested.

package UserstoreTest;

use strict;
use warnings;

use parent 'PostgreSQL::Test::Cluster';

# The superuser has one name, whoever runs the tests.
$ENV{PGUSER} = 'postgres';

# new_node(NAME, OPTION => ...): a running node with the extension in the
# database userstore.  Options:
#   database => a name for it; undef: no database, no extension
#   conf => lines for postgresql.conf
#   all others: as in init()
sub new_node
{
	my ($class, $name, %opt) = @_;
	my $database = exists $opt{database} ? delete $opt{database} : 'userstore';
	my $conf = delete $opt{conf};
	my $node = $class->new($name);

	# Tests mean the same in every locale and to every user.
	unshift @{ $opt{extra} }, '--encoding=UTF8', '--locale=C.UTF-8',
	  '--username=postgres';
	$node->init(%opt);
	$node->append_conf('postgresql.conf', $conf) if defined $conf;
	$node->start;
	if (defined $database)
	{
		$node->safe_psql('postgres', qq{CREATE DATABASE "$database"});
		$node->safe_psql($database, 'CREATE EXTENSION userstore');
	}
	return $node;
}

1;
