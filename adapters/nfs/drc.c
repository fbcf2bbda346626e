/* SPDX-License-Identifier: MIT
 *
 * A client's table has four shards by xid, so that the event loops of one client with several
 * connections rarely meet.  A shard is a ring of entries, recycled in order of arrival, with a
 * chained hash index over it.  It grows while its client and the cache as a whole stay below
 * their limits; after that it recycles its own oldest entry, so that a busy client cannot push
 * out another's.  Each client has FIRST entries a shard beyond the common limit, or the clients
 * that come last would have none.
 */
#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#include "adapters/nfs/drc.h"
#include "base/clock.h"

#define SHARDS 4u
#define FIRST 8u      /* entries of a shard at first; then it doubles */
#define GROW_MAX 256u /* entries that it grows by at most, done under its lock */
#define HEAD 256u     /* bytes of the arguments that the checksum covers */
#define CLIENTS_MAX 4096u
#define BUCKETS 1024u /* of the client index */
#define SCAN 8u       /* entries in progress that recycling steps over before it grows */
#define NONE UINT32_MAX
#define JUKEBOX 10008u

enum state { FREE = 0, IN_PROGRESS, DONE };

struct entry {
	uint64_t checksum;
	int64_t time; /* monotonic ns of arrival */
	uint32_t xid, procedure, args_len;
	uint32_t next; /* in the index chain */
	uint32_t len;
	uint32_t state;
	unsigned char reply[NFS_DRC_REPLY_MAX];
};

struct shard {
	pthread_mutex_t mu;
	struct entry *ring; /* guarded by mu, and all below */
	uint32_t *index;    /* n_index chains, a power of two */
	uint32_t n, n_index, hand;
} __attribute__((aligned(64)));

struct nfs_drc_client {
	struct shard shards[SHARDS];
	struct nfs_drc *drc;
	unsigned char addr[16];
	uint32_t holders;   /* connections; guarded by the cache's mu */
	int64_t left;       /* when the last one went, monotonic ns; guarded by the cache's mu */
	_Atomic uint32_t n; /* entries of all shards */
	struct nfs_drc_client *next;
};

struct nfs_drc {
	uint32_t max_entries, max_per_client;
	uint64_t seed; /* so that nobody can aim at a collision */
	_Atomic uint32_t n;
	pthread_mutex_t mu;
	uint32_t n_clients;                      /* guarded by mu */
	struct nfs_drc_client *buckets[BUCKETS]; /* guarded by mu */
};

struct nfs_drc *
nfs_drc_new(uint32_t max_entries, uint32_t max_per_client)
{
	struct nfs_drc *drc = calloc(1, sizeof *drc);

	if (!drc)
		return NULL;
	drc->max_entries = max_entries ? max_entries : 65536;
	drc->max_per_client = max_per_client ? max_per_client : 4096;
	if (getrandom(&drc->seed, sizeof drc->seed, 0) != sizeof drc->seed)
		drc->seed = (uint64_t)dfs_clock_real();
	pthread_mutex_init(&drc->mu, NULL);
	return drc;
}

static void
client_free(struct nfs_drc *drc, struct nfs_drc_client *client)
{
	atomic_fetch_sub(&drc->n, client->n);
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_mutex_destroy(&client->shards[i].mu);
		free(client->shards[i].ring);
		free(client->shards[i].index);
	}
	free(client);
}

void
nfs_drc_free(struct nfs_drc *drc)
{
	if (!drc)
		return;
	for (unsigned b = 0; b < BUCKETS; b++) {
		while (drc->buckets[b]) {
			struct nfs_drc_client *client = drc->buckets[b];
			assert(client->holders == 0);
			drc->buckets[b] = client->next;
			client_free(drc, client);
		}
	}
	pthread_mutex_destroy(&drc->mu);
	free(drc);
}

/* The address without its port; IPv4 in its mapped form, so that a dual-stack socket agrees. */
static void
peer_address(const struct sockaddr *peer, unsigned char addr[16])
{
	memset(addr, 0, 16);
	if (peer->sa_family == AF_INET) {
		addr[10] = addr[11] = 0xff;
		memcpy(addr + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
	} else if (peer->sa_family == AF_INET6) {
		memcpy(addr, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
	}
}

/* Of the tables that no connection holds, those past their time go, and while there are too many
 * clients or entries, the one that left first. */
static void
reap_locked(struct nfs_drc *drc, int64_t now)
{
	struct nfs_drc_client **oldest = NULL;

	for (unsigned b = 0; b < BUCKETS; b++) {
		struct nfs_drc_client **at = &drc->buckets[b];
		while (*at) {
			struct nfs_drc_client *client = *at;
			if (client->holders) {
				at = &client->next;
			} else if (now - client->left > NFS_DRC_KEEP) {
				*at = client->next;
				client_free(drc, client);
				drc->n_clients--;
				oldest = NULL; /* may point into what went */
			} else {
				if (!oldest || client->left < (*oldest)->left)
					oldest = at;
				at = &client->next;
			}
		}
	}
	if ((drc->n_clients >= CLIENTS_MAX || drc->n >= drc->max_entries) && oldest) {
		struct nfs_drc_client *client = *oldest;
		*oldest = client->next;
		client_free(drc, client);
		drc->n_clients--;
	}
}

static struct nfs_drc_client **
bucket_of(struct nfs_drc *drc, const unsigned char addr[16])
{
	return &drc->buckets[XXH3_64bits_withSeed(addr, 16, drc->seed) % BUCKETS];
}

struct nfs_drc_client *
nfs_drc_client_get(struct nfs_drc *drc, const struct sockaddr *peer)
{
	unsigned char addr[16];
	struct nfs_drc_client *client, **bucket;

	peer_address(peer, addr);
	bucket = bucket_of(drc, addr);
	pthread_mutex_lock(&drc->mu);
	for (client = *bucket; client; client = client->next)
		if (memcmp(client->addr, addr, 16) == 0)
			break;
	if (!client) {
		if (drc->n_clients >= CLIENTS_MAX || drc->n >= drc->max_entries)
			reap_locked(drc, dfs_clock_mono());
		if (drc->n_clients < CLIENTS_MAX)
			client = aligned_alloc(64, (sizeof *client + 63) & ~(size_t)63);
		if (client) {
			memset(client, 0, sizeof *client);
			memcpy(client->addr, addr, 16);
			client->drc = drc;
			for (unsigned i = 0; i < SHARDS; i++)
				pthread_mutex_init(&client->shards[i].mu, NULL);
			client->next = *bucket;
			*bucket = client;
			drc->n_clients++;
		}
	}
	if (client)
		client->holders++;
	pthread_mutex_unlock(&drc->mu);
	return client;
}

void
nfs_drc_client_put(struct nfs_drc *drc, struct nfs_drc_client *client)
{
	if (!client)
		return;
	pthread_mutex_lock(&drc->mu);
	assert(client->holders > 0);
	if (--client->holders == 0 && client->n == 0) { /* it changed nothing: nothing to keep */
		struct nfs_drc_client **at = bucket_of(drc, client->addr);
		while (*at != client)
			at = &(*at)->next;
		*at = client->next;
		drc->n_clients--;
		client_free(drc, client);
	} else if (client->holders == 0) {
		client->left = dfs_clock_mono();
	}
	pthread_mutex_unlock(&drc->mu);
}

static inline uint32_t *
chain(struct shard *s, uint32_t xid)
{
	return &s->index[(xid / SHARDS) & (s->n_index - 1)];
}

static void
unlink_locked(struct shard *s, uint32_t at)
{
	uint32_t *p = chain(s, s->ring[at].xid);

	while (*p != at)
		p = &s->ring[*p].next;
	*p = s->ring[at].next;
	s->ring[at].state = FREE;
}

/* More entries, and an index with a chain for each. */
static bool
grow_locked(struct nfs_drc_client *client, struct shard *s)
{
	struct nfs_drc *drc = client->drc;
	uint32_t more = !s->n ? FIRST : s->n < GROW_MAX ? s->n : GROW_MAX;
	uint32_t n = s->n + more, n_index = s->n_index ? s->n_index : FIRST;
	struct entry *ring;
	uint32_t *index;

	if (s->n && (drc->n + more > drc->max_entries || client->n + more > drc->max_per_client))
		return false;
	while (n_index < n)
		n_index *= 2;
	index = malloc(n_index * sizeof *index);
	ring = index ? realloc(s->ring, n * sizeof *ring) : NULL;
	if (!ring) {
		free(index);
		return false;
	}
	memset(index, 0xff, n_index * sizeof *index);
	free(s->index);
	s->ring = ring;
	s->index = index;
	s->n_index = n_index;
	for (uint32_t i = 0; i < s->n; i++) {
		if (ring[i].state == FREE)
			continue;
		uint32_t *head = chain(s, ring[i].xid);
		ring[i].next = *head;
		*head = i;
	}
	for (uint32_t i = s->n; i < n; i++)
		ring[i].state = FREE;
	s->hand = s->n; /* the fresh ones first */
	s->n = n;
	atomic_fetch_add(&client->n, more);
	atomic_fetch_add(&drc->n, more);
	return true;
}

/* A free entry for a new request, or NONE.  An entry younger than NFS_DRC_KEEP is recycled only
 * when the ring may not grow. */
static uint32_t
take_locked(struct nfs_drc_client *client, struct shard *s, int64_t now)
{
	bool may_grow = true;

	for (;;) {
		uint32_t tries = may_grow && s->n > SCAN ? SCAN : s->n;
		for (uint32_t i = 0; i < tries; i++) {
			uint32_t at = s->hand;
			struct entry *e = &s->ring[at];
			if (e->state == DONE && may_grow && now - e->time <= NFS_DRC_KEEP)
				break;
			s->hand = at + 1 == s->n ? 0 : at + 1;
			if (e->state == DONE)
				unlink_locked(s, at);
			if (e->state == FREE)
				return at;
		}
		if (!may_grow)
			return NONE;
		may_grow = grow_locked(client, s);
	}
}

static uint32_t
find_locked(struct shard *s, const struct entry *key)
{
	if (!s->n)
		return NONE;
	for (uint32_t at = *chain(s, key->xid); at != NONE; at = s->ring[at].next) {
		const struct entry *e = &s->ring[at];
		if (e->xid == key->xid && e->checksum == key->checksum &&
		    e->procedure == key->procedure && e->args_len == key->args_len)
			return at;
	}
	return NONE;
}

/* The shard's next request, a few from now, will most likely take the entry at the hand. */
static void
prefetch_next(const struct shard *s)
{
	const char *p = (const char *)&s->ring[s->hand];

	for (unsigned i = 0; i < sizeof(struct entry); i += 64)
		__builtin_prefetch(p + i, 1);
}

enum nfs_drc_verdict
nfs_drc_begin(struct nfs_drc_client *client, uint32_t xid, uint32_t procedure, const void *args,
	      uint32_t args_len, int64_t now, struct nfs_drc_slot *slot, void *reply, uint32_t *len)
{
	struct shard *s = &client->shards[xid % SHARDS];
	enum nfs_drc_verdict verdict = NFS_DRC_BYPASS;
	struct entry *e, key;
	uint32_t at, *head;

	key.xid = xid;
	key.procedure = procedure;
	key.args_len = args_len;
	key.checksum =
		XXH3_64bits_withSeed(args, args_len < HEAD ? args_len : HEAD, client->drc->seed);
	*slot = (struct nfs_drc_slot){0};
	pthread_mutex_lock(&s->mu);
	at = find_locked(s, &key);
	if (at != NONE) {
		e = &s->ring[at];
		if (e->state == IN_PROGRESS) {
			verdict = NFS_DRC_DROP;
			goto out;
		}
		if (now - e->time <= NFS_DRC_KEEP) {
			memcpy(reply, e->reply, e->len);
			*len = e->len;
			verdict = NFS_DRC_RESEND;
			goto out;
		}
		unlink_locked(s, at);
	} else {
		at = take_locked(client, s, now);
		if (at == NONE)
			goto out;
	}
	e = &s->ring[at];
	e->checksum = key.checksum;
	e->xid = xid;
	e->procedure = procedure;
	e->args_len = args_len;
	e->time = now;
	e->state = IN_PROGRESS;
	head = chain(s, xid);
	e->next = *head;
	*head = at;
	*slot = (struct nfs_drc_slot){client, at, xid % SHARDS};
	verdict = NFS_DRC_NEW;
	prefetch_next(s);
out:
	pthread_mutex_unlock(&s->mu);
	return verdict;
}

void
nfs_drc_done(struct nfs_drc_slot *slot, const void *reply, uint32_t len)
{
	struct nfs_drc_client *client = slot->client;
	struct shard *s;
	uint32_t status = 0;

	if (!client)
		return;
	if (len >= 4)
		memcpy(&status, reply, 4);
	if (len > NFS_DRC_REPLY_MAX || len < 4 || __builtin_bswap32(status) == JUKEBOX) {
		nfs_drc_forget(slot);
		return;
	}
	s = &client->shards[slot->shard];
	pthread_mutex_lock(&s->mu);
	memcpy(s->ring[slot->entry].reply, reply, len);
	s->ring[slot->entry].len = len;
	s->ring[slot->entry].state = DONE;
	pthread_mutex_unlock(&s->mu);
	slot->client = NULL;
}

void
nfs_drc_forget(struct nfs_drc_slot *slot)
{
	struct shard *s;

	if (!slot->client)
		return;
	s = &slot->client->shards[slot->shard];
	pthread_mutex_lock(&s->mu);
	unlink_locked(s, slot->entry);
	pthread_mutex_unlock(&s->mu);
	slot->client = NULL;
}

uint32_t
nfs_drc_entries(const struct nfs_drc *drc)
{
	return drc->n;
}
