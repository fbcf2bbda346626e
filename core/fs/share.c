/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "config/address.h"
#include "fs/recount.h"
#include "fs/replay.h"
#include "fs/share.h"
#include "fs/unlink.h"
#include "io/gate.h"
#include "io/worker.h"
#include "metadata/ns.h"
#include "metadata/quota.h"
#include "metadata/store.h"
#include "metadata/usage.h"
#include "payload/payload.h"
#include "payload/wal/wal.h"

#define LANE_QUEUE 65536
#define SYNC_TIME (5 * DFS_SECOND) /* at the end, should the steps before have used up all time */

static const struct dfs_hash_key fsid_key = {UINT64_C(0x6469747466736964), 0};

static struct dfs_share_rules *
rules_copy(const struct dfs_share_rules *rules)
{
	return rules ? dfs_share_rules_new(rules->rules, rules->n) : dfs_share_rules_default();
}

static enum dfs_status
reclaim(void *payload, const struct dfs_content_id *content)
{
	return dfs_payload_reclaim(payload, content);
}

static void
keys_from_uuid(struct dfs_share *share, const struct dfs_hash_key *secret)
{
	unsigned char input[17];
	uint32_t slot;

	memcpy(input, share->uuid, 16);
	input[16] = 1;
	share->handle_key.k0 = dfs_siphash(secret, input, sizeof input);
	input[16] = 2;
	share->handle_key.k1 = dfs_siphash(secret, input, sizeof input);
	share->fsid = dfs_siphash(&fsid_key, share->uuid, 16);
	memcpy(&slot, share->uuid, sizeof slot);
	share->slot = le32toh(slot);
}

/* What an earlier run left: to be collected, flushed, gone on with.  Of a share that is followed all of
 * that is another server's. */
static enum dfs_status
begin(struct dfs_share *share, const struct dfs_share_options *o)
{
	const struct dfs_lease *lease = &share->ns->lease;
	enum dfs_status status = DFS_OK;

	if (!lease->follow && o->wal)
		status = dfs_wal_advance(o->wal, lease->lsn, dfs_clock_mono() + 10 * DFS_SECOND);
	if (status == DFS_OK && !lease->follow)
		status = dfs_payload_start(share->payload);
	if (status == DFS_OK && o->recovered && o->wal)
		status = dfs_share_replay(share, o->recovered);
	share->log_taken |= status == DFS_OK;
	return status;
}

/* What is used, before anything changes: as the store has it, or counted. */
static enum dfs_status
open_quotas(struct dfs_namespace *ns, const struct dfs_quota_rules *rules)
{
	struct dfs_recount found;
	enum dfs_status status;
	bool kept = false;

	/* Of a share that is followed its writer keeps all that there is to keep. */
	if (ns->lease.follow)
		return DFS_OK;
	if (rules && !dfs_usage_supported(ns->store))
		return dfs_fail(DFS_NOTSUP,
				"the metadata store %s keeps no sums of usage, so there can be no "
				"quotas on it",
				ns->store->name);
	status = dfs_usage_kept(ns, &kept);
	if (status != DFS_OK || (!rules && !kept))
		return status;
	if (!rules) {
		dfs_log(DFS_LOG_INFO, "share %s: what is used is not kept any more", ns->rec.name);
		return dfs_usage_end(ns);
	}
	ns->quota = dfs_quota_new(rules);
	if (!ns->quota)
		return dfs_fail(DFS_NOMEM, "no memory for the quotas of share %s", ns->rec.name);
	if (kept)
		return dfs_usage_load(ns);
	status = dfs_recount(ns, ns->quota, true, &found);
	if (status == DFS_OK)
		status = dfs_usage_begin(ns, ns->quota);
	if (status == DFS_OK)
		dfs_log(DFS_LOG_INFO,
			"share %s: what is used is kept from now on: %llu bytes, %llu files",
			ns->rec.name, (unsigned long long)found.bytes,
			(unsigned long long)found.inodes);
	return status;
}

/* A follower's locks would be known to nobody else: it has none. */
static enum dfs_status
open_locks(struct dfs_share *share, const struct dfs_share_options *o)
{
	struct dfs_locks_options locks = {
		.domain = o->lock_domain,
		.store = share->ns->lease.follow ? NULL : o->metadata,
		.share = share->ns->rec.id,
		.durability = o->durability,
		.unpin = op_unpin,
		.arg = share,
	};

	return dfs_locks_open(&locks, &share->locks);
}

enum dfs_status
dfs_share_open(const struct dfs_share_options *o, struct dfs_share **out)
{
	struct dfs_namespace_options nso = {
		.name = o->name,
		.root_mode = o->root_mode,
		.root_uid = o->root_uid,
		.root_gid = o->root_gid,
		.self = o->self,
		.wish = o->take_over   ? DFS_LEASE_FORCE
			: o->read_only ? DFS_LEASE_READ
				       : DFS_LEASE_WRITE,
		.log_last = o->wal ? dfs_wal_last(o->wal) : 0,
	};
	struct dfs_share *share = calloc(1, sizeof *share);
	struct dfs_payload_options payload;
	struct dfs_namespace *ns;
	uint32_t level = o->durability >= DFS_DURABILITY_POWER ? DFS_SYNC_POWER : DFS_SYNC_PROCESS;
	enum dfs_status status;

	*out = NULL;
	if (!share)
		return dfs_fail(DFS_NOMEM, "no memory for the share %s", o->name);
	status = dfs_namespace_open(o->metadata, o->inodes, &nso, &ns);
	if (status == DFS_OK) {
		status = open_quotas(ns, o->quotas);
		if (status != DFS_OK) {
			dfs_namespace_close(ns);
			dfs_namespace_free(ns, !ns->lease.same, nso.log_last);
		}
	}
	if (status != DFS_OK) {
		free(share);
		return status;
	}
	atomic_init(&share->refs, 1);
	snprintf(share->name, sizeof share->name, "%s", o->name);
	share->path = strdup(o->path);
	if (!share->path)
		abort();
	memcpy(share->uuid, ns->rec.uuid, sizeof share->uuid);
	keys_from_uuid(share, &o->secret);
	share->root_fileid = ns->rec.root;
	share->root_generation = ns->root_generation;
	share->durability = o->durability;
	share->read_only = o->read_only;
	share->ns = ns;
	share->blocks = o->blocks;
	share->recovered = o->recovered;
	share->wal = o->wal;
	share->log_taken = !ns->lease.same;
	share->rules = rules_copy(o->rules);
	payload = (struct dfs_payload_options){
		.cache = o->pages,
		.metadata = o->metadata,
		.blocks = o->blocks,
		.wal = o->wal,
		.share_id = ns->rec.id,
		.prefix = share->name,
		.durability = o->durability,
		.log_quota = o->log_quota,
		.stuck_write = o->stuck_write,
		.dedup = o->dedup,
		.quotas = ns->quota != NULL,
		.gc_grace = o->gc_grace,
		.gc_reconcile = o->gc_reconcile,
		.gc_reconcile_interval = o->gc_reconcile_interval,
		.flush = o->flush,
	};
	memcpy(payload.uuid, share->uuid, sizeof payload.uuid);
	share->payload = dfs_payload_new(&payload);
	if (!share->payload)
		abort();
	if (o->workers)
		share->lane = dfs_lane_new(o->workers, 0, LANE_QUEUE);
	ns->content = (struct dfs_content_ops){dfs_file_busy, dfs_file_free, dfs_file_used,
					       dfs_file_discard, reclaim};
	ns->content_arg = share->payload;
	status = open_locks(share, o);
	if (status == DFS_OK)
		status = begin(share, o);
	if (!ns->lease.follow)
		dfs_orphans_start(ns, share->lane, level);
	*out = share;
	return status;
}

bool
dfs_share_follows(const struct dfs_share *share)
{
	return share->ns->lease.follow;
}

bool
dfs_share_set_read_only(struct dfs_share *share, bool on)
{
	if (!on && share->ns->lease.follow)
		return false;
	share->read_only = on;
	return true;
}

/* What a store has may still be in its memory, and it is not said that the store will be closed. */
static void
sync_names(const struct dfs_share *share, struct dfs_metadata_store *store, int64_t deadline)
{
	int64_t least = dfs_clock_mono() + SYNC_TIME;
	enum dfs_status status = DFS_OK;

	if (store->gate)
		status = dfs_gate_wait_sync(store->gate, atomic_load(&store->last_seq),
					    DFS_SYNC_POWER, deadline > least ? deadline : least);
	if (status != DFS_OK)
		dfs_log(DFS_LOG_ERROR, "%s: its names may not be durable (%s)", share->name,
			dfs_status_name(status));
}

enum dfs_status
dfs_share_close(struct dfs_share *share, int64_t idle, int64_t deadline)
{
	struct dfs_metadata_store *store;
	enum dfs_status status;
	bool complete;

	if (!share)
		return DFS_OK;
	store = share->ns->store;
	while (atomic_load(&share->refs) > 1) {
		if (dfs_clock_mono() > idle)
			return dfs_fail(DFS_BUSY, "requests still use it");
		usleep(1000);
	}
	/* Files without a name that are locked are closed on the lane, or at the next start. */
	dfs_locks_close(share->locks);
	dfs_orphans_stop(share->ns);
	if (share->lane)
		dfs_lane_free(share->lane);
	DFS_FAILPOINT("drain");
	status = dfs_payload_flush(share->payload, deadline);
	DFS_FAILPOINT("drained");
	complete = share->log_taken && status == DFS_OK;
	if (status != DFS_OK && dfs_payload_logs(share->payload)) {
		dfs_log(DFS_LOG_INFO, "%s: what is not in the block store yet stays in the log",
			share->name);
		dfs_recovered_leave(share->recovered, share->uuid);
	} else if (status != DFS_OK)
		dfs_log(DFS_LOG_ERROR, "%s: not everything could be written (%s): %s", share->name,
			dfs_status_name(status), dfs_fail_text());
	dfs_namespace_close(share->ns);
	status = dfs_payload_free(share->payload, deadline);
	dfs_namespace_free(share->ns, complete && status == DFS_OK,
			   share->wal ? dfs_wal_last(share->wal) : 0);
	sync_names(share, store, deadline);
	free((void *)share->rules);
	free(share->path);
	free(share);
	return status;
}

void
dfs_share_set_rules(struct dfs_share *share, const struct dfs_share_rules *rules)
{
	const struct dfs_share_rules *copy = rules_copy(rules), *old;

	dfs_lock_acquire(&share->rules_lock);
	old = share->rules;
	share->rules = copy;
	dfs_lock_release(&share->rules_lock);
	free((void *)old);
}

bool
dfs_share_set_quotas(struct dfs_share *share, const struct dfs_quota_rules *quotas)
{
	static const struct dfs_quota_rules none;

	if (share->ns->quota)
		dfs_quota_set_rules(share->ns->quota, quotas ? quotas : &none);
	return share->ns->quota || !quotas || share->ns->lease.follow;
}

struct dfs_share *
dfs_share_ref(struct dfs_share *share)
{
	atomic_fetch_add_explicit(&share->refs, 1, memory_order_relaxed);
	return share;
}

void
dfs_share_unref(struct dfs_share *share)
{
	if (share)
		atomic_fetch_sub_explicit(&share->refs, 1, memory_order_release);
}

bool
dfs_share_match(struct dfs_share *share, const struct sockaddr *peer, struct dfs_client_rule *rule)
{
	const struct dfs_share_rules *rules;
	bool found = false;
	uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};

	if (peer->sa_family == AF_INET)
		memcpy(addr + 12, &((const struct sockaddr_in *)peer)->sin_addr, 4);
	else if (peer->sa_family == AF_INET6)
		memcpy(addr, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
	else
		return false;
	dfs_lock_acquire(&share->rules_lock);
	rules = share->rules;
	for (uint32_t i = 0; i < rules->n && !found; i++) {
		found = dfs_address_in(&rules->rules[i], addr);
		if (found)
			*rule = rules->rules[i];
	}
	dfs_lock_release(&share->rules_lock);
	return found;
}
