/* SPDX-License-Identifier: MIT
 *
 * The metadata store on PostgreSQL: the plugin's table, opening and closing.
 *
 * Threads: anything from anywhere; every call may wait for the database, for request_timeout at most, but for a
 * commit whose connection went: that waits until its outcome is known.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "records.h"
#include "schema.h"

#define FIELD(name) offsetof(struct postgres_config, name)

static const struct dfs_config_item config[] = {
	{.key = "conninfo",
	 .type = DFS_CONFIG_SECRET,
	 .offset = FIELD(conninfo),
	 .max = 4096,
	 .help = "A connection string or URI of PostgreSQL; the options below come on top of it."},
	{.key = "host",
	 .type = DFS_CONFIG_STRING,
	 .offset = FIELD(host),
	 .max = 1024,
	 .help = "Host name, address or folder of the Unix socket; several, separated by commas, "
		 "are "
		 "tried in turn, and the one that takes changes is used."},
	{.key = "port",
	 .type = DFS_CONFIG_STRING,
	 .offset = FIELD(port),
	 .max = 256,
	 .help = "TCP port or the socket's number; several as with the hosts."},
	{.key = "dbname",
	 .type = DFS_CONFIG_STRING,
	 .offset = FIELD(dbname),
	 .max = 63,
	 .help = "Name of the database, which must be there."},
	{.key = "user",
	 .type = DFS_CONFIG_STRING,
	 .offset = FIELD(user),
	 .max = 63,
	 .help = "Role to connect as."},
	{.key = "password",
	 .type = DFS_CONFIG_SECRET,
	 .offset = FIELD(password),
	 .max = 1024,
	 .help = "Password of the role."},
	{.key = "passfile",
	 .type = DFS_CONFIG_PATH,
	 .offset = FIELD(passfile),
	 .max = 4000,
	 .help = "File with passwords, in the format of libpq's .pgpass, which nobody else may "
		 "read."},
	{.key = "sslmode",
	 .type = DFS_CONFIG_ENUM,
	 .offset = FIELD(sslmode),
	 .def = "default",
	 .names = sslmodes,
	 .help = "Whether the connection is encrypted and the server's certificate is checked; "
		 "default leaves it to libpq."},
	{.key = "sslrootcert",
	 .type = DFS_CONFIG_PATH,
	 .offset = FIELD(sslrootcert),
	 .max = 4000,
	 .help = "File with the certificates of authorities that are trusted."},
	{.key = "sslcert",
	 .type = DFS_CONFIG_PATH,
	 .offset = FIELD(sslcert),
	 .max = 4000,
	 .help = "File with the client's certificate."},
	{.key = "sslkey",
	 .type = DFS_CONFIG_PATH,
	 .offset = FIELD(sslkey),
	 .max = 4000,
	 .help = "File with the client's key."},
	{.key = "schema",
	 .type = DFS_CONFIG_STRING,
	 .offset = FIELD(schema),
	 .min = 1,
	 .max = 63,
	 .def = "dittofs",
	 .help = "Schema of the store's tables; it is made when it is not there, and must be empty "
		 "or "
		 "hold a store."},
	{.key = "max_conns",
	 .type = DFS_CONFIG_INT,
	 .offset = FIELD(max_conns),
	 .min = 1,
	 .max = SESSIONS_MAX,
	 .def = "10",
	 .help = "Connections at a time; they are opened as they are needed."},
	{.key = "connect_timeout",
	 .type = DFS_CONFIG_DURATION,
	 .offset = FIELD(connect_timeout),
	 .min = 100000000,
	 .max = INT64_C(600000000000),
	 .def = "5s",
	 .help = "How long an attempt to connect to one host may take."},
	{.key = "request_timeout",
	 .type = DFS_CONFIG_DURATION,
	 .offset = FIELD(request_timeout),
	 .min = 100000000,
	 .max = INT64_C(600000000000),
	 .def = "10s",
	 .help = "How long a request waits for a database that is away or does not answer, before "
		 "the client is told to come again later."},
	{.key = "unsynced_size",
	 .type = DFS_CONFIG_SIZE,
	 .offset = FIELD(unsynced_size),
	 .min = 64 << 10,
	 .max = INT64_C(1) << 32,
	 .def = "16M",
	 .help = "Bytes of commits that are kept in memory until the database has them on its "
		 "disk; "
		 "when they are reached, commits wait for the disk."},
	{.type = DFS_CONFIG_END},
};

static enum dfs_status
store_validate(const void *values, struct dfs_diag *diag)
{
	return conninfo_check(values, diag);
}

static void
store_free(struct store *s)
{
	pool_free(&s->pool);
	journal_free(&s->journal);
	statements_free(&s->statements);
	conninfo_free(s);
	pthread_cond_destroy(&s->claim_over);
	pthread_mutex_destroy(&s->claim_mu);
	pthread_mutex_destroy(&s->timeline.mu);
	pthread_mutex_destroy(&s->fences.mu);
	free(s->fences.list);
	free(s);
}

/* The instance's own sign, in its slots and its sessions' names. */
static bool
make_instance(struct store *s)
{
	if (getrandom(s->instance, sizeof(s->instance), 0) != sizeof(s->instance))
		return false;
	s->instance[6] = (s->instance[6] & 0x0f) | 0x40; /* RFC 9562: version 4 */
	s->instance[8] = (s->instance[8] & 0x3f) | 0x80;
	snprintf(s->tag, sizeof(s->tag), "dittofs %02x%02x%02x%02x", s->instance[0], s->instance[1],
		 s->instance[2], s->instance[3]);
	return true;
}

/* The first session looks after the schema before it serves. */
static enum dfs_status
open_first(struct store *s, struct dfs_diag *diag)
{
	int64_t deadline = clock_ns() + (int64_t)s->request_timeout;
	struct session *c = &s->pool.sessions[0];
	int64_t pause = 50000000; /* ns */
	bool told = false;
	enum dfs_status st;

	for (;;) {
		st = session_connect(c, deadline);
		if (st == DFS_OK)
			st = schema_open(c, deadline, diag);
		else
			snprintf(diag->text, sizeof(diag->text), "%s", c->error);
		if (st == DFS_OK)
			break;
		session_drop(c);
		/* Both may start at the same time, after a loss of power for instance. */
		if ((st != LOST && st != DFS_AGAIN) || clock_ns() + 2 * pause > deadline)
			return st == LOST || st == DFS_AGAIN || st == REFUSED ? DFS_IO : st;
		if (!told)
			s->host->log(s->host->ctx, DFS_LOG_WARN,
				     "%s: waiting for the database, up to %lld s: %s", s->schema,
				     (long long)((deadline - clock_ns() + 999999999) / 1000000000),
				     diag->text);
		told = true;
		nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
		if (pause < 400000000)
			pause *= 2;
	}
	session_drop(c);
	c->backend = 0;
	st = pool_take(&s->pool, deadline, &c);
	if (st != DFS_OK) {
		snprintf(diag->text, sizeof(diag->text), "schema %.64s: %.400s", s->schema,
			 s->pool.error);
		return DFS_IO;
	}
	slots_clean(c, false, deadline);
	pool_give(&s->pool, c);
	return DFS_OK;
}

static enum dfs_status
store_create(const struct dfs_host *host, const void *values, void **inst, struct dfs_diag *diag)
{
	const struct postgres_config *cfg = values;
	struct store *s = calloc(1, sizeof(*s));
	enum dfs_status st;

	if (!s)
		return DFS_NOMEM;
	s->host = host;
	s->connect_timeout = cfg->connect_timeout;
	s->request_timeout = cfg->request_timeout;
	pthread_mutex_init(&s->claim_mu, NULL);
	cond_init(&s->claim_over);
	pthread_mutex_init(&s->timeline.mu, NULL);
	pthread_mutex_init(&s->fences.mu, NULL);
	st = make_instance(s) && conninfo_make(s, cfg) && statements_make(&s->statements) &&
			     journal_init(&s->journal, cfg->unsynced_size) &&
			     pool_init(&s->pool, s, (unsigned)cfg->max_conns)
		     ? DFS_OK
		     : DFS_NOMEM;
	if (st == DFS_OK)
		st = open_first(s, diag);
	else
		snprintf(diag->text, sizeof(diag->text), "no memory for the metadata store");
	if (st != DFS_OK) {
		store_free(s);
		return st;
	}
	*inst = s;
	return DFS_OK;
}

static void
store_destroy(void *inst)
{
	struct store *s = inst;
	struct session *c;
	int64_t deadline = clock_ns() + (int64_t)s->request_timeout;

	/* Not promised, but kind: an orderly end loses nothing, and leaves nothing behind. */
	if (!atomic_load(&s->failed) && !pool_away(&s->pool) &&
	    store_sync(s, UINT64_MAX, DFS_SYNC_POWER) == DFS_OK &&
	    pool_take(&s->pool, deadline, &c) == DFS_OK) {
		slots_clean(c, true, deadline);
		pool_give(&s->pool, c);
	}
	store_free(s);
}

static const struct dfs_metadata_ops ops = {
	.size = sizeof(ops),
	.validate = store_validate,
	.create = store_create,
	.destroy = store_destroy,
	.begin = txn_begin,
	.commit = txn_commit,
	.abort = txn_abort,
	.sync = store_sync,
	.scan_shares = share_scan,
	.put_share = share_put,
	.del_share = share_del,
	.get_inode = inode_get,
	.put_inode = inode_put,
	.del_inode = inode_del,
	.get_inodes = inodes_get,
	.get_symlink = symlink_get,
	.put_symlink = symlink_put,
	.del_symlink = symlink_del,
	.get_dirent = dirent_get,
	.scan_dirents = dirent_scan,
	.put_dirent = dirent_put,
	.del_dirent = dirent_del,
	.scan_map = map_scan,
	.put_map = map_put,
	.del_map = map_del,
	.scan_rows = rows_scan,
	.get_object = object_get,
	.find_object = object_find,
	.put_object = object_put,
	.del_object = object_del,
	.scan_objects = object_scan,
	.put_dead = dead_put,
	.del_dead = dead_del,
	.scan_dead = dead_scan,
	.scan_orphans = orphan_scan,
	.put_orphan = orphan_put,
	.del_orphan = orphan_del,
	.get_state = state_get,
	.put_state = state_put,
	.del_state = state_del,
	.scan_state = state_scan,
	.stats = store_stats,
	.health = store_health,
	.add_usage = usage_add,
	.scan_usage = usage_scan,
	.clear_usage = usage_clear,
	.fence = fence_set,
};

DFS_PLUGIN_DEFINE(metadata_postgres, .kind = DFS_KIND_METADATA, .abi_major = DFS_METADATA_ABI_MAJOR,
		  .abi_minor = DFS_METADATA_ABI_MINOR, .name = "postgres", .version = "0.1.0",
		  .summary = "Metadata in a PostgreSQL database", .license = "MIT",
		  .thread_model = DFS_THREADS_BLOCKING, .caps = DFS_METADATA_CAP_SHARED,
		  .config = config, .config_size = sizeof(struct postgres_config), .ops = &ops);
