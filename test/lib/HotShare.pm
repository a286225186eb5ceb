# The share of HOT updates, as PostgreSQL counts them.
#
#   my %share = HotShare::measure($node, 1000);
#
# gives for so many updates of the database userstore, each a transaction:
#   none        of an attribute, on a table that has no indexed one
#   two         of the same attribute, on a table with two indexed others
#   changing    of one of those that are indexed

package HotShare;

use strict;
use warnings;

my $users = 200;

# The updates, in turn of one user after the other.
sub share_of
{
	my ($node, $table, $attribute, $updates) = @_;

	$node->safe_psql('userstore', qq{
		SELECT pg_stat_reset_single_table_counters('$table'::regclass);
		SELECT format('SELECT userstore.user_patch(%L, %L, %L) IS NULL', '$table', 'u' || i % $users, jsonb_build_object('$attribute', 'value ' || i))
		FROM generate_series(1, $updates) i \\gexec
		SELECT pg_stat_force_next_flush()});
	return $node->safe_psql('userstore', qq{
		SELECT round(n_tup_hot_upd / n_tup_upd::numeric, 3) FROM pg_stat_user_tables WHERE relid = '$table'::regclass AND n_tup_upd = $updates});
}

sub measure
{
	my ($node, $updates) = @_;
	my %share;

	$node->safe_psql('userstore', q{
		SELECT userstore.attribute_schema_define('{"id": "urn:test:hot:User", "attributes": [{"name": "title"}, {"name": "text"}, {"name": "nickName"},
			{"name": "emails", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, {"name": "type"}]}]}')});
	foreach my $table (qw(hot_none hot_two))
	{
		$node->safe_psql('userstore', qq{
			SELECT userstore.user_table_create('$table', schemas => '{urn:test:hot:User}');
			ALTER TABLE $table SET (autovacuum_enabled = off);
			INSERT INTO $table (id, document) SELECT 'u' || i, jsonb_build_object('title', 'Title ' || i % 10, 'text', repeat(md5(i::text), 10),
				'emails', jsonb_build_array(jsonb_build_object('value', i || '\@example.com', 'type', 'work')))
			FROM generate_series(0, $users - 1) i});
	}
	$node->safe_psql('userstore', qq{SELECT userstore.users_index('hot_two', '$_')}) for qw(title emails.value);
	$node->safe_psql('userstore', 'VACUUM ANALYZE hot_none, hot_two');
	$share{none} = share_of($node, 'hot_none', 'nickName', $updates);
	$share{two} = share_of($node, 'hot_two', 'nickName', $updates);
	$share{changing} = share_of($node, 'hot_two', 'title', $updates);
	return %share;
}

1;
