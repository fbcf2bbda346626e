/* SPDX-License-Identifier: MIT
 *
 * Times in and out of text: see date.h.  Written out, since strptime and timegm obey the locale
 * and take more forms than these.
 */
#include <stdio.h>
#include <string.h>

#include "date.h"

/* Days from 1970-01-01 to a day of the Gregorian calendar; month 1 to 12. */
static int64_t
days_of(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = y / 400, of_era = y % 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void
date_amz(int64_t seconds, char out[17])
{
	int64_t days, rest, of_era, of_year, era, year;
	int month, day;

	if (seconds < 0)
		seconds = 0;
	if (seconds > INT64_C(253402300799))
		seconds = INT64_C(253402300799);
	days = seconds / 86400 + 719468;
	rest = seconds % 86400;
	era = days / 146097;
	days %= 146097;
	of_era = (days - days / 1460 + days / 36524 - days / 146096) / 365;
	of_year = days - (365 * of_era + of_era / 4 - of_era / 100);
	month = (int)((5 * of_year + 2) / 153);
	day = (int)(of_year - (153 * month + 2) / 5 + 1);
	month += month < 10 ? 3 : -9;
	year = era * 400 + of_era + (month <= 2);
	snprintf(out, 17, "%04u%02u%02uT%02u%02u%02uZ", (unsigned)year % 10000,
		 (unsigned)month % 100, (unsigned)day % 100, (unsigned)(rest / 3600) % 100,
		 (unsigned)(rest / 60 % 60) % 100, (unsigned)(rest % 60) % 100);
}

/* n digits; moves on. */
static bool
number(const char **at, int n, int low, int high, int *value)
{
	*value = 0;
	for (int i = 0; i < n; i++) {
		char c = *(*at)++;

		if (c < '0' || c > '9')
			return false;
		*value = *value * 10 + (c - '0');
	}
	return *value >= low && *value <= high;
}

static bool
literal(const char **at, const char *text)
{
	size_t len = strlen(text);

	if (strncmp(*at, text, len) != 0)
		return false;
	*at += len;
	return true;
}

/* One of count names of three letters; *value its place, from 1. */
static bool
name(const char **at, const char *names, int count, int *value)
{
	for (int i = 0; i < count; i++)
		if (strncmp(*at, names + 3 * i, 3) == 0) {
			*at += 3;
			*value = i + 1;
			return true;
		}
	return false;
}

struct moment {
	int year, month, day, hour, minute, second;
};

static bool
clock_time(const char **at, struct moment *m)
{
	/* 60: a leap second. */
	return number(at, 2, 0, 23, &m->hour) && literal(at, ":") &&
	       number(at, 2, 0, 59, &m->minute) && literal(at, ":") &&
	       number(at, 2, 0, 60, &m->second);
}

static int64_t
seconds_of(const struct moment *m)
{
	return days_of(m->year, m->month, m->day) * 86400 + m->hour * 3600 + m->minute * 60 +
	       m->second;
}

bool
date_http(const char *text, int64_t *seconds)
{
	struct moment m;
	int day_of_week;

	if (!name(&text, "MonTueWedThuFriSatSun", 7, &day_of_week) || !literal(&text, ", ") ||
	    !number(&text, 2, 1, 31, &m.day) || !literal(&text, " ") ||
	    !name(&text, "JanFebMarAprMayJunJulAugSepOctNovDec", 12, &m.month) ||
	    !literal(&text, " ") || !number(&text, 4, 1970, 9999, &m.year) ||
	    !literal(&text, " ") || !clock_time(&text, &m) || !literal(&text, " GMT") || *text)
		return false;
	*seconds = seconds_of(&m);
	return true;
}

bool
date_iso(const char *text, int64_t *seconds)
{
	struct moment m;
	int hours, minutes, sign;

	if (!number(&text, 4, 1970, 9999, &m.year) || !literal(&text, "-") ||
	    !number(&text, 2, 1, 12, &m.month) || !literal(&text, "-") ||
	    !number(&text, 2, 1, 31, &m.day) || !literal(&text, "T") || !clock_time(&text, &m))
		return false;
	if (literal(&text, "."))
		text += strspn(text, "0123456789");
	*seconds = seconds_of(&m);
	if (literal(&text, "Z"))
		return *text == '\0';
	sign = *text == '+' ? -1 : *text == '-' ? 1 : 0;
	if (sign == 0)
		return false;
	text++;
	if (!number(&text, 2, 0, 23, &hours))
		return false;
	literal(&text, ":");
	if (!number(&text, 2, 0, 59, &minutes) || *text)
		return false;
	*seconds += sign * (hours * 3600 + minutes * 60);
	return true;
}
