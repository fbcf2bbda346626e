/* SPDX-License-Identifier: MIT
 *
 * A statement's parameters, in PostgreSQL's binary format.
 */
#ifndef POSTGRES_PARAM_H
#define POSTGRES_PARAM_H

#include <stdint.h>

#define PARAMS_MAX 32

struct params {
	int n;
	const char *values[PARAMS_MAX];
	int lengths[PARAMS_MAX];
	char numbers[PARAMS_MAX][8];
};

void param_int4(struct params *p, uint32_t v);
void param_int8(struct params *p, uint64_t v);
void param_bytes(struct params *p, const void *bytes, int32_t len); /* borrowed; len -1: NULL */

#endif
