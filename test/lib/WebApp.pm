# The web app of examples/express before a node of a test, or another one, and
# requests to it by curl.
#
#   WebApp->skip_without;                    # skips the test where it cannot run
#   my $app = WebApp->new($node);            # the database userstore, set up and served
#   my $app = WebApp->serve($port, qr/^listening .*\n/m, 'node', ...);    # any other
#   my $answer = $app->request('GET', '/scim/v2/Users');
#   is($answer->{status}, 200);
#
# An answer has status, headers (names in lower case), body (text) and json (the
# body decoded, or undef).

package WebApp;

use strict;
use warnings;

use FindBin;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $home = "$FindBin::RealBin/../../examples/express";

# Who may do everything (two clients), and who may look.
our ($admin, $other, $reader) = ('a secret/+=: of admins', 'another secret', 'look');

# The processes that have not been stopped.
my %running;

# Whether a program runs.
sub runs
{
	my (@command) = @_;
	my $ran = eval { IPC::Run::run(\@command, '<', \undef, '>&', \my $output) };
	return $ran ? 1 : 0;
}

sub skip_without
{
	plan skip_all => 'no curl' if !runs('curl', '--version');
	plan skip_all => 'no node (Node.js)' if !runs('node', '--version');
	plan skip_all => "the packages of examples/express are not installed; ./run has them if it can reach npm's registry"
	  if !runs('sh', '-c', 'cd "$0" && node --input-type=module --eval "$1"', $home, join ';', map { "import '$_'" } qw(compression express pg));
}

# new(NODE, POOL_SIZE => ..., ...): other arguments are the app's environment
sub new
{
	my ($class, $node, %environment) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $url = "http://localhost:$port";
	my $tokens = encode_json(
		{   $admin => { role => 'people_admin', client => 'directory' },
			$other => { role => 'people_admin', client => 'other' },
			$reader => { role => 'people_reader', client => 'intranet' } });

	PostgreSQL::Test::Utils::run_log([ 'psql', '-Xqo', '/dev/null', '-d' => $node->connstr('userstore'), '-v' => "base_url=$url", '-f' => "$home/setup.sql" ])
	  or die 'setup.sql failed';
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'userstore', PGUSER => 'people_web',
		TOKENS => $tokens, PORT => $port, HOST => '127.0.0.1', %environment);
	return $class->serve($port, qr/^listening .*\n/m, 'node', "$home/server.js");
}

# serve(PORT, READY, COMMAND...): READY is what it prints when it can be asked
sub serve
{
	my ($class, $port, $ready, @command) = @_;
	my $self = bless { port => $port, url => "http://localhost:$port", out => '' }, $class;

	$self->{run} = IPC::Run::start(\@command, '<', \undef, '>&', \$self->{out});
	$self->{pid} = $self->{run}{KIDS}[0]{PID};
	$running{ $self->{pid} } = 1;
	for (1 .. 300)
	{
		$self->{run}->pump_nb;
		return $self if $self->{out} =~ s/$ready//;
		last if !$self->{run}->pumpable;
		sleep 0.1;
	}
	die "the app does not start: $self->{out}";
}

sub url { return $_[0]->{url} }

# What the app has logged since it was last asked.
sub log
{
	my ($self) = @_;
	$self->{run}->pump_nb;
	my $log = $self->{out};
	$self->{out} = '';
	return $log;
}

sub stop
{
	my ($self) = @_;
	return if !$self->{run};
	$self->{run}->signal('TERM');
	my $ended = eval { $self->{run}->finish };
	delete $running{ $self->{pid} };
	delete $self->{run};
	return $ended;
}

# A test that dies leaves none behind.
END
{
	local $?;
	kill 'KILL', keys %running;
}

# request(METHOD, PATH, body => TEXT or DATA, headers => {}, token => undef for none,
#	curl => [further arguments])
sub request
{
	my ($self, $method, $path, %opt) = @_;
	my $token = exists $opt{token} ? $opt{token} : $admin;
	my %headers = %{ $opt{headers} // {} };
	my $body = ref $opt{body} ? encode_json($opt{body}) : $opt{body};
	my @command = ('curl', '-sSi', '--max-time', 60, @{ $opt{curl} // [] });

	$headers{Authorization} //= "Bearer $token" if defined $token;
	$headers{'Content-Type'} //= 'application/scim+json' if defined $body;
	push @command, $method eq 'HEAD' ? '--head' : ('-X', $method);
	push @command, map { ('-H', "$_: $headers{$_}") } sort keys %headers;
	push @command, '--data-binary', '@-' if defined $body;
	return answer($self->run_curl($body, @command, $self->{url} . $path));
}

sub run_curl
{
	my ($self, $body, @command) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run(\@command, '<', \($body // ''), '>', \$out, '2>', \$err) or die "@command: $err";
	return $out;
}

# What curl -i printed.
sub answer
{
	my ($text) = @_;
	my %answer = (text => $text, headers => {});
	my ($head, $body) = $text =~ m{\A(?:HTTP/\S+ 1\d\d .*?\r\n\r\n)*(.*?)\r\n\r\n(.*)\z}s or die "no answer of HTTP: $text";
	my ($status, @fields) = split /\r\n/, $head;

	($answer{status}) = $status =~ m{^HTTP/\S+ (\d+)} or die "no answer of HTTP: $text";
	foreach my $field (@fields)
	{
		my ($name, $value) = $field =~ /^([^:]+):\s*(.*)$/ or die "no header: $field";
		$name = lc $name;
		$answer{headers}{$name} = defined $answer{headers}{$name} ? "$answer{headers}{$name}, $value" : $value;
	}
	$answer{body} = $body;
	$answer{json} = eval { decode_json($body) };
	return \%answer;
}

# JSON whose difference can be seen, with numbers and strings told apart.
sub shown
{
	my ($data) = @_;
	return 'undef' if !defined $data;
	return JSON::PP->new->canonical->pretty->allow_nonref->encode(ref $data ? $data : decode_json($data));
}

# A SCIM user without what differs from one run to the next, once it has been
# looked at: times and address.
sub settled
{
	my ($self, $user, $collection) = @_;
	my %user = %$user;
	my %meta = %{ $user{meta} // {} };

	foreach my $time (qw(created lastModified))
	{
		like(delete $meta{$time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, "meta.$time");
	}
	is(delete $meta{location}, "$self->{url}$collection/$user{id}", 'meta.location');
	is(delete $meta{resourceType}, 'User', 'meta.resourceType');
	$user{meta} = \%meta;
	return \%user;
}

1;
