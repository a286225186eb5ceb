# How much memory userstore-load needs to read an input of some size.

package LoadMemory;

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

my $limit = 64 * 1024;

# The peak, in kB, when so many megabytes have come through a pipe: the first
# bytes, then records with something between.  The program still waits for more
# when it is looked at.
sub peak
{
	my ($megabytes, $first, $record, $between, @options) = @_;
	my $block = join $between, ($record) x (1024 * 1024 / length "$record$between");
	my $pid = open(my $pipe, '|-') // die "fork: $!\n";

	if ($pid == 0)
	{
		open STDOUT, '>', '/dev/null' or die "/dev/null: $!\n";
		exec 'userstore-load', '--to-json', @options or die "userstore-load: $!\n";
	}
	binmode $pipe;
	print $pipe $first, $block;
	print $pipe $between, $block for 2 .. $megabytes;
	$pipe->flush;
	my ($peak) = slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m;
	kill 'KILL', $pid;
	local $SIG{PIPE} = 'IGNORE';
	close $pipe;
	return $peak;
}

# Each kind of input, of so many megabytes, stays within the limit.
sub check
{
	my ($megabytes) = @_;
	my $user = '{"id":"u1","userName":"anna@example.com","name":{"familyName":"M"},"emails":[{"value":"anna@example.com","type":"work"}],'
	  . join(',', map { qq("attribute$_":"value $_") } 1 .. 30) . '}';

	SKIP:
	{
		skip 'no /proc', 4 if !-e "/proc/$$/status";
		foreach my $case (
			[ 'lines', '', $user, "\n" ],
			[ 'an array', '[', $user, ',' ],
			[ 'a list', '{"Resources":[', $user, ",\n" ],
			[ 'CSV', "id,a,b\n", qq(u1,"anna ""x"" y",) . 'z' x 800, "\n", '--format=csv' ])
		{
			my ($what, @input) = @$case;
			my $peak = peak($megabytes, @input);

			cmp_ok($peak, '<', $limit, "$megabytes MB of $what");
			note("$what: $peak kB");
		}
	}
	return;
}

1;
