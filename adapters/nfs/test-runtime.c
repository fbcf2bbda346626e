/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <glib.h>
#include <string.h>

#include "adapters/nfs/test-runtime.h"
#include "base/clock.h"

struct dfs_share *
dfs_runtime_share_by_slot(struct dfs_runtime *rt, uint32_t slot)
{
	struct dfs_share *found = NULL;

	for (unsigned i = 0; i < TEST_SHARES; i++) {
		if (!rt->shares[i])
			continue;
		rt->most_refs = MAX(rt->most_refs, atomic_load(&rt->shares[i]->refs));
		if (rt->shares[i]->slot == slot)
			found = rt->shares[i];
	}
	return found ? dfs_share_ref(found) : NULL;
}

struct dfs_share *
dfs_runtime_share_by_path(struct dfs_runtime *rt, const char *path, const char **rest)
{
	struct dfs_share *best = NULL;
	size_t best_len = 0;

	for (unsigned i = 0; i < TEST_SHARES; i++) {
		if (!rt->shares[i])
			continue;
		size_t len = strlen(rt->shares[i]->path);
		if (strncmp(path, rt->shares[i]->path, len) == 0 &&
		    (path[len] == '/' || path[len] == '\0') && len > best_len) {
			best = rt->shares[i];
			best_len = len;
		}
	}
	if (!best)
		return NULL;
	*rest = path + best_len;
	return dfs_share_ref(best);
}

void
dfs_runtime_each_share(struct dfs_runtime *rt, void (*fn)(void *arg, struct dfs_share *share),
		       void *arg)
{
	for (unsigned i = 0; i < TEST_SHARES; i++)
		if (rt->shares[i])
			fn(arg, rt->shares[i]);
}

void
dfs_runtime_each_leaving(struct dfs_runtime *rt, void (*fn)(void *arg, struct dfs_share *share),
			 void *arg)
{
	if (rt->leaving)
		fn(arg, rt->leaving);
}

uint64_t
dfs_runtime_epoch(const struct dfs_runtime *rt)
{
	return rt->epoch;
}

void
test_conn_peer(struct test_conn *c, const char *address, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	nfs_access_clear(&c->access);
	if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
		nfs_access_init(&c->access, &c->service, (struct sockaddr *)&in);
	else if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1)
		nfs_access_init(&c->access, &c->service, (struct sockaddr *)&in6);
	else
		g_assert_not_reached();
}

void
test_conn_init(struct test_conn *c, const char *address, uint16_t port)
{
	memset(c, 0, sizeof *c);
	c->runtime.epoch = 1;
	c->service.runtime = &c->runtime;
	c->service.mounts = nfs_mounts_new();
	c->call.flavor = 1;
	c->call.access = &c->access;
	test_conn_peer(c, address, port);
}

void
test_conn_clear(struct test_conn *c)
{
	nfs_access_clear(&c->access);
	nfs_mounts_free(c->service.mounts);
	g_clear_pointer(&c->args, free);
}

void
test_conn_args(struct test_conn *c, const void *args, size_t len)
{
	free(c->args);
	c->args = malloc(len ? len : 1);
	memcpy(c->args, args, len);
	c->call.args = (struct xdr_in){.p = c->args, .end = c->args + len};
}

static void
flatten(struct test_conn *c)
{
	struct xdr_out *out = &c->call.out;
	uint32_t at = 0, n = 0;

	for (uint32_t i = 0; i < out->n_refs; i++) {
		memcpy(c->flat + n, out->base + at, out->refs[i].at - at);
		n += out->refs[i].at - at;
		at = out->refs[i].at;
		memcpy(c->flat + n, out->refs[i].data, out->refs[i].len);
		n += out->refs[i].len;
		dfs_buf_unref(out->refs[i].buf);
	}
	memcpy(c->flat + n, out->base + at, (size_t)(out->p - out->base) - at);
	c->flat_len = n + (uint32_t)(out->p - out->base) - at;
}

static enum dfs_status
run_unsent(struct test_conn *c, const struct nfs_proc *proc, bool nonblock)
{
	struct dfs_identity sent = c->call.ctx.id;
	const unsigned char *end = c->call.args.end;
	enum dfs_status status;

	c->call.args = (struct xdr_in){.p = c->args, .end = end};
	g_assert_cmpuint(proc->max_reply, <=, sizeof c->out);
	c->call.out =
		(struct xdr_out){.base = c->out, .p = c->out, .end = c->out + proc->max_reply};
	c->call.ctx.nonblock = nonblock;
	c->call.ctx.n_tickets = 0;
	c->call.ctx.deadline = dfs_clock_mono() + 10 * DFS_SECOND;
	status = proc->run(&c->call);
	nfs_call_drop_share(&c->call);
	c->call.ctx.id = sent;
	g_assert_false(c->call.out.bad);
	return status;
}

enum dfs_status
test_conn_run_held(struct test_conn *c, const struct nfs_proc *proc, struct xdr_out *held)
{
	enum dfs_status status = run_unsent(c, proc, true);

	*held = c->call.out;
	return status;
}

enum dfs_status
test_conn_run_once(struct test_conn *c, const struct nfs_proc *proc, bool nonblock)
{
	enum dfs_status status = run_unsent(c, proc, nonblock);

	if (status == DFS_OK)
		flatten(c);
	else
		g_assert_cmpuint(c->call.out.n_refs, ==, 0);
	return status;
}

enum dfs_status
test_conn_run(struct test_conn *c, const struct nfs_proc *proc)
{
	enum dfs_status status = test_conn_run_once(c, proc, true);

	return status == DFS_AGAIN ? test_conn_run_once(c, proc, false) : status;
}
