# Filters, paths and PatchOp messages against the cases of a folder that is not
# part of the project: USERSTORE_VECTORS, or else "../shared/vectors" beside the
# checkout.
#
#   filters.json  [{id, kind: "filter" | "path", text, valid}]
#   patch.json    [{id, tier, before, patch, after | error: {scimType}}]
#
# Cases run on one of three tables: "shipped" has the shipped schemas, strictly,
# "more" with a few attributes more that cases take for granted, "free" has no
# schema.  A case belongs to the first one that knows every attribute of its
# documents and lets a client change those that change.  Errors whose code
# varies are errors there or, where the case is about a name that nobody knows,
# on "shipped".

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;

# Cases that contradict RFC 7644, with the sentence that they contradict.
my %left_out = (
	p459 => 'removes "meta". Section 3.5.2: "a client MUST NOT modify an attribute that has mutability'
	  . ' "readOnly" or "immutable"."',
	p514 => 'wants invalidValue. Section 3.5.2.2: "If an attribute is removed or becomes unassigned and is'
	  . ' defined as a required attribute or a read-only attribute, the server SHALL return an HTTP response'
	  . ' status code and a JSON detail error response as defined in Section 3.12, with a "scimType" error'
	  . ' code of "mutability"."',
);

my $folder = $ENV{USERSTORE_VECTORS} || "$FindBin::RealBin/../../../shared/vectors";
plan skip_all => "no folder of cases: neither USERSTORE_VECTORS nor ../shared/vectors"
  unless -d $folder;

my $node = UserstoreTest->new_node('scim_vectors');
$node->safe_psql('userstore', 'CREATE EXTENSION pgcrypto');
sub sql { return $node->safe_psql('userstore', 'SET client_min_messages = warning; ' . $_[0]) }

for my $name ('filters', 'patch')
{
	my $text = slurp_file("$folder/$name.json");
	die "$name.json holds the quote" if $text =~ /\$cases\$/;
	sql(qq{CREATE TABLE $name AS
		SELECT c AS one, c ->> 'id' AS id, n FROM jsonb_array_elements(\$cases\$$text\$cases\$) WITH ORDINALITY AS e(c, n)});
}

sql(<<'SQL');
SET search_path = userstore, public;

-- the shipped User, and what cases have of a Group and of mutability
SELECT attribute_schema_define(jsonb_build_object('id', 'urn:userstore:test:Vectors', 'attributes',
	(SELECT document -> 'attributes' FROM attribute_schema WHERE id = 'urn:ietf:params:scim:schemas:core:2.0:User') || '[
		{"name": "members", "type": "complex", "multiValued": true, "subAttributes": [
			{"name": "value"}, {"name": "display"}, {"name": "$ref", "type": "reference"}]},
		{"name": "locked", "mutability": "immutable"},
		{"name": "immutable", "mutability": "immutable"}]'));
SELECT api_profile_define('free', '{"body": "scim", "unknown_attributes": "keep"}');
SELECT user_table_create('public.free', api => 'free'),
	user_table_create('public.shipped', api => 'scim'),
	user_table_create('public.more', api => 'scim',
		schemas => '{urn:userstore:test:Vectors,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User}');

-- Is every attribute of a value in a schema?
CREATE FUNCTION public.is_known(value jsonb, attributes jsonb) RETURNS boolean LANGUAGE sql AS $$
	SELECT CASE jsonb_typeof(value)
		WHEN 'array' THEN (SELECT coalesce(bool_and(is_known(item, attributes)), true) FROM jsonb_array_elements(value) item)
		WHEN 'object' THEN (SELECT coalesce(bool_and(coalesce((SELECT is_known(m.value, a -> 'subAttributes')
				FROM jsonb_array_elements(attributes) a WHERE lower(a ->> 'name') = lower(m.key)), false)), true)
			FROM jsonb_each(value) m)
		ELSE true END
$$;

-- A document as tables hold it.  The cases' passwords are in clear.
CREATE FUNCTION public.stored(document jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT coalesce(jsonb_object_agg(key, value) FILTER (WHERE value NOT IN ('null', '[]')), '{}')
	FROM jsonb_each(document - '{id,meta,schemas,password}'::text[])
$$;

-- The readOnly parts of enterprise users
CREATE FUNCTION public.read_only(document jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT document #> '{urn:ietf:params:scim:schemas:extension:enterprise:2.0:User,manager,displayName}'
$$;

-- Are the documents of a case those of users with this core schema?
CREATE FUNCTION public.suits(one jsonb, core text) RETURNS boolean LANGUAGE sql AS $$
	SELECT is_known((one -> 'before') - own, attributes) AND is_known(coalesce(one -> 'after', '{}') - own, attributes) AND
		-- and what is removed that is not there
		(NOT one ? 'after' OR NOT EXISTS (SELECT FROM jsonb_path_query(one, 'lax $.patch.Operations[*].path ? (@ like_regex "^[a-zA-Z]+$")') path
			WHERE NOT is_known(jsonb_build_object(path #>> '{}', NULL), attributes || '[{"name": "id"}, {"name": "meta"}, {"name": "schemas"}]'))) AND
		(NOT one ? 'after' OR read_only(one -> 'before') IS NOT DISTINCT FROM read_only(one -> 'after'))
	FROM (SELECT '{id,meta,schemas}'::text[] AS own,
		(SELECT document -> 'attributes' FROM attribute_schema WHERE id = core) || '{"name": "externalId"}'::jsonb ||
			(SELECT jsonb_build_object('name', id, 'subAttributes', document -> 'attributes') FROM attribute_schema
				WHERE id = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User') AS attributes) a
$$;

CREATE FUNCTION public.belongs_to(one jsonb) RETURNS regclass LANGUAGE sql AS $$
	SELECT CASE WHEN suits(one, 'urn:ietf:params:scim:schemas:core:2.0:User') THEN 'shipped'
		WHEN suits(one, 'urn:userstore:test:Vectors') THEN 'more'
		ELSE 'free' END::regclass
$$;

-- What a command raises: '' for nothing, else the SQLSTATE and scimType.
CREATE FUNCTION public.refusal(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE command;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || coalesce(CASE WHEN detail LIKE '{%' THEN detail::jsonb ->> 'scimType' END, SQLERRM);
END $$;

-- What a patch does to a user of a table, and how it is refused.
CREATE FUNCTION public.patched(users regclass, before jsonb, patch jsonb, OUT refused text, OUT after jsonb) LANGUAGE plpgsql AS $$
DECLARE
	id text := coalesce(before ->> 'id', '1');
BEGIN
	EXECUTE format('INSERT INTO %s (id, document) VALUES ($1, $2)', users) USING id, stored(before);
	refused := refusal(format('SELECT user_patch(%L, %L, %L)', users, id, patch));
	EXECUTE format('DELETE FROM %s RETURNING document', users) INTO after;
END $$;

-- What is wrong with our answer to a case; '' for nothing
CREATE FUNCTION public.judged(one jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	users regclass := belongs_to(one);
	got record;
	wanted text := '';
BEGIN
	SELECT * INTO got FROM patched(users, one -> 'before', one -> 'patch');
	IF one ->> 'tier' = 'error-code-varies' THEN
		IF got.refused = '' THEN
			SELECT * INTO got FROM patched('shipped', one -> 'before', one -> 'patch');
		END IF;
		RETURN CASE WHEN got.refused LIKE 'PT400 %' THEN '' ELSE format('wanted an error, got "%s"', got.refused) END;
	END IF;
	IF one ? 'error' THEN
		wanted := 'PT400 ' || (one #>> '{error,scimType}');
	END IF;
	IF got.refused <> wanted THEN
		RETURN format('wanted "%s", got "%s" on %s', wanted, got.refused, users);
	ELSIF got.after <> stored(CASE WHEN one ? 'after' THEN one -> 'after' ELSE one -> 'before' END) THEN
		RETURN format('got %s on %s', got.after, users);
	END IF;
	RETURN '';
END $$;

-- The same for a filter or a path, which is one of a removal.
CREATE FUNCTION public.judged_text(one jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	is_path boolean := one ->> 'kind' = 'path';
	wanted text := CASE WHEN (one ->> 'valid')::boolean THEN '' WHEN is_path THEN 'PT400 invalidPath' ELSE 'PT400 invalidFilter' END;
	got text;
BEGIN
	IF is_path THEN
		got := refusal(format('SELECT user_patch(%L, %L, %L)', 'free', 'ann', jsonb_build_object(
			'schemas', '{urn:ietf:params:scim:api:messages:2.0:PatchOp}'::text[],
			'Operations', jsonb_build_array(jsonb_build_object('op', 'remove', 'path', one -> 'text')))));
	ELSE
		got := refusal(format('SELECT user_matches(%L, %L, %L)', 'free', '{}', one ->> 'text'));
	END IF;
	RETURN CASE WHEN got = wanted THEN '' ELSE format('%s: wanted "%s", got "%s"', one -> 'text', wanted, got) END;
END $$;
SQL

# The cases of a query that do not go as wanted are listed; none is as it should be.
sub all_pass
{
	my ($what, $query) = @_;
	my @wrong;
	my $count = 0;

	for my $line (split /\n/, sql("SET search_path = userstore, public; $query"))
	{
		my ($id, $problem) = split /\t/, $line, 2;
		next if $left_out{$id};
		$count++;
		push @wrong, "$id $problem" if $problem ne '';
	}
	cmp_ok($count, '>', 0, "there are cases: $what");
	is(join("\n", @wrong), '', "$count cases pass: $what");
	return;
}

for my $kind (split /\n/, sql("SELECT DISTINCT one ->> 'kind' FROM filters ORDER BY 1"))
{
	# for paths, a user who has nothing
	sql(q{INSERT INTO free (id, document) VALUES ('ann', '{}') ON CONFLICT DO NOTHING});
	all_pass("kind $kind", "SELECT id || E'\\t' || judged_text(one) FROM filters WHERE one ->> 'kind' = '$kind' ORDER BY n");
}
sql('DELETE FROM free');
for my $tier (split /\n/, sql("SELECT DISTINCT one ->> 'tier' FROM patch ORDER BY 1"))
{
	all_pass("tier $tier", "SELECT id || E'\\t' || judged(one) FROM patch WHERE one ->> 'tier' = '$tier' ORDER BY n");
}
note("left out: $_ $left_out{$_}") for sort keys %left_out;
note('on each table: ' . sql("SET search_path = userstore, public; SELECT string_agg(line, ', ') FROM (SELECT concat_ws(' ', belongs_to(one), count(*)) AS line FROM patch GROUP BY belongs_to(one)) c"));
$node->stop;
done_testing();
