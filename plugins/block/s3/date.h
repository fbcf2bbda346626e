/* SPDX-License-Identifier: MIT
 *
 * The forms in which AWS writes times.  Seconds are those since 1970, UTC.  Pure functions that
 * take any text.
 */
#ifndef BLOCK_S3_DATE_H
#define BLOCK_S3_DATE_H

#include <stdbool.h>
#include <stdint.h>

/* "20130524T000000Z", for the years 1970 to 9999. */
void date_amz(int64_t seconds, char out[17]);

/* The Date header: "Fri, 24 May 2013 00:00:00 GMT" (RFC 9110 5.6.7, the form that servers must
 * send). */
bool date_http(const char *text, int64_t *seconds);

/* "2013-05-24T00:00:00Z", with or without a fraction, "Z", "+hh:mm" or "+hhmm"
 * (RFC 3339, as in XML and in credentials). */
bool date_iso(const char *text, int64_t *seconds);

#endif
