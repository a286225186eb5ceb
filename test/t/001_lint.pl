# Each rule of test/lint catches what breaks it.

use strict;
use warnings;

use FindBin;
use Test::More;

open my $lint, '-|', "$FindBin::RealBin/../lint", '--self-test'
  or die "test/lint: $!";
while (<$lint>)
{
	if (/^(not )?ok - (.*)/)
	{
		ok(!$1, $2);
	}
	else
	{
		diag($_);
	}
}
done_testing();
