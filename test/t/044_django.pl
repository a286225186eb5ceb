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
use Time::HiRes qw(sleep);
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
	return run_quietly('', 'pg_dump', '--schema-only', '-t', '(auth|django)_*', map { ('-T', "auth_user_$_") } qw(state history idempotency));
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
isnt(schema(), $schema, 'the migrations of the project have been here');
is(manage(qw(makemigrations --check)), 'No changes detected', 'and say what the models do');
like(manage('check'), qr/no issues/, 'the project is sound');
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

done_testing();
