# Bulk does to each item what calls on one user would, one after the other in
# the order of the request: generated requests against a loop of such calls.
#
# BULK_SEED repeats a run with another seed than the usual one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use PostgreSQL::Test::Utils;
use Test::More;
use BulkOracle;
use UserstoreTest;

my $seed = $ENV{BULK_SEED} // 20260131;
srand $seed;
note("seed $seed");

my $node = UserstoreTest->new_node('bulk_oracle');

sub query { return $node->safe_psql('userstore', @_) }

# ---- Two tables that are alike ---------------------------------------------

$node->safe_psql('userstore', $BulkOracle::sql);
$node->safe_psql('userstore', q{
	SELECT userstore.attribute_schema_define('{"id": "urn:test:bulk:User", "attributes": [
		{"name": "login", "required": true, "uniqueness": "server"},
		{"name": "badge", "caseExact": true, "uniqueness": "server"},
		{"name": "nick"}, {"name": "age", "type": "integer", "maximum": 1000},
		{"name": "active", "type": "boolean"}, {"name": "team"}, {"name": "boss"}, {"name": "seat"},
		{"name": "fixed", "mutability": "immutable"}, {"name": "secret", "format": "password"},
		{"name": "marks", "type": "complex", "multiValued": true, "key": "k",
			"subAttributes": [{"name": "k"}, {"name": "v", "type": "integer"}]}]}');
	SELECT userstore.api_profile_define('creating',
		'{"schemas": ["urn:test:bulk:User"], "unknown_attributes": "reject"}', base => 'plain');
	SELECT userstore.api_profile_define('updating', '{"put_creates": false}', base => 'creating');

	-- one that takes no time
	CREATE FUNCTION oracle.hash(password text, hash text) RETURNS text LANGUAGE sql AS $$ SELECT md5(password) $$;
	CREATE ROLE caller;
	GRANT USAGE ON SCHEMA oracle TO caller;

	-- All that an update leaves behind.
	CREATE FUNCTION oracle.rows(place text) RETURNS SETOF text LANGUAGE plpgsql
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	BEGIN
		RETURN QUERY EXECUTE format($q$
			SELECT format('user %%s version %%s: %%s %%s', id, version, document, password_hash) FROM %1$I.people
			UNION ALL SELECT format('history of %%s version %%s: %%s %%s by %%s: %%s',
				user_id, version, operation, changed, changed_by, document)
			FROM %1$I.people_history
			UNION ALL SELECT format('%%s times in the audit: %%s', count(*), u) FROM %1$I.audit u GROUP BY u
			$q$, place);
	END $$;

	CREATE TABLE oracle.outcome (operation text, status text);
	GRANT INSERT ON oracle.outcome TO caller;

	-- Send a request to both; gives what differs.
	CREATE FUNCTION oracle.request(operation text, body jsonb, effective_api text, creates boolean, api text,
		rehearse boolean, key text) RETURNS SETOF text LANGUAGE plpgsql AS $$
	DECLARE
		call text := format('SELECT userstore.users_bulk_%s(''bulked.people'', $1, creates => $2, api => $3, dry_run => $4, atomic => $5, idempotency_key => $6)',
			operation);
		before text[];
		singles jsonb;
		bulk jsonb;
		again jsonb;
		failed int;
		state text;
		message text;
		detail text;
	BEGIN
		singles := oracle.one_by_one('looped.people', operation, body, effective_api);
		INSERT INTO oracle.outcome SELECT operation, value ->> 'status' FROM jsonb_array_elements(singles);
		SELECT min(n) - 1 FROM jsonb_array_elements(singles) WITH ORDINALITY AS l(value, n) WHERE value ? 'sqlstate' INTO failed;
		IF rehearse THEN
			before := ARRAY(SELECT oracle.rows('bulked') ORDER BY 1);
			EXECUTE call USING body, creates, api, true, false, key INTO bulk;
			RETURN QUERY SELECT 'dry run: ' || d FROM oracle.differences(singles, bulk) d;
			BEGIN
				EXECUTE call USING body, creates, api, false, true, key INTO bulk;
				IF failed IS NOT NULL THEN
					RETURN NEXT format('atomic: nothing was raised, item %s fails', failed);
				ELSE
					RETURN QUERY SELECT 'atomic: ' || d FROM oracle.differences(singles, bulk) d;
				END IF;
				RAISE SQLSTATE 'UU000';
			EXCEPTION WHEN SQLSTATE 'UU000' THEN
				NULL;
			WHEN OTHERS THEN
				GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
				IF failed IS NULL OR state <> singles -> failed ->> 'sqlstate' OR message <> singles -> failed ->> 'error'
					OR (detail::jsonb -> 'index')::int <> failed
					OR detail::jsonb ->> 'path' IS DISTINCT FROM singles -> failed ->> 'path' AND singles -> failed ? 'id' THEN
					RETURN NEXT format('atomic: %s %s with %s, the first failure is %s: %s',
						state, message, detail, failed, singles -> failed);
				END IF;
			END;
			IF before <> ARRAY(SELECT oracle.rows('bulked') ORDER BY 1) THEN
				RETURN NEXT 'the rehearsals left something';
			END IF;
		END IF;
		EXECUTE call USING body, creates, api, false, false, key INTO bulk;
		RETURN QUERY SELECT oracle.differences(singles, bulk);
		RETURN QUERY SELECT 'bulk left ' || r FROM (SELECT oracle.rows('bulked') EXCEPT ALL SELECT oracle.rows('looped')) d(r);
		RETURN QUERY SELECT 'the loop left ' || r FROM (SELECT oracle.rows('looped') EXCEPT ALL SELECT oracle.rows('bulked')) d(r);
		IF key IS NOT NULL THEN
			before := ARRAY(SELECT oracle.rows('bulked') ORDER BY 1);
			EXECUTE call USING body, creates, api, false, false, key INTO again;
			IF again <> bulk OR before <> ARRAY(SELECT oracle.rows('bulked') ORDER BY 1) THEN
				RETURN NEXT 'the replay did something';
			END IF;
		END IF;
	END $$;

	-- Someone leaves, and may come back.
	CREATE FUNCTION oracle.leave(id text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM userstore.user_delete('looped.people', id);
		PERFORM userstore.user_delete('bulked.people', id);
	EXCEPTION WHEN SQLSTATE 'PT404' OR SQLSTATE '23503' OR SQLSTATE '42501' THEN
		NULL;
	END $$});

# What a kind of table has, in SQL for each of the two.
my %feature = (
	checks => q{
		ALTER TABLE people ADD CONSTRAINT age_is_human CHECK ((document ->> 'age')::numeric < 150),
			ADD CONSTRAINT nick_is_there CHECK (document ->> 'nick' IS DISTINCT FROM 'unchecked')},
	teams => q{
		CREATE TABLE team (name text PRIMARY KEY);
		INSERT INTO team VALUES ('red'), ('blue');
		ALTER TABLE people ADD team text GENERATED ALWAYS AS (document ->> 'team') STORED REFERENCES team},
	bosses => q{
		ALTER TABLE people ADD boss text GENERATED ALWAYS AS (document ->> 'boss') STORED REFERENCES people},
	# constraints that are the application's, which speak up row by row
	seats => q{
		ALTER TABLE people ADD CONSTRAINT own_seat EXCLUDE USING btree ((document ->> 'seat') WITH =);
		CREATE UNIQUE INDEX own_nick ON people ((document ->> 'nick')) WHERE document ->> 'nick' LIKE 'own%'},
	# for a caller who is not the owner
	policies => q{
		SELECT userstore.user_create('people', jsonb_build_object('login', i, 'nick', nick), i)
		FROM (VALUES ('h1', 'hidden'), ('h2', 'hidden'), ('k1', 'locked'), ('k2', 'locked')) u(i, nick);
		GRANT SELECT, INSERT, UPDATE, DELETE ON people TO caller;
		GRANT INSERT ON audit TO caller;
		ALTER TABLE people ENABLE ROW LEVEL SECURITY;
		CREATE POLICY visible ON people FOR SELECT USING (document ->> 'nick' IS DISTINCT FROM 'hidden');
		CREATE POLICY to_change ON people FOR UPDATE USING (document ->> 'nick' IS DISTINCT FROM 'locked')
			WITH CHECK (document ->> 'nick' IS DISTINCT FROM 'forbidden');
		CREATE POLICY to_add ON people FOR INSERT WITH CHECK (document ->> 'nick' IS DISTINCT FROM 'barred');
		CREATE POLICY to_delete ON people FOR DELETE USING (document ->> 'nick' IS DISTINCT FROM 'locked')},
	triggers => q{
		CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$
		DECLARE
			nick text := NEW.document ->> 'nick';
			word text := split_part(nick, ':', 2);
		BEGIN
			CASE split_part(nick, ':', 1)
			WHEN 'raise' THEN
				RAISE EXCEPTION '% is refused', NEW.id USING ERRCODE = word;
			WHEN 'path' THEN
				RAISE EXCEPTION '% has a path', NEW.id USING DETAIL = '{"path": "nick"}';
			WHEN 'detail' THEN
				RAISE EXCEPTION '% has no path', NEW.id USING DETAIL = word;
			WHEN 'drop' THEN
				RETURN NULL;
			WHEN 'upper' THEN
				NEW.document := jsonb_set(NEW.document, '{nick}', to_jsonb(upper(word)));
			WHEN 'login' THEN
				NEW.document := jsonb_set(NEW.document, '{login}', to_jsonb(word));
			WHEN 'old' THEN
				IF TG_OP = 'UPDATE' THEN
					NEW.document := OLD.document;
				END IF;
			ELSE
				NULL;
			END CASE;
			RETURN NEW;
		END $$;
		CREATE TRIGGER judge BEFORE INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION judge();
		CREATE FUNCTION look_back() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO audit VALUES (TG_OP, NEW.id, NEW.version, NEW.document);
			IF split_part(NEW.document ->> 'nick', ':', 1) = 'after' THEN
				RAISE EXCEPTION '% is taken back', NEW.id USING ERRCODE = split_part(NEW.document ->> 'nick', ':', 2);
			END IF;
			RETURN NULL;
		END $$;
		ALTER FUNCTION look_back() SET search_path FROM CURRENT;
		CREATE TRIGGER look_back AFTER INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION look_back()});

my %kind;    # of the table that stands

sub make_tables
{
	my ($id_type, @features) = @_;

	%kind = map { $_ => 1 } @features, $id_type;
	foreach my $place (qw(bulked looped))
	{
		query(qq{
			SET client_min_messages = warning;
			DROP SCHEMA IF EXISTS $place CASCADE;
			CREATE SCHEMA $place;
			GRANT USAGE ON SCHEMA $place TO caller;
			SET search_path = $place;
			SELECT userstore.user_table_create('people', api => 'creating', id_type => '$id_type', password_function => 'oracle.hash');
			CREATE TABLE audit (operation text, id text, version bigint, document jsonb);
			} . join ';', map { $feature{$_} // () } @features);
	}
	return;
}

# ---- Requests --------------------------------------------------------------

sub one_of { return $_[ int rand @_ ] }

sub chance { return rand() < $_[0] }

my ($fresh, %standing, @ids, @logins, @badges);

# The users that there are, to be run into.
sub look_around
{
	%standing = ();
	foreach my $user (@_)
	{
		my ($id, $login, $badge) = split /\|/, $user;

		$standing{$id} = { login => $login, badge => $badge };
	}
	@ids = sort keys %standing;
	@logins = map { $standing{$_}{login} } @ids;
	@badges = grep { length } map { $standing{$_}{badge} } @ids;
	return;
}

sub new_id { return $kind{text} ? 'u' . ++$fresh : ++$fresh }
sub new_login { return 'l' . ++$fresh }
sub new_badge { return 'b' . ++$fresh }

# An object as JSON, from pairs of a name and a value in JSON.
sub object
{
	my @pairs = @_;
	my @members;

	while (my ($name, $value) = splice @pairs, 0, 2)
	{
		push @members, qq{"$name": $value};
	}
	return '{' . join(', ', @members) . '}';
}

sub string { return qq{"$_[0]"} }
sub string_in_sql { return "'$_[0]'" }

# An id in JSON; that of a number may be written in several ways.
sub id
{
	my ($id) = @_;

	return string($id) if $kind{text} || chance(0.8);
	return $id if chance(0.7);
	return string("00$id");
}

sub in_any_case { return chance(0.5) ? uc $_[0] : $_[0] }

# Attributes beside those that are unique; trouble is how likely they are
# refused.
sub others
{
	my ($trouble) = @_;
	my %value;

	$value{nick} = string(one_of('n1' .. 'n9')) if chance(0.6);
	$value{age} = int rand 100 if chance(0.4);
	$value{active} = one_of('true', 'false', 'null') if chance(0.2);
	$value{marks} = '[' . join(', ', map { object(k => string($_), v => int rand 3) } grep { chance(0.5) } 'a' .. 'c') . ']'
	  if chance(0.2);
	$value{fixed} = string('f') if chance(0.1);
	$value{team} = string(one_of(qw(red blue))) if chance(0.2);
	$value{boss} = string(one_of(@ids)) if @ids && chance(0.2);
	$value{seat} = string('s' . ++$fresh) if chance(0.2);
	$value{secret} = one_of('null', string('x'), string('y')) if $kind{passwords} && chance(0.3);
	if (chance($trouble))
	{
		my @troubles = (
			sub { $value{age} = string('old') },
			sub { $value{age} = 1001 },
			sub { $value{shoe} = 42 },
			sub { $value{fixed} = string('g') },
			sub { $value{secret} = '42' },
			sub { $value{marks} = '[{"k": "a", "v": "x"}]' },
			sub { $value{seat} = string(one_of('s1' .. 's9')) });

		push @troubles, sub { $value{age} = 150 + int rand 2 }, sub { $value{nick} = string('unchecked') } if $kind{checks};
		push @troubles, sub { $value{team} = string('green') } if $kind{teams};
		push @troubles, sub { $value{boss} = string(one_of('nobody', 'u' . ($fresh + 1 + int rand 3), 'u' . int rand 1 + $fresh)) }
		  if $kind{bosses};
		push @troubles, sub { $value{nick} = string(one_of('own1' .. 'own5')) }, sub { $value{seat} = string(one_of('t1' .. 't9')) }
		  if $kind{seats};
		push @troubles, (sub { $value{nick} = string(one_of(qw(hidden locked forbidden barred))) }) x 3 if $kind{policies};
		push @troubles, (
			sub { $value{nick} = string('raise:' . one_of(qw(P0001 PT422 PT404 PTXYZ 42501 42501 22023 23505 23503 23P01 23514 0A000 P0002))) },
			sub { $value{nick} = string(one_of('path', 'detail:{', 'detail:[1]', 'detail:1', 'detail:{}', 'detail:some text')) },
			sub { $value{nick} = string('drop') },
			sub { $value{nick} = string('upper:' . one_of('a' .. 'c')) },
			sub { $value{nick} = string('login:' . one_of(@logins, 'l' . ($fresh + 1), new_login())) },
			sub { $value{nick} = string('old') },
			sub { $value{nick} = string('after:' . one_of(qw(P0001 PT422 42501 23505 55000))) }) x 3
		  if $kind{triggers};
		one_of(@troubles)->();
	}
	return map { $_ => $value{$_} } sort keys %value;
}

# Items without a user.
sub lost
{
	return one_of(object(login => string(new_login())), object(id => 'null', login => string(new_login())),
		object(id => string(''), login => string(new_login())), object(id => 'true', login => string(new_login())),
		object(id => '["u1"]', login => string(new_login())), object(id => string('x' x 256), login => string(new_login())),
		'null', '1', '"u1"', '[]', '{}', '[{"id": "u1"}]', $kind{text} ? () : object(id => string('u1'), login => string(new_login())));
}

# Several items that have to do with each other.
sub story
{
	my ($trouble) = @_;
	my ($a, $b, $c) = @ids >= 3 ? (one_of(@ids), one_of(@ids), one_of(@ids)) : (new_id(), new_id(), new_id());
	my ($name, %value) = chance(0.6) ? ('login') : ('badge');
	my $put = sub {
		my ($id, $value) = @_;
		my $login = $name eq 'login' ? in_any_case($value) : $standing{$id} ? $standing{$id}{login} : new_login();

		return object(id => id($id), login => string($login), $name eq 'badge' ? (badge => string($value)) : (), others($trouble));
	};
	my $new = sub { return $name eq 'login' ? new_login() : new_badge() };

	$value{$_} = $standing{$_} && length $standing{$_}{$name} ? $standing{$_}{$name} : $new->() for $a, $b, $c;
	return one_of(
		# two swap
		sub { ($put->($a, $value{$b}), $put->($b, $value{$a})) },
		# two swap by way of a third value
		sub { ($put->($a, $new->()), $put->($b, $value{$a}), $put->($a, $value{$b})) },
		# a value that a later item frees
		sub { ($put->($a, $value{$b}), $put->($b, $new->())) },
		# one that an earlier item freed
		sub { ($put->($b, $new->()), $put->($a, $value{$b})) },
		# one that an item frees that fails
		sub { ($put->($b, $value{$c}), $put->($a, $value{$b})) },
		# passed on from one new user to the next
		sub { my $v = $new->(); ($put->($a, $v), $put->($a, $new->()), $put->(new_id(), $v)) },
		# wanted by several
		sub { my $v = $new->(); map { $put->($_, $v) } new_id(), $a, new_id() },
		# tried again after it was freed
		sub { ($put->($a, $value{$b}), $put->($b, $new->()), $put->($a, $value{$b})) },
		# one user several times, with the values of others and its own again
		sub { ($put->($a, $new->()), $put->($a, $value{$b}), $put->($a, $value{$a}), $put->($a, $value{$a})) },
		# from hand to hand
		sub { ($put->($a, $new->()), $put->($b, $value{$a}), $put->($c, $value{$b})) },
		sub { ($put->($c, $value{$b}), $put->($b, $value{$a}), $put->($a, $new->())) })->();
}

sub single
{
	my ($operation, $collision, $trouble) = @_;
	my $id = @ids > 10 && chance($operation eq 'put' ? 0.7 : 0.95) ? one_of(@ids) : new_id();
	my @unique;

	push @ids, $id if !$standing{$id} && chance(0.3);    # once more in this request
	if ($operation eq 'put' || chance(0.3))
	{
		my $login = $standing{$id} && chance(0.7) ? $standing{$id}{login} : new_login();

		$login = one_of(@logins, "l$fresh") if chance($collision);
		@unique = (login => string(in_any_case($login))) unless chance($trouble / 5);
		push @logins, $login;
	}
	if (chance(0.4))
	{
		my $badge = $standing{$id} && length $standing{$id}{badge} && chance(0.7) ? $standing{$id}{badge} : new_badge();

		$badge = in_any_case(one_of(@badges, "b$fresh")) if chance($collision);
		push @unique, badge => chance(0.05) ? 'null' : string($badge);
		push @badges, $badge;
	}
	return object(id => id($id), @unique, others($trouble));
}

sub request
{
	my ($operation) = @_;
	my $size = one_of(1, 1 + int rand 10, 1 + int rand 60, 1 + int rand 60, 1 + int rand 60, chance(0.4) ? 120 + int rand 180 : 30);
	my ($collision, $trouble) = (one_of(0, 0.02, 0.1, 0.3), one_of($kind{triggers} ? 0.1 : 0, 0.02, 0.1, 0.5));
	my @items;

	while (@items < $size)
	{
		my $kind = rand;

		if ($kind < $collision / 3)
		{
			my @story = story($trouble);

			# others come in between
			@story = map { ($_, chance(0.3) ? single($operation, $collision, $trouble) : ()) } @story;
			push @items, @story;
		}
		elsif ($kind < ($collision + $trouble) / 3)
		{
			push @items, lost();
		}
		elsif (@items && chance(0.05))
		{
			push @items, one_of(@items);    # again
		}
		else
		{
			push @items, single($operation, $collision, $trouble);
		}
	}
	return @items;
}

# ---- Both ways -------------------------------------------------------------

sub try_requests
{
	my ($name, $count, $id_type, @features) = @_;
	my $role = grep({ $_ eq 'policies' } @features) ? 'caller' : 'postgres';
	my @wrong;

	$fresh = 0;
	look_around();
	make_tables($id_type, @features);
	foreach my $n (1 .. $count)
	{
		my $operation = chance(0.65) ? 'put' : 'patch';
		my @items = request($operation);
		my $creates = one_of('NULL', 'NULL', 'NULL', 'true', 'false');
		# a PATCH that creates is like no call on one user
		$creates = 'NULL' if $operation eq 'patch' && $creates eq 'true';
		my $api = one_of('NULL', 'NULL', "'creating'", "'updating'");
		my $effective = $creates eq 'NULL' ? ($api eq "'updating'" ? 'updating' : 'creating')
		  : $creates eq 'true' ? 'creating' : 'updating';
		my $key = chance(0.5) ? "'key $n'" : 'NULL';
		my $rehearse = chance(0.4) ? 'true' : 'false';

		($effective, $creates) = ('creating', 'NULL') if $n <= 3 && $api eq 'NULL' || $n == 1;
		$api = 'NULL' if $n == 1;
		my $leaving = @ids && chance(0.7) ? string_in_sql(one_of(@ids)) : 'NULL';
		my $call = "oracle.request('$operation', '[" . join(', ', @items) . "]', '$effective', $creates, $api, $rehearse, $key)";
		my @lines = split /\n/, query(qq{
			SET ROLE $role;
			SELECT $call;
			SELECT FROM oracle.leave($leaving) WHERE $leaving IS NOT NULL;
			RESET ROLE;
			SELECT 'there is ' || concat_ws('|', id, document ->> 'login', document ->> 'badge') FROM looped.people ORDER BY id});
		my @differences = grep { length && !/^there is / } @lines;

		look_around(map { /^there is (.*)/ } @lines);
		next if !@differences;
		push @wrong, $n;
		splice @differences, 10;
		append_to_file("$PostgreSQL::Test::Utils::log_path/bulk_request_${n}_$name.sql", "SELECT $call;\n");
		diag("request $n of $name, seed $seed: $operation of " . @items . ' items' . "\n" . join "\n", @differences)
		  if @wrong <= 3;

		# go on from tables that are alike again
		make_tables($id_type, @features);
		look_around();
	}
	is("@wrong", '', "$name: $count requests");
	foreach my $place (qw(bulked looped))
	{
		is(query("SELECT oracle.wrong_histories('$place.people')"), '0', "$name: history tells it all ($place)");
	}
	return;
}

try_requests('plain table', 40, 'text');
try_requests('numbered users with passwords', 30, 'integer', 'checks', 'passwords');
try_requests('checks and foreign keys', 30, 'text', 'checks', 'teams');
try_requests('foreign keys to the table itself', 20, 'text', 'bosses');
try_requests('triggers', 40, 'text', 'triggers');
try_requests('row security', 15, 'text', 'policies');
try_requests('constraints that speak up row by row', 10, 'text', 'seats');
try_requests('all of it', 15, 'text', 'checks', 'teams', 'bosses', 'triggers', 'seats', 'policies', 'passwords');

# Whether the requests were worth it.
my %outcome = map { split /\|/ } split /\n/,
  query(q{SELECT operation || ' ' || status, count(*) FROM oracle.outcome GROUP BY 1});

note(join ', ', map { "$_: $outcome{$_}" } sort keys %outcome);
cmp_ok($outcome{$_} // 0, '>=', 10, "there were enough of $_")
  for 'put 201', map { ("put $_", "patch $_") } 200, 400, 403, 404, 409, 500;

done_testing();
