/* SPDX-License-Identifier: MIT */
#include "param.h"

#include "row.h"

void
param_bytes(struct params *p, const void *bytes, int32_t len)
{
	/* An empty value needs an address: NULL is NULL to libpq. */
	p->values[p->n] = len < 0 ? NULL : len ? bytes : "";
	p->lengths[p->n++] = len < 0 ? 0 : len;
}

void
param_int4(struct params *p, uint32_t v)
{
	put_be32(p->numbers[p->n], v);
	param_bytes(p, p->numbers[p->n], 4);
}

void
param_int8(struct params *p, uint64_t v)
{
	put_be64(p->numbers[p->n], v);
	param_bytes(p, p->numbers[p->n], 8);
}
