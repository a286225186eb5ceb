# doc/feeds.md: what it says is what comes of it.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use FindBin;

my $page = slurp_file("$FindBin::RealBin/../../doc/feeds.md");
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE hr');
$node->safe_psql('hr', "CREATE EXTENSION userstore; SELECT userstore.user_table_create('people', api => 'scim')");
my $dir = PostgreSQL::Test::Utils::tempdir;
local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;
local $ENV{PGDATABASE} = 'hr';

# What differs from run to run.
sub settled
{
	my ($text) = @_;

	$text =~ s{\d+\.\d+ s, \d+/s}{… s, …/s}g;
	$text =~ s{(users_revert\('people', ')\d+}{$1…}g;
	$text =~ s/ +$//mg;
	$text =~ s/\n+\z/\n/;
	return $text;
}

# Blocks that are named are files; those of a console are commands, each followed
# by what it writes.
while ($page =~ /^```(\w+)(?: (\S+))?\n(.*?)^```\n/msg)
{
	my ($kind, $name, $text) = ($1, $2, $3);

	append_to_file("$dir/$name", $text) if defined $name;
	if ($kind eq 'sql' && $text =~ /users_sync/)
	{
		my ($expected) = substr($page, pos $page) =~ /\A```\n(.*?)^```\n/ms;
		my $output = $node->safe_psql('hr', $text, extra_params => [ '-P', 'format=aligned', '-P', 'tuples_only=off', '-P', 'footer=off' ]);

		is(settled("$output\n"), settled($expected), 'the statements on a staging table');
	}
	next if $kind ne 'console';
	while ($text =~ /^\$ (.*\n)((?:(?!\$ ).*\n)*)/mg)
	{
		my ($command, $expected) = ($1, $2);
		my $output = `cd '$dir' && ( $command ) 2>&1`;

		is(settled($output), settled($expected), $command);
	}
}
done_testing();
