/*
 * formats.c
 *	  Named formats of strings.
 *
 * Each is a plain scan over the bytes, without memory of its own.  Where a
 * standard leaves room, the scan accepts what mail servers, browsers and
 * directories accept, and refuses what none of them does.
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "lib/stringinfo.h"

#include "core/formats.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_alnum(char c)
{
	return is_alpha(c) || is_digit(c);
}

/* Bytes of characters beyond ASCII; the server's encoding vouches for them. */
static bool
is_high(char c)
{
	return IS_HIGHBIT_SET(c);
}

/* Read count digits as a number; -1 when they are not all digits. */
static int
digits(const char *string, int count)
{
	int			number = 0;

	for (int i = 0; i < count; i++)
	{
		if (!is_digit(string[i]))
			return -1;
		number = number * 10 + (string[i] - '0');
	}
	return number;
}

/*
 * A host name of RFC 1123: labels of letters, digits and inner hyphens.
 * Beyond ASCII, as in internationalized names, any character is a letter.
 */
static bool
is_hostname(const char *string, int len)
{
	int			label = 0;

	if (len < 1 || len > 253)
		return false;
	for (int i = 0; i < len; i++)
	{
		char		c = string[i];

		if (c == '.')
		{
			if (label == 0 || string[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!is_alnum(c) && !is_high(c) && !(c == '-' && label > 0))
			return false;
		if (++label > 63)
			return false;
	}
	return label > 0 && string[len - 1] != '-';
}

static bool
is_ip(int family, const char *string, int len)
{
	char		terminated[INET6_ADDRSTRLEN];
	unsigned char address[sizeof(struct in6_addr)];

	if (len >= (int) sizeof(terminated))
		return false;
	memcpy(terminated, string, len);
	terminated[len] = '\0';
	return inet_pton(family, terminated, address) == 1;
}

static bool
is_ipv4(const char *string, int len)
{
	return is_ip(AF_INET, string, len);
}

static bool
is_ipv6(const char *string, int len)
{
	return is_ip(AF_INET6, string, len);
}

/*
 * A mailbox of RFC 5321 section 4.1.2, with RFC 6531's characters: a local
 * part of at most 64 bytes, dotted or quoted, then a domain of at least two
 * labels or an address literal.
 */
static bool
is_email(const char *string, int len)
{
	int			at = -1;
	const char *domain;
	int			domain_len;

	if (len > 254)
		return false;
	for (int i = 0; i < len; i++)
	{
		if (string[i] == '@')
			at = i;
	}
	if (at < 1 || at > 64)
		return false;
	if (string[0] == '"')
	{
		if (at < 3 || string[at - 1] != '"')
			return false;
		for (int i = 1; i < at - 1; i++)
		{
			if (string[i] == '\\')
			{
				if (++i >= at - 1)
					return false;
			}
			else if (string[i] == '"')
				return false;
			if ((unsigned char) string[i] < ' ' || string[i] == 0x7f)
				return false;
		}
	}
	else
	{
		for (int i = 0; i < at; i++)
		{
			char		c = string[i];

			if (c == '.')
			{
				if (i == 0 || i == at - 1 || string[i - 1] == '.')
					return false;
			}
			else if (!is_alnum(c) && !is_high(c) && !strchr("!#$%&'*+-/=?^_`{|}~", c))
				return false;
		}
	}
	domain = string + at + 1;
	domain_len = len - at - 1;
	if (domain_len > 2 && domain[0] == '[' && domain[domain_len - 1] == ']')
	{
		if (domain_len > 7 && pg_strncasecmp(domain + 1, "IPv6:", 5) == 0)
			return is_ipv6(domain + 6, domain_len - 7);
		return is_ipv4(domain + 1, domain_len - 2);
	}
	return is_hostname(domain, domain_len) && memchr(domain, '.', domain_len) != NULL;
}

/* A full-date of RFC 3339. */
static bool
is_date(const char *string, int len)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			year;
	int			month;
	int			day;

	if (len != 10 || string[4] != '-' || string[7] != '-')
		return false;
	year = digits(string, 4);
	month = digits(string + 5, 2);
	day = digits(string + 8, 2);
	if (year < 0 || month < 1 || month > 12 || day < 1)
		return false;
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return day <= 29;
	return day <= days[month - 1];
}

/*
 * hh:mm:ss, with a fraction and an offset or Z; the offset may have to be
 * there (RFC 3339) or not (xsd:dateTime).
 */
static bool
is_time_of_day(const char *string, int len, bool offset_required)
{
	int			hour;
	int			minute;
	int			second;
	int			at = 8;

	if (len < 8 || string[2] != ':' || string[5] != ':')
		return false;
	hour = digits(string, 2);
	minute = digits(string + 3, 2);
	second = digits(string + 6, 2);
	/* the end of a day, as xsd:dateTime has it */
	if (!offset_required && hour == 24 && minute == 0 && second == 0)
		hour = 0;
	/* 60 is a leap second */
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return false;
	if (at < len && string[at] == '.')
	{
		int			first = ++at;

		while (at < len && is_digit(string[at]))
			at++;
		if (at == first)
			return false;
	}
	if (at == len)
		return !offset_required;
	if (string[at] == 'Z' || string[at] == 'z')
		return at + 1 == len;
	if ((string[at] != '+' && string[at] != '-') || len - at != 6 || string[at + 3] != ':')
		return false;
	hour = digits(string + at + 1, 2);
	minute = digits(string + at + 4, 2);
	return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

static bool
is_time(const char *string, int len)
{
	return is_time_of_day(string, len, true);
}

static bool
is_rfc3339_date_time(const char *string, int len)
{
	return len > 11 && is_date(string, 10) &&
		(string[10] == 'T' || string[10] == 't' || string[10] == ' ') &&
		is_time_of_day(string + 11, len - 11, true);
}

/*
 * An xsd:dateTime (RFC 7643 section 2.3.5), of years with four digits; the
 * offset may be left out.
 */
bool
is_date_time(const char *string, int len)
{
	return len > 11 && is_date(string, 10) && string[10] == 'T' &&
		is_time_of_day(string + 11, len - 11, false);
}

/*
 * base64 or base64url of RFC 4648 (RFC 7643 section 2.3.6 has both).  The
 * padding may be left out, as base64url commonly does, but not be half there.
 */
bool
is_base64(const char *string, int len)
{
	int			data = len;

	while (data > 0 && len - data < 2 && string[data - 1] == '=')
		data--;
	if (data % 4 == 1 || (data != len && len % 4 != 0))
		return false;
	for (int i = 0; i < data; i++)
	{
		if (!is_alnum(string[i]) && !strchr("+/-_", string[i]))
			return false;
	}
	return true;
}

/* The characters of a URI reference (RFC 3986; beyond ASCII, RFC 3987). */
static bool
is_uri_reference(const char *string, int len)
{
	for (int i = 0; i < len; i++)
	{
		char		c = string[i];

		if (c == '%')
		{
			if (i + 2 >= len || !is_hex(string[i + 1]) || !is_hex(string[i + 2]))
				return false;
		}
		else if (!is_alnum(c) && !is_high(c) && !strchr("-._~:/?#[]@!$&'()*+,;=", c))
			return false;
	}
	return true;
}

static bool
is_uri(const char *string, int len)
{
	int			scheme = 0;

	if (len == 0 || !is_alpha(string[0]))
		return false;
	while (scheme < len && (is_alnum(string[scheme]) ||
							(string[scheme] != '\0' && strchr("+-.", string[scheme]))))
		scheme++;
	return scheme + 1 < len && string[scheme] == ':' && is_uri_reference(string, len);
}

static bool
is_uuid(const char *string, int len)
{
	if (len != 36)
		return false;
	for (int i = 0; i < 36; i++)
	{
		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (string[i] != '-')
				return false;
		}
		else if (!is_hex(string[i]))
			return false;
	}
	return true;
}

/* An ObjectId as document databases write it. */
static bool
is_object_id(const char *string, int len)
{
	if (len != 24)
		return false;
	for (int i = 0; i < len; i++)
	{
		if (!is_hex(string[i]))
			return false;
	}
	return true;
}

/* What a password is allowed to be is for its hash function to say. */
static bool
is_password(const char *string, int len)
{
	return true;
}

static const Format formats[] = {
	{"date", "a date", "2026-01-31", is_date},
	{"date-time", "a date and time with offset", "2026-01-31T12:00:00Z", is_rfc3339_date_time},
	{"email", "an e-mail address", "ann@example.com", is_email},
	{"hostname", "a host name", "www.example.com", is_hostname},
	{"idn-email", "an e-mail address", "ann@example.com", is_email},
	{"ipv4", "an IPv4 address", "192.0.2.1", is_ipv4},
	{"ipv6", "an IPv6 address", "2001:db8::1", is_ipv6},
	{"object-id", "an ObjectId", "507f1f77bcf86cd799439011", is_object_id},
	{"password", "a password", "", is_password},
	{"time", "a time with offset", "12:00:00Z", is_time},
	{"uri", "a URI", "https://example.com/", is_uri},
	{"uri-reference", "a URI or relative reference", "/users/1", is_uri_reference},
	{"uuid", "a UUID", "4ae68f98-2762-4001-b95c-34569b413e8e", is_uuid},
};

/* The format of that name, or NULL. */
const Format *
format_find(const char *name)
{
	for (int i = 0; i < lengthof(formats); i++)
	{
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	}
	return NULL;
}

/* All names, for a hint. */
char *
format_names(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < lengthof(formats); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", formats[i].name);
	return names.data;
}

bool
format_is_password(const Format *format)
{
	return format != NULL && format->matches == is_password;
}

/*
 * Does a date and time say its offset from UTC?
 */
bool
has_offset(const char *date_time)
{
	return strpbrk(strchr(date_time, 'T'), "Z+-") != NULL;
}
