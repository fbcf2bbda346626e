/* SPDX-License-Identifier: MIT
 *
 * Send queue of one connection: message heads are copied into one linear buffer, where neighbours
 * become one iovec; payloads are only pointed at.  Everything that a loop turn queued leaves with
 * one sendmsg.  Payload memory must outlive the queue's interest in it.
 */
#ifndef BENCH_TXQ_H
#define BENCH_TXQ_H

#include <stdbool.h>
#include <stdint.h>

struct txq_entry {
	const uint8_t *payload; /* NULL: a stretch of heads at buf + off */
	uint32_t off, len;
};

struct txq {
	uint8_t *buf;
	uint32_t cap, tail;
	struct txq_entry *entries;
	uint32_t max_entries, first, last; /* entries [first, last) are to be sent */
};

/* head_bytes bounds the unsent heads, entries the unsent entries. */
void txq_init(struct txq *q, uint32_t head_bytes, uint32_t entries);
void txq_free(struct txq *q);

/* Room for n more head bytes and three more entries, or NULL when there is none until a flush. */
uint8_t *txq_reserve(struct txq *q, uint32_t n);

/* The first n of the reserved bytes are a head. */
void txq_commit(struct txq *q, uint32_t n);

/* Send len bytes at p after what was queued so far. */
void txq_payload(struct txq *q, const uint8_t *p, uint32_t len);

static inline bool
txq_empty(const struct txq *q)
{
	return q->first == q->last;
}

/* 1: everything was sent; 0: the socket is full; -1: error, errno is set. */
int txq_flush(struct txq *q, int fd);

#endif
