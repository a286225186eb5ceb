# The Django project of examples/django: its auth_user, made by Django's own
# migrations, attached by one of its own, changed by the ORM and by the
# functions.  All of it as a role that owns the database and is no superuser.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstoreTest;
use WebApp;

# A virtual environment with what examples/django/requirements.txt names, made
# by ./run.
my $python = $ENV{DJANGO};
my $project = "$FindBin::RealBin/../../examples/django";

plan skip_all => 'Django is not installed; ./run has it if it can reach PyPI' if !$python;
plan skip_all => 'no curl' if !WebApp::runs('curl', '--version');

my $node = UserstoreTest->new_node('django', database => undef);
$node->safe_psql('postgres', 'CREATE ROLE django LOGIN CREATEDB; CREATE DATABASE people OWNER django');

local %ENV = (
	%ENV,
	PATH => ($python =~ s{/[^/]+\z}{}r) . ":$ENV{PATH}",
	PGHOST => $node->host,
	PGPORT => $node->port,
	PGUSER => 'django',
	PGDATABASE => 'people',
	DJANGO_SETTINGS_MODULE => 'project.settings',
	DJANGO_SUPERUSER_PASSWORD => 'a secret of boss',
	PYTHONDONTWRITEBYTECODE => 1,
	SCIM_TOKENS => '{"secret": "directory", "other": "payroll"}',
	SECRET_KEY => 'a key of this test');
delete @ENV{qw(ALLOWED_HOSTS DEBUG)};
chdir $project or die "$project: $!";

# What a program says; it has to succeed and to have nothing to complain of.
sub run_quietly
{
	my ($input, @command) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run(\@command, '<', \$input, '>', \$out, '2>', \$err) && $err eq '' or die "@command: $out$err";
	return $out =~ s/\n\z//r;
}

sub manage { return run_quietly('', $python, 'manage.py', @_) }

# What Python code prints, in the project.
sub python
{
	my ($code) = @_;

	return run_quietly(<<"END" . $code, $python, '-');
import django
django.setup()
from django.contrib.auth.models import Group, User
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from people import userstore
from people.models import Change

END
}

# By psql, as the role of the app.
sub sql
{
	my ($sql) = @_;

	return run_quietly($sql, 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1');
}

# What the history has that it had not when it was last asked: one change a
# line, in the order of transactions, users and versions.
my %seen;

sub news
{
	my @changes = split /\n/, sql(<<'END');
SELECT concat_ws(' ', user_id, version, operation, coalesce(actor, '-'), array_to_string(changed, ','))
FROM auth_user_history
WHERE changed_by = 'django'
ORDER BY transaction_id, user_id, version;
END
	return join "\n", grep { !$seen{$_}++ } @changes;
}

# What is not userstore's, as pg_dump shows it.
sub schema
{
	my $dump = run_quietly('', 'pg_dump', '--schema-only', '-t', '(auth|django)_*', map { ('-T', "auth_user_$_") } qw(state history idempotency));

	# newer ones have words of chance
	return $dump =~ s/^\\(un)?restrict .*\n//gmr;
}

# The table as Django makes it, with a user from before.
manage('migrate', '-v0', $_) foreach qw(auth admin sessions);
manage(qw(createsuperuser -v0 --noinput --username boss --email boss@example.com));
my $schema = schema();
my $boss = sql('SELECT * FROM auth_user');
like($boss, qr/^1\|pbkdf2_sha256.*\|t\|boss\|\|\|boss\@example.com\|t\|t\|/, 'there is a user with a password');
like($schema, qr/CREATE TABLE public.auth_user /, 'of a table');

manage(qw(migrate -v0));
is(sql('SELECT rolsuper FROM pg_roles WHERE rolname = current_user'), 'f', 'the role is no superuser');
ok(schema() ne $schema, 'the migrations of the project have been here');
is(manage(qw(makemigrations --check)), 'No changes detected', 'and say what the models do');
is(sql('SELECT * FROM auth_user'), $boss, 'the user is as before');

#
# The ORM
#
is(python(<<'END'), "1 boss boss\@example.com True", 'a user from before is served');
boss = userstore.user_get(1)
print(boss["id"], boss["userName"], boss["emails"][0]["value"], boss["active"])
END
is(news(), '', 'and has no history');

is(python(<<'END'), "2 3 4\nTrue", 'changes by the ORM');
ann = User.objects.create_user("ann", "ann@example.com", "a secret of ann")
bob, cyd = User.objects.bulk_create([User(username="bob"), User(username="cyd", first_name="Cyd")])
print(ann.pk, bob.pk, cyd.pk)
ann.first_name, ann.last_name = "Ann", "Lee"
ann.save()
User.objects.exclude(pk=1).update(is_active=False)
bob.delete()
boss = User.objects.get(pk=1)
boss.email = "chief@example.com"
boss.save(update_fields=["email"])
print(User.objects.get(username="ann").check_password("a secret of ann"))
END
is(news() . "\n", <<'END', 'are in history');
2 1 sql - active,emails,userName
3 1 sql - active,userName
4 1 sql - active,name.givenName,userName
2 2 sql - name.familyName,name.givenName
2 3 sql - active
3 2 sql - active
4 2 sql - active
3 3 sql - active,userName
1 2 sql - emails
END

is(python(<<'END'), 'True', 'passwords, rights, logins, and what is there already');
ann = User.objects.get(username="ann")
ann.save()
ann.set_password("another secret")
ann.is_staff = True
ann.save()
ann.groups.add(Group.objects.create(name="staff"))
User.objects.filter(username="ann").update(last_name="Lee")
Client(SERVER_NAME="localhost").login(username="boss", password="a secret of boss")
print(User.objects.get(pk=1).last_login is not None)
END
is(news(), '', 'are not in history');

is(python(<<'END'), 'Lee', 'what is rolled back');
try:
    with transaction.atomic():
        User.objects.filter(username="ann").update(last_name="X")
        userstore.user_patch(2, {"title": "X"})
        raise KeyError
except KeyError:
    print(User.objects.get(username="ann").last_name)
END
is(news(), '', 'is not in history');

#
# The functions
#
is(python(<<'END'), <<'END' =~ s/\n\z//r, 'the ORM and the functions change one user');
userstore.user_patch(2, {"name": {"familyName": "Li"}, "title": "Dr", "active": True})
ann = User.objects.get(pk=2)
print(ann.get_full_name(), ann.is_active, ann.is_staff, ann.check_password("another secret"))
ann.email = "li@example.com"
ann.save()
document = userstore.user_get(2)
print(document["emails"], document["title"], document["meta"]["version"])
with transaction.atomic():
    userstore.act_for("a command")
    document["name"] = {"givenName": "Anna"}
    userstore.user_put(2, document, expected_version=5)
    User.objects.filter(pk=2).update(first_name="Anne")
userstore.user_patch(2, {"title": None})
ann.refresh_from_db()
print([ann.first_name, ann.last_name, ann.email, ann.username])
print(*ann.changes.filter(version__gt=3), sep="\n")
print(ann.changes.get(version=7).actor, ann.changes.last().document["name"])
END
Ann Li True True True
[{'value': 'li@example.com', 'primary': True}] Dr W/"5"
['Anne', '', 'li@example.com', 'ann']
2 4 patch active, name.familyName, title
2 5 sql emails
2 6 put name.familyName, name.givenName
2 7 sql name.givenName
2 8 patch title
a command {'givenName': 'Anne'}
END
is(news() . "\n", <<'END', 'in one history, which says for whom');
2 4 patch - active,name.familyName,title
2 5 sql - emails
2 6 put a command name.familyName,name.givenName
2 7 sql a command name.givenName
2 8 patch - title
END

is(python(<<'END'), <<'END' =~ s/\n\z//r, 'errors are those of Django, or say their status, and leave the transaction usable');
def attempt(function, *arguments, **options):
    try:
        return function(*arguments, **options)
    except userstore.UserError as error:
        print(error.status, error, error.detail)
    except DatabaseError as error:
        print(type(error).__name__, error.__cause__.sqlstate, error.__cause__.diag.message_primary)

with transaction.atomic():
    attempt(userstore.user_patch, 2, {"userName": "boss"})
    attempt(userstore.user_patch, 2, {"userName": "a b"})
    attempt(userstore.user_patch, 2, {"userName": None})
    attempt(userstore.user_patch, 2, {"is_superuser": True})
    attempt(userstore.user_patch, 2, {"name": {"givenName": "x" * 151}})
    attempt(userstore.user_patch, 2, {"title": "Dr"}, expected_version=2)
    attempt(userstore.user_get, 77)
    print(User.objects.get(pk=2).first_name)
END
IntegrityError 23505 a user with this "userName" exists already
400 attribute "userName" does not match its pattern {'path': 'userName', 'scimType': 'invalidValue'}
400 attribute "userName" is missing {'path': 'userName', 'scimType': 'invalidValue'}
400 attribute "is_superuser" is not known {'path': 'is_superuser', 'scimType': 'invalidSyntax'}
400 attribute "name.givenName" is too long {'path': 'name.givenName', 'scimType': 'invalidValue'}
412 user "2" does not have version 2 {'path': 'meta.version'}
404 user "77" does not exist {'path': 'id'}
Anne
END
is(news(), '', 'nothing of it is in history');

#
# Requests of people: who is logged in is the actor, and only for the request
#
is(python(<<'END'), <<'END' =~ s/\n\z//r, 'requests of people');
import logging, sys, types
from django.test import override_settings
from django.urls import path

def client(name, password):
    client = Client(SERVER_NAME="localhost", raise_request_exception=False)
    client.login(username=name, password=password)
    return client

boss, ann = client("boss", "a secret of boss"), client("ann", "another secret")
form = {"username": "ann", "first_name": "Anne", "last_name": "Lund", "email": "li@example.com", "is_active": "on",
    "is_staff": "on", "groups": ["1"], "date_joined_0": "2026-01-31", "date_joined_1": "12:00:00"}
print(boss.post("/admin/auth/user/2/change/", form).status_code)
User.objects.filter(pk=2).update(first_name="An")

def me(client, body):
    answer = client.patch("/me/", body, content_type="application/json")
    print(answer.status_code, answer.content[:120].decode() if answer.status_code >= 400 else answer.json()["title"])

me(ann, {"title": "Dr"})
me(ann, {"userName": "boss"})
me(ann, {"active": False})
me(ann, "no object")
print(ann.patch("/me/", "{", content_type="application/json").status_code, ann.get("/me/").json()["title"])
print(Client(SERVER_NAME="localhost").patch("/me/").status_code)

def broken(request):
    User.objects.filter(pk=2).update(last_name="X")
    raise KeyError

sys.modules["broken"] = types.SimpleNamespace(urlpatterns=[path("", broken)])
logging.disable()
with override_settings(ROOT_URLCONF="broken"):
    print(ann.get("/").status_code, User.objects.get(pk=2).last_name)
END
302
200 Dr
400 {"error": "attribute \"userName\" cannot be changed", "hint": "API profile \"django_me\" does not write it.", "path": "u
400 {"error": "attribute \"active\" cannot be changed", "hint": "API profile \"django_me\" does not write it.", "path": "act
400 {"error": "the body is no JSON: Expecting value: line 1 column 1 (char 0)"}
400 Dr
302
500 Lund
END
is(news() . "\n", <<'END', 'have who it was in history, and what failed is not there');
2 9 sql boss name.familyName
2 10 sql - name.givenName
2 11 patch ann title
END

#
# Requests of SCIM clients
#
sub start
{
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	local $ENV{PYTHONUNBUFFERED} = 1;

	return WebApp->serve($port, qr/^Starting development server .*\n/m, $python, qw(manage.py runserver --noreload), $port);
}

my $app = start();

# Status and entity tag of an answer, or what is wrong with the request.
sub scim
{
	my ($method, $path, $body, %headers) = @_;
	my $answer = $app->request($method, "/scim/v2$path", body => $body, headers => \%headers, token => 'secret');
	my $error = $answer->{status} < 400 ? {} : $answer->{json};

	is($error->{status} // $answer->{status}, $answer->{status}, "$method $path: the body says the status");
	return join ' ', grep { defined } $answer->{status}, $answer->{headers}{etag}, @$error{qw(scimType detail)};
}

my $dan = { userName => 'dan', password => 'a secret of dan', name => { familyName => 'D' }, emails => [ { value => 'dan@example.com', type => 'work' } ] };
my $inactive = { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
	Operations => [ { op => 'replace', path => 'active', value => JSON::PP::false } ] };

is(scim('POST', '/Users', $dan, 'Idempotency-Key' => 'k1'), '201 W/"1"', 'a client creates a user');
is(scim('POST', '/Users', $dan, 'Idempotency-Key' => 'k1'), '201 W/"1"', 'once');
is(sql('SELECT * FROM auth_user WHERE id = 5') =~ s/\|[^|]*\z//r, '5|!||f|dan||D|dan@example.com|f|t', 'who has no password, and no rights');
is(scim('PATCH', '/Users/5', $inactive), '200 W/"2"', 'a client deactivates a user');
is(scim('PUT', '/Users/5', { userName => 'daniel' }, 'If-Match' => 'W/"1"'),
	'412 user "5" does not have version 1. Its version is 2; read it and repeat the change on that.', 'a version that is gone');
is(scim('PUT', '/Users/5', { userName => 'daniel' }, 'If-Match' => 'W/"2"'), '200 W/"3"', 'the version that is there');
is(sql('SELECT * FROM auth_user WHERE id = 5') =~ s/\|[^|]*\z//r, '5|!||f|daniel||||f|f', 'who stays inactive when a PUT leaves that out');
is(news() . "\n", <<'END', 'history has the client');
5 1 create directory active,emails,name.familyName,userName
5 2 patch directory active
5 3 put directory emails,name.familyName,userName
END

# What Django's constraints say.
my $taken = '409 uniqueness a user with this "userName" exists already. Send another value of "userName", or update the user who has this one.';
is(scim('POST', '/Users', { userName => 'ann' }), $taken, 'a name that is taken, for a new user');
is(scim('PUT', '/Users/5', { userName => 'boss' }), $taken, 'or for one who is there');
like(scim('DELETE', "/Users/1"), qr/^409 .* violates foreign key constraint "django_admin_log_user_id_\w+" on table "django_admin_log"$/, 'a user whom a deferred foreign key names');
like(scim('DELETE', "/Users/2"), qr/^409 .* violates foreign key constraint "auth_user_groups_user_id_\w+" on table "auth_user_groups"$/, 'and one who is in a group');
is(scim('DELETE', '/Users/4'), '204', 'a user who is nowhere');
is(scim('GET', '/Users/4'), '404 user "4" does not exist. Check the id, or create the user.', 'is gone');
is(news(), '4 3 delete directory active,name.givenName,userName', 'history has the one that was done');

# What is no business of clients.
foreach my $name (qw(is_superuser isStaff last_login))
{
	is(scim('PATCH', '/Users/2', { $name => JSON::PP::true }),
		qq(400 invalidSyntax attribute "$name" is not known. Leave it out, or define it in an attribute schema of the table.), "$name");
}
is(scim('PATCH', '/Users/1', { password => 'a secret of thieves', title => 'Chief' }), '200 W/"3"', 'a password is passed over');
is(sql('SELECT password FROM auth_user WHERE id = 1'), (split /\|/, $boss)[1], 'the hash is as it was');
is(news(), '1 3 patch directory title', 'and not in history');

# What is no request.
is(scim('POST', '/Users', "\xff"), '400 the body is not valid UTF-8', 'a body that is no UTF-8');
is(scim('POST', '/Users', qq({"userName": "a\0b"})), '400 invalidSyntax the body is not valid JSON. Character with value 0x01 must be escaped.', 'or no text');
is(scim('POST', '/Users', '{'), '400 invalidSyntax the body is not valid JSON. The input string ended unexpectedly.', 'or no JSON');
foreach my $token (undef, 'secre', 'directory')
{
	my $answer = $app->request('GET', '/scim/v2/Users', token => $token);
	is("$answer->{status} $answer->{headers}{'www-authenticate'} $answer->{json}{status}", '401 Bearer 401', 'no token of ours');
}
is($app->request('GET', '/scim/v2/Users?filter=emails.value+eq+%22LI@example.com%22&attributes=userName', token => 'other')->{json}{Resources}[0]{userName},
	'ann', 'another client lists users');

# A transaction that loses is repeated, for a while.
sql(<<'END');
CREATE SEQUENCE attempt;
CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF nextval('attempt') % 3 > 0 THEN
		RAISE serialization_failure;
	END IF;
	RETURN new;
END $$;
CREATE TRIGGER lose BEFORE UPDATE ON auth_user FOR EACH ROW EXECUTE FUNCTION lose();
END
is(scim('PATCH', '/Users/5', { name => { givenName => 'Dan' } }), '200 W/"4"', 'a transaction that loses against others is repeated');
is(sql('SELECT last_value FROM attempt'), '3', 'as often as it takes');
unlike($app->log, qr/Traceback/, 'the app had nothing to complain of');
sql('ALTER SEQUENCE attempt RESTART 1 INCREMENT 3');
is(scim('PATCH', '/Users/5', { name => { givenName => 'Daniel' } }), '503 the request could not be done; try again later', 'but not for ever');
sql('DROP TRIGGER lose ON auth_user; DROP FUNCTION lose; DROP SEQUENCE attempt');
like($app->log, qr/^SCIM request\nTraceback /m, 'and the app complains');
is(news(), '5 4 patch directory name.givenName', 'what was repeated is done once');
$app->stop;

#
# Going back, and coming again
#
manage(qw(migrate -v0 people 0001));
ok(schema() eq $schema, 'without the second migration the tables are as Django makes them');
is(sql('SELECT * FROM auth_user WHERE id = 1') =~ s/^(.*?\|.*?\|).*?\|/$1|/r, $boss =~ s/boss\@/chief@/r, 'and what is in them is there');
is(manage(qw(makemigrations --check)), 'No changes detected', 'the migrations still say what the models do');
is(python(<<'END'), '42809 [1, 2]', 'the ORM goes on by itself');
try:
    userstore.user_patch(2, {"title": "Dr"})
except DatabaseError as error:
    print(error.__cause__.sqlstate, end=" ")
User.objects.filter(pk=2).update(first_name="Ida")
User.objects.get(pk=5).delete()
User.objects.create_user("eve")
print([user.pk for user in User.objects.exclude(username="eve").order_by("pk")])
END
is(news(), '', 'without history');

my $eve = sql("SELECT id FROM auth_user WHERE username = 'eve'");
foreach my $n (0, 1)
{
	manage(qw(migrate -v0));
	is(python(<<'END'), "Ida Dr True", 'forward again: what was kept is adopted');
userstore.user_patch(2, {"name": {"familyName": "L"}})
User.objects.filter(pk=2).update(last_name="Lund")
User.objects.filter(username="eve").update(email="eve@example.com")
User.objects.filter(username="eve").update(email="")
ann = userstore.user_get(2)
print(ann["name"]["givenName"], ann["title"], User.objects.get(pk=2).changes.filter(version=1, operation="sql").exists())
END
	is(news() . "\n", sprintf(<<'END', 12 + 2 * $n, 13 + 2 * $n, $eve, 2 + 2 * $n, $eve, 3 + 2 * $n), 'and history goes on');
2 %d patch - name.familyName
2 %d sql - name.familyName
%d %d sql - emails
%d %d sql - emails
END
	manage(qw(migrate -v0 people zero));
	ok(schema() eq $schema, 'all the way back the tables are as Django makes them');
	is(sql("SELECT count(*) FROM pg_extension WHERE extname = 'userstore'"), '0', 'and the extension is gone');
}

#
# Tests of the project, by Django's runner: in a database of their own
#
{
	my ($out, $err);
	ok(IPC::Run::run([ $python, qw(manage.py test --noinput) ], '<', \undef, '>', \$out, '2>', \$err), 'tests of the project pass') or diag($err);
	like($err, qr/^Ran 4 tests .*^OK$/ms, 'all of them');
}

#
# What the README shows
#
$node->safe_psql('postgres', 'CREATE DATABASE readme OWNER django');
$ENV{PGDATABASE} = 'readme';
manage(qw(migrate -v0));
$app = start();
{
	my $url = $app->url;
	my ($out, $err, $commands, $shown) = ('', '', '', '');
	my @blocks = slurp_file('README.md') =~ /^```sh\n(.*?)^```\n```\n(.*?)^```\n/msg;

	while (my ($command, $output) = splice @blocks, 0, 2)
	{
		$commands .= $command;
		$shown .= $output;
	}
	$commands =~ s/http:\/\/localhost:8000/$url/g;
	ok(IPC::Run::run([ 'sh', '-eu' ], '<', \$commands, '>', \$out, '2>', \$err), 'the commands of the README run');
	is($err, '', 'without a complaint');
	is($out, $shown, 'and say what it shows');
	cmp_ok(scalar(split /\n/, $shown), '>', 5, 'it shows something');
}
$app->stop;

done_testing();
