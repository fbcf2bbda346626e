/* SPDX-License-Identifier: MIT
 *
 * Percent, hexadecimal, base64: see encode.h.
 */
#include <string.h>

#include "encode.h"

static bool
unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void
encode_uri(struct text *out, const char *string, bool slash)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *string; string++) {
		unsigned char c = (unsigned char)*string;

		if (unreserved(c) || (c == '/' && !slash))
			text_add(out, string, 1);
		else
			text_add(out, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
	}
}

bool
decode_uri(char *string, bool plus)
{
	char *to = string;

	for (; *string; string++) {
		if (*string == '%') {
			int high = hex_value(string[1]);
			int low = high < 0 ? -1 : hex_value(string[2]);

			if (low < 0 || (high | low) == 0)
				return false;
			*to++ = (char)(high << 4 | low);
			string += 2;
		} else {
			*to++ = *string == '+' && plus ? ' ' : *string;
		}
	}
	*to = '\0';
	return true;
}

void
encode_hex(char *out, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

bool
decode_hex32(const char *string, uint32_t *value)
{
	*value = 0;
	for (int i = 0; i < 8; i++) {
		int digit = hex_value(string[i]);

		if (digit < 0)
			return false;
		*value = *value << 4 | (uint32_t)digit;
	}
	return string[8] == '\0';
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
encode_base64(char *out, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (; len > 0; p += 3) {
		size_t n = len < 3 ? len : 3;
		uint32_t group = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) |
				 (n > 2 ? p[2] : 0);

		*out++ = base64[group >> 18];
		*out++ = base64[group >> 12 & 63];
		*out++ = n > 1 ? base64[group >> 6 & 63] : '=';
		*out++ = n > 2 ? base64[group & 63] : '=';
		len -= n;
	}
	*out = '\0';
}

int
decode_base64(void *out, size_t max, const char *string)
{
	size_t len = strlen(string), n = 0;
	unsigned char *to = out;

	if (len % 4 != 0)
		return -1;
	for (size_t i = 0; i < len; i += 4) {
		int pad = i + 4 == len ? (string[i + 3] == '=') + (string[i + 2] == '=') : 0;
		uint32_t group = 0;

		for (int k = 0; k < 4; k++) {
			const char *at = k < 4 - pad ? strchr(base64, string[i + k]) : base64;

			if (!at || string[i + k] == '\0')
				return -1;
			group = group << 6 | (uint32_t)(at - base64);
		}
		for (int k = 0; k < 3 - pad; k++) {
			if (n == max)
				return -1;
			to[n++] = (unsigned char)(group >> (16 - 8 * k));
		}
	}
	return (int)n;
}
