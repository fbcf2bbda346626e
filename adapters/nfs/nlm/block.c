/* SPDX-License-Identifier: MIT
 *
 * A LOCK that blocks, as a piece of memory: bounded, and a copy of all that its grant will need.
 */
#include <stdlib.h>

#include "adapters/nfs/nlm/service.h"

static const unsigned char *
keep(unsigned char **at, const struct nlm_bytes *from)
{
	unsigned char *to = *at;

	if (from->len)
		memcpy(to, from->data, from->len);
	*at += from->len;
	return to;
}

/* The counter of an address; its hash is keyed: nobody chooses with whom it shares one. */
static _Atomic uint32_t *
counter_of(struct nlm *nlm, const struct nlm_client *client)
{
	uint64_t hash = dfs_siphash(&nlm->peer_key, client->bytes, NLM_CLIENT_HEAD);

	return &nlm->n_blocks_of[hash % NLM_BLOCK_COUNTERS];
}

static bool
count(_Atomic uint32_t *n, uint32_t max)
{
	if (atomic_fetch_add_explicit(n, 1, memory_order_relaxed) < max)
		return true;
	atomic_fetch_sub_explicit(n, 1, memory_order_relaxed);
	return false;
}

static bool
count_block(struct nlm *nlm, _Atomic uint32_t *of_address)
{
	if (!count(&nlm->n_blocks, NLM_BLOCKS_MAX))
		return false;
	if (count(of_address, NLM_BLOCKS_ADDRESS_MAX))
		return true;
	atomic_fetch_sub_explicit(&nlm->n_blocks, 1, memory_order_relaxed);
	return false;
}

struct nlm_block *
nlm_block_new(struct nfs_call *call, const struct nlm_request *request)
{
	const struct nlm_args *args = request->args;
	struct nlm *nlm = nlm_of(call);
	struct nlm_block *block =
		calloc(1, sizeof *block + args->caller.len + args->fh.len + args->oh.len);
	unsigned char *at;

	if (!block)
		return NULL;
	nfs_address_set(&block->peer, &call->access->peer.sa);
	nfs_address_set_port(&block->peer, 0);
	block->client = request->client;
	block->of_address = counter_of(nlm, &block->client);
	if (!count_block(nlm, block->of_address)) {
		free(block);
		return NULL;
	}
	at = block->bytes;
	block->wait.done = nlm_granted;
	block->wait.session = nlm;
	block->task.run = nlm_tell;
	block->nlm = nlm;
	block->local = call->access->local;
	block->datagram = call->access->datagram;
	block->version = call->version;
	block->message = request->message;
	block->slot = request->slot;
	block->ref = request->ref;
	block->range = request->range;
	block->cookie = atomic_fetch_add(&nlm->cookie, 1);
	block->args = *args;
	block->args.caller.data = keep(&at, &args->caller);
	block->args.fh.data = keep(&at, &args->fh);
	block->args.oh.data = keep(&at, &args->oh);
	block->args.cookie = (struct nlm_bytes){(const unsigned char *)&block->cookie, 8};
	block->owner_len = request->who.owner_len;
	memcpy(block->owner, request->owner, request->who.owner_len);
	return block;
}

void
nlm_block_free(struct nlm_block *block)
{
	if (!block)
		return;
	atomic_fetch_sub_explicit(block->of_address, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&block->nlm->n_blocks, 1, memory_order_relaxed);
	free(block);
}
