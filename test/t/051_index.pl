# Indexes on attributes: user_matches and users_list find by them what a scan
# finds, with 200 filters made at random on 2,000 users (test/long has more);
# updates that leave the indexed values as they are stay HOT.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use HotShare;
use IndexFilters;
use UserstoreTest;

my $node = UserstoreTest->new_node('index', conf => "autovacuum = off\n");

IndexFilters::fill($node, 2000);
IndexFilters::compare($node, 200);

# ---- Plans of users_list ---------------------------------------------------

# The plan of the statement that a list runs, as auto_explain logs it.
sub plan_of_list
{
	my ($filter) = @_;
	my ($out, $err);
	$node->psql('userstore', qq{
		LOAD 'auto_explain';
		SET auto_explain.log_nested_statements = on;
		SET auto_explain.log_level = notice;
		SET auto_explain.log_min_duration = 0;
		SELECT userstore.users_list('people', '$filter')}, stdout => \$out, stderr => \$err);
	return join '; ', $err =~ /->  .*?((?:Index|Bitmap Index|Seq) Scan (?:using|on) \w+)/g;
}
is(plan_of_list('userName eq "user5"'), 'Index Scan using people_unique_user_name_key', 'userName eq');
is(plan_of_list('emails.value eq "u5@example.com"'), 'Bitmap Index Scan on people_index_emails_value_idx', 'emails.value eq');
is(plan_of_list('userName eq "user5" and active eq true'), 'Index Scan using people_unique_user_name_key', '... and active eq true');
is(plan_of_list('userName co "5"'), 'Seq Scan on people', 'userName co: all are read');

# ---- HOT -------------------------------------------------------------------

my %share = HotShare::measure($node, 1000);
cmp_ok($share{none}, '>', 0.9, "without indexes $share{none} of the updates are HOT");
cmp_ok(abs($share{two} - $share{none}), '<', 0.05, "with two indexed attributes, $share{two} are");
cmp_ok($share{changing}, '<', 0.05, "of updates that change an indexed value, $share{changing} are");

done_testing();
