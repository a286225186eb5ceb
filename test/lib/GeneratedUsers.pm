# Users as an identity provider has them, some 0.8 kB each, as many as wanted:
# the same ones for the same seed.
#
#   GeneratedUsers::write_users($path, 1000, $seed);     # NDJSON
#   GeneratedUsers::write_patches($path, 1000, $seed);   # a PatchOp for each
#
# Each has an id, a userName that is unique, and what the schemas User and
# EnterpriseUser of RFC 7643 say of people.

package GeneratedUsers;

use strict;
use warnings;

# The bytes of UTF-8 are what is written.
my @given = qw(Anna Jürgen Zoë José Łukasz Søren Ana Siân Björk Đorđe Nguyễn 明 さくら 지우 Мария Юрий Ελένη Omar عمر Chloé
  François Ngozi Aoife Håkon İpek Şule Ömer Petra Raúl Inês João Väinö Žofia Csaba Ștefan Emma Liam Olivia Noah Mia);
my @family = map { tr/_/ /r } qw(Müller O’Brien García Nowak Sørensen Łaski Þórsdóttir Kovačević Ångström Yılmaz Nguyễn 王 佐藤 김 Иванова
  Παπαδόπουλος الفاسي Lefèvre Adebayo Ó_Dálaigh Lindström Dvořák Ionescu Szabó Gonçalves Virtanen Smith Jones
  de_la_Cruz van_der_Meer Çelik Öztürk Weiß Größl Fernández Silva Rossi Bianchi Kim Tran);
my @title = ('Software Engineer', 'Account Manager', 'Ärztin', 'Payroll Specialist', 'Technicien réseau', 'Head of Operations', 'Buchhalter', 'Nurse');
my @department = ('Research & Development', 'Sales EMEA', 'Human Resources', 'Finance', 'Customer Care', 'Einkauf', 'Forschung', 'Logistique');
my @place = (
	[ 'Königstraße', 'Stuttgart', 'BW', '70173', 'DE', 'de-DE', 'Europe/Berlin', '+49 711 ' ],
	[ 'rue de la Paix', 'Besançon', 'Doubs', '25000', 'FR', 'fr-FR', 'Europe/Paris', '+33 3 81 ' ],
	[ 'Market Street', 'San Francisco', 'CA', '94105', 'US', 'en-US', 'America/Los_Angeles', '+1 415 ' ],
	[ 'ulica Piotrkowska', 'Łódź', 'łódzkie', '90-001', 'PL', 'pl-PL', 'Europe/Warsaw', '+48 42 ' ],
	[ 'Karl Johans gate', 'Tromsø', 'Troms', '9008', 'NO', 'nb-NO', 'Europe/Oslo', '+47 77 ' ],
	[ '中央通り', '東京', '千代田区', '100-0001', 'JP', 'ja-JP', 'Asia/Tokyo', '+81 3 ' ]);
my @kind = qw(Employee Employee Employee Contractor Intern);

# A number of 62 bits for each number, evenly spread (a step of splitmix64).
sub mix
{
	my ($x) = @_;

	use integer;
	$x += -7046029254386353131;
	$x = ($x ^ (($x >> 30) & (1 << 34) - 1)) * -4658895280553007687;
	$x = ($x ^ (($x >> 27) & (1 << 37) - 1)) * -7723592293110705685;
	return ($x ^ (($x >> 31) & (1 << 33) - 1)) & (1 << 62) - 1;
}

# Scattered, as those of identity providers are.
sub id
{
	my ($n, $seed) = @_;
	my ($a, $b) = (mix($n * 2 + $seed * 1_000_003), mix($n * 2 + 1 + $seed * 1_000_003));

	return sprintf '%08x-%04x-4%03x-a%03x-%012x', $a & 0xffffffff, $a >> 32 & 0xffff, $a >> 48 & 0xfff, $b >> 48 & 0xfff, $b & (1 << 48) - 1;
}

# User n, from 1, as JSON in one line.
sub user
{
	my ($n, $seed) = @_;
	my $r = mix($n + $seed * 7_000_003);
	my $given = $given[ $r % @given ];
	my $family = $family[ ($r >> 8) % @family ];
	my ($street, $city, $region, $code, $country, $locale, $zone, $phone) = @{ $place[ ($r >> 16) % @place ] };
	my $house = ($r >> 20) % 240 + 1;
	my $home = ($r >> 28) % 10 < 4 ? qq(,{"value":"p$n\@mail.example.net","type":"home"}) : '';
	my $mobile = ($r >> 32) % 10 < 6 ? sprintf(',{"value":"%s%07d","type":"mobile"}', substr($phone, 0, 4), $r >> 36 & 0x3fffff) : '';
	my $active = ($r >> 40) % 20 ? 'true' : 'false';

	return
	    '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"id":"'
	  . id($n, $seed)
	  . qq(","externalId":"hr-$n","userName":"User.$n\@example.com","name":{"familyName":"$family","givenName":"$given"},)
	  . qq("displayName":"$given $family","title":"$title[($r >> 24) % @title]","userType":"$kind[($r >> 44) % @kind]",)
	  . qq("locale":"$locale","timezone":"$zone","active":$active,"emails":[{"value":"user.$n\@example.com","type":"work","primary":true}$home],)
	  . sprintf('"phoneNumbers":[{"value":"%s%07d","type":"work"}%s],', $phone, ($r >> 12) & 0x7fffff, $mobile)
	  . qq("addresses":[{"type":"work","streetAddress":"$street $house","locality":"$city","region":"$region","postalCode":"$code","country":"$country"}],)
	  . qq("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"$n","costCenter":")
	  . (4000 + ($r >> 22) % 90)
	  . qq(","department":"$department[($r >> 26) % @department]","manager":{"value":")
	  . id(int($n / 10) + 1, $seed) . '"}}}';
}

sub write_lines
{
	my ($path, $count, $line) = @_;

	open my $file, '>', $path or die "$path: $!\n";
	print $file $line->($_), "\n" or die "$path: $!\n" for 1 .. $count;
	close $file or die "$path: $!\n";
	return;
}

sub write_users
{
	my ($path, $count, $seed) = @_;

	write_lines($path, $count, sub { user($_[0], $seed) });
	return;
}

# Twice as many messages: each user gets a title and a number, and, after all
# others have got theirs, another title and another number.  Whoever applies one
# twice leaves a version too many.
sub write_patches
{
	my ($path, $count, $seed) = @_;

	write_lines($path, 2 * $count, sub {
		my ($line) = @_;
		my $round = $line > $count ? 2 : 1;
		my $n = $line - ($round - 1) * $count;

		return '{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"id":"' . id($n, $seed)
		  . qq(","Operations":[{"op":"add","path":"title","value":"Title $round of $n"},)
		  . qq({"op":"add","path":"phoneNumbers","value":[{"value":"+$round $n","type":"other"}]}]});
	});
	return;
}

1;
