/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "metadata/lease.h"
#include "metadata/store.h"

#define LEASE_VERSION 1
/* More records than a server logs between two starts: at a million a second, two years. */
#define LSN_AHEAD (UINT64_C(1) << 46)

static const char lease_key[] = "lease";
/* Followed by a server's id: the LSN at which that server gave the lease back last. */
static const char returned_key[] = "lease-returned/";

/* The stored form; what follows what is known here is a later version's. */
struct lease_value {
	uint8_t version;
	uint8_t held; /* 0: given back; who had it is still told */
	uint8_t id[16];
	uint8_t since[8]; /* ns since 1970, little endian, as is */
	uint8_t begin[8]; /* the holder's LSNs are above */
	uint8_t lsn[8];   /* no record of the share has a higher one */
	char text[96];    /* NUL-terminated */
};

static uint64_t
get64(const uint8_t *bytes)
{
	uint64_t v;

	memcpy(&v, bytes, sizeof v);
	return le64toh(v);
}

static void
put64(uint8_t *bytes, uint64_t v)
{
	v = htole64(v);
	memcpy(bytes, &v, sizeof v);
}

/* All zero: nobody ever had one. */
static enum dfs_status
get(struct dfs_metadata_store *store, struct dfs_txn *txn, const struct dfs_share_record *rec,
    struct lease_value *lease)
{
	uint8_t value[2 * sizeof *lease];
	uint32_t len = sizeof value;
	enum dfs_status status;

	memset(lease, 0, sizeof *lease);
	status = store->ops.get_state(store->inst, txn, rec->id, lease_key, sizeof lease_key - 1,
				      value, &len);
	if (status != DFS_OK)
		return status == DFS_NOENT ? DFS_OK : status;
	if (len < sizeof *lease || value[0] != LEASE_VERSION)
		return dfs_fail(DFS_VERSION,
				"%s: the share's lease has a form that is not known here",
				rec->name);
	memcpy(lease, value, sizeof *lease);
	lease->text[sizeof lease->text - 1] = '\0';
	return DFS_OK;
}

static enum dfs_status
put(struct dfs_metadata_store *store, struct dfs_txn *txn, const struct dfs_share_record *rec,
    const struct lease_value *lease)
{
	return store->ops.put_state(store->inst, txn, rec->id, lease_key, sizeof lease_key - 1,
				    lease, sizeof *lease);
}

struct own_key {
	char bytes[sizeof returned_key - 1 + 16];
};

static struct own_key
own_key(const uint8_t id[16])
{
	struct own_key key;

	memcpy(key.bytes, returned_key, sizeof returned_key - 1);
	memcpy(key.bytes + sizeof returned_key - 1, id, 16);
	return key;
}

static enum dfs_status
get_returned(struct dfs_metadata_store *store, struct dfs_txn *txn,
	     const struct dfs_share_record *rec, const uint8_t id[16], uint64_t *lsn)
{
	struct own_key key = own_key(id);
	uint8_t value[8] = {0};
	uint32_t len = sizeof value;
	enum dfs_status status = store->ops.get_state(store->inst, txn, rec->id, key.bytes,
						      sizeof key.bytes, value, &len);

	*lsn = get64(value);
	return status == DFS_NOENT ? DFS_OK : status;
}

static enum dfs_status
put_returned(struct dfs_metadata_store *store, struct dfs_txn *txn,
	     const struct dfs_share_record *rec, const uint8_t id[16], uint64_t lsn)
{
	struct own_key key = own_key(id);
	uint8_t value[8];

	put64(value, lsn);
	return store->ops.put_state(store->inst, txn, rec->id, key.bytes, sizeof key.bytes, value,
				    sizeof value);
}

static enum dfs_status
refuse(const struct dfs_share_record *rec, const struct lease_value *lease)
{
	time_t seconds = (time_t)(get64(lease->since) / DFS_SECOND);
	struct tm tm;
	char when[32];

	gmtime_r(&seconds, &tm);
	strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &tm);
	return dfs_fail(
		DFS_BUSY,
		"another server (%s) writes to it since %s: stop that one in order, set read_only "
		"here, or, if it is gone for good with what its log holds, start with "
		"--take-over=%s",
		lease->text, when, rec->name);
}

enum dfs_status
dfs_lease_take(struct dfs_metadata_store *store, struct dfs_txn *txn, struct dfs_share_record *rec,
	       const struct dfs_server_identity *self, enum dfs_lease_wish wish, uint64_t log_last,
	       struct dfs_lease *lease)
{
	struct lease_value had, mine = {.version = LEASE_VERSION, .held = 1};
	enum dfs_status status = get(store, txn, rec, &had);
	uint64_t top;

	if (status != DFS_OK)
		return status;
	*lease = (struct dfs_lease){
		.same = had.held && memcmp(had.id, self->id, sizeof had.id) == 0,
		.lsn = get64(had.lsn),
	};
	lease->held = had.held && !lease->same;
	lease->follow = wish == DFS_LEASE_READ && !lease->same;
	if (lease->follow)
		return DFS_OK;
	if (had.held && !lease->same && wish != DFS_LEASE_FORCE)
		return refuse(rec, &had);
	if (had.held && !lease->same)
		dfs_log(DFS_LOG_WARN,
			"share %s is taken over from %s: what only its log had is given up",
			rec->name, had.text);
	status = get_returned(store, txn, rec, self->id, &lease->returned);
	if (status != DFS_OK)
		return status;
	/* What our log has from before another server had the share is void. */
	if (lease->same)
		lease->lsn = get64(had.begin);
	else if (log_last > lease->lsn)
		lease->lsn = log_last;
	put64(mine.begin, lease->lsn);
	top = log_last > lease->lsn ? log_last : lease->lsn;
	if (top + LSN_AHEAD > get64(had.lsn))
		put64(mine.lsn, top + LSN_AHEAD);
	else
		memcpy(mine.lsn, had.lsn, sizeof mine.lsn);
	memcpy(mine.id, self->id, sizeof mine.id);
	put64(mine.since, (uint64_t)dfs_clock_real());
	snprintf(mine.text, sizeof mine.text, "%s", self->text);
	rec->epoch++;
	status = store->ops.put_share(store->inst, txn, rec);
	return status == DFS_OK ? put(store, txn, rec, &mine) : status;
}

enum dfs_status
dfs_lease_give_back(struct dfs_metadata_store *store, struct dfs_txn *txn,
		    const struct dfs_share_record *rec, uint64_t log_last, bool settled)
{
	struct lease_value lease;
	enum dfs_status status = get(store, txn, rec, &lease);

	if (status != DFS_OK)
		return status;
	lease.held = 0;
	/* Without a log there were none, but those that were there before. */
	if (log_last)
		put64(lease.lsn, log_last > get64(lease.begin) ? log_last : get64(lease.begin));
	if (log_last && settled)
		status = put_returned(store, txn, rec, lease.id, log_last);
	return status == DFS_OK ? put(store, txn, rec, &lease) : status;
}
