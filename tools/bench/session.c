/* SPDX-License-Identifier: MIT */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "client.h"
#include "session.h"

#define MNTPATHLEN 1024

static void
set_port(struct sockaddr_storage *a, int port)
{
	if (a->ss_family == AF_INET6)
		((struct sockaddr_in6 *)a)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)a)->sin_port = htons((uint16_t)port);
}

bool
session_resolve(struct bench *b, int port)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	int r = getaddrinfo(b->opt->host, NULL, &hints, &found);

	if (r != 0) {
		engine_fatal(b, "%s: %s", b->opt->host, gai_strerror(r));
		return false;
	}
	memcpy(&b->addr, found->ai_addr, found->ai_addrlen);
	b->addr_len = found->ai_addrlen;
	freeaddrinfo(found);
	set_port(&b->addr, port);
	return true;
}

static struct rpc_client *
open_port(struct bench *b, int port, char **error)
{
	struct sockaddr_storage a = b->addr;
	const struct options *o = b->opt;

	set_port(&a, port);
	return client_open((struct sockaddr *)&a, b->addr_len, o->reserved_port, (uint32_t)o->uid,
			   (uint32_t)o->gid, o->timeout, error);
}

/* The TCP port that the portmapper knows for a program; 0: none. */
static int
ask_portmapper(struct bench *b, uint32_t prog)
{
	g_autofree char *error = NULL;
	struct rpc_client *c = open_port(b, PORT_PORTMAP, &error);
	uint8_t args[16];
	struct xdrw w = {args};
	struct xdrr in;
	uint32_t stat, port = 0;

	if (!c)
		return 0;
	xdrw_u32(&w, prog);
	xdrw_u32(&w, 3);
	xdrw_u32(&w, IPPROTO_TCP);
	xdrw_u32(&w, 0);
	if (client_call(c, PROG_PORTMAP, 2, PMAP_GETPORT, args, w.p, &in, &stat, &error))
		port = xdrr_u32(&in);
	client_close(c);
	return port < 65536 ? (int)port : 0;
}

static bool
answers(struct rpc_client *c, uint32_t prog)
{
	g_autofree char *error = NULL;
	struct xdrr in;
	uint32_t stat;

	return client_call(c, prog, 3, 0, NULL, NULL, &in, &stat, &error);
}

/* A connection that serves MOUNT: --mount-port, else the NFS port, else what the portmapper says.
 * An NFS server that does not know MOUNT may close the connection instead of answering. */
static struct rpc_client *
open_mount(struct bench *b, int nfs_port)
{
	g_autofree char *error = NULL;
	struct rpc_client *c = NULL;
	int port = b->opt->mount_port;

	if (port == 0 && b->opt->port != 0) {
		c = open_port(b, nfs_port, &error);
		if (c && answers(c, PROG_MOUNT))
			return c;
		client_close(c);
	}
	g_clear_pointer(&error, g_free);
	if (port == 0)
		port = ask_portmapper(b, PROG_MOUNT);
	if (port == 0) {
		engine_fatal(b, "no MOUNT service: give --mount-port");
		return NULL;
	}
	c = open_port(b, port, &error);
	if (!c)
		engine_fatal(b, "MOUNT, port %d: %s", port, error);
	return c;
}

/* The first path that the server exports. */
static char *
first_export(struct bench *b, struct rpc_client *c)
{
	g_autofree char *error = NULL;
	struct xdrr in;
	uint32_t stat, len;

	if (!client_call(c, PROG_MOUNT, 3, MOUNT_EXPORT, NULL, NULL, &in, &stat, &error)) {
		engine_fatal(b, "EXPORT: %s", error);
		return NULL;
	}
	const uint8_t *path = xdrr_u32(&in) == 1 ? xdrr_opaque(&in, MNTPATHLEN, &len) : NULL;
	if (!path)
		engine_fatal(b, "the server exports nothing");
	return path ? g_strndup((const char *)path, len) : NULL;
}

static bool
take_fh(struct xdrr *in, struct fh *fh)
{
	const uint8_t *p = xdrr_opaque(in, NFS3_FHSIZE, &fh->len);

	if (p)
		memcpy(fh->data, p, fh->len);
	return p && fh->len > 0;
}

static bool
mount_export(struct bench *b, struct rpc_client *c)
{
	g_autofree char *error = NULL;
	g_autofree char *path =
		b->opt->export_path ? g_strdup(b->opt->export_path) : first_export(b, c);
	uint8_t args[MNTPATHLEN + 8];
	struct xdrw w = {args};
	struct xdrr in;
	uint32_t stat;

	if (!path)
		return false;
	if (strlen(path) > MNTPATHLEN) {
		engine_fatal(b, "the export's path is longer than %d bytes", MNTPATHLEN);
		return false;
	}
	xdrw_opaque(&w, path, (uint32_t)strlen(path));
	if (!client_call(c, PROG_MOUNT, 3, MOUNT_MNT, args, w.p, &in, &stat, &error)) {
		engine_fatal(b, "MNT %s: %s", path, error);
		return false;
	}
	uint32_t status = xdrr_u32(&in);
	if (status != 0 || !take_fh(&in, &b->root)) {
		engine_fatal(b, "MNT %s: %s", path, nfs3_status_name(status));
		return false;
	}
	b->echo = b->root.len >= 8 && memcmp(b->root.data, ECHO_MAGIC, 8) == 0;
	return true;
}

/* An NFS call on the control connection; results past the status are in *in.  Returns the status,
 * UINT32_MAX with the run dead when there was no reply. */
static uint32_t
nfs_call(struct bench *b, uint32_t proc, const uint8_t *args, const uint8_t *end, struct xdrr *in)
{
	g_autofree char *error = NULL;
	uint32_t stat;

	if (!client_call(b->control, PROG_NFS, 3, proc, args, end, in, &stat, &error)) {
		engine_fatal(b, "%s: %s", nfs3_proc_name(proc), error);
		return UINT32_MAX;
	}
	return xdrr_u32(in);
}

static bool
get_sizes(struct bench *b)
{
	uint8_t args[80];
	struct xdrw w = {args};
	struct xdrr in;

	xdrw_opaque(&w, b->root.data, b->root.len);
	uint32_t status = nfs_call(b, NFS3_FSINFO, args, w.p, &in);
	if (status == NFS3_OK) {
		if (xdrr_u32(&in))
			xdrr_take(&in, NFS3_FATTR);
		b->read_max = xdrr_u32(&in);
		xdrr_u64(&in);
		b->write_max = xdrr_u32(&in);
	}
	if (status != NFS3_OK || in.bad || b->read_max < 4096 || b->write_max < 4096) {
		engine_fatal(b, "FSINFO: %s", status ? nfs3_status_name(status) : "no sizes");
		return false;
	}
	return true;
}

bool
session_open(struct bench *b)
{
	g_autofree char *error = NULL;
	int port = b->opt->port;

	if (!session_resolve(b, 0))
		return false;
	if (port == 0)
		port = ask_portmapper(b, PROG_NFS);
	if (port == 0)
		port = PORT_NFS;
	set_port(&b->addr, port);
	struct rpc_client *mount = open_mount(b, port);
	if (!mount)
		return false;
	bool mounted = mount_export(b, mount);
	client_close(mount);
	if (!mounted)
		return false;
	b->control = open_port(b, port, &error);
	if (!b->control) {
		engine_fatal(b, "NFS, port %d: %s", port, error);
		return false;
	}
	return get_sizes(b);
}

void
session_close(struct bench *b)
{
	g_clear_pointer(&b->control, client_close);
	g_clear_pointer(&b->run_name, g_free);
}

static uint8_t *
put_where(uint8_t *args, const struct fh *dir, const char *name)
{
	struct xdrw w = {args};

	xdrw_opaque(&w, dir->data, dir->len);
	xdrw_opaque(&w, name, (uint32_t)strlen(name));
	return w.p;
}

/* MKDIR; a folder that is there already is as good when `reuse`. */
static bool
make_dir(struct bench *b, const struct fh *dir, const char *name, bool reuse, struct fh *fh)
{
	uint8_t args[512];
	struct xdrw w = {put_where(args, dir, name)};
	struct xdrr in;

	xdrw_u32(&w, 1);
	xdrw_u32(&w, 0755);
	for (int i = 0; i < 5; i++)
		xdrw_u32(&w, 0);
	uint32_t status = nfs_call(b, NFS3_MKDIR, args, w.p, &in);
	if (status == UINT32_MAX)
		return false;
	if (status == NFS3_OK && xdrr_u32(&in) == 1 && take_fh(&in, fh))
		return true;
	if (status != NFS3_OK && !(status == NFS3ERR_EXIST && reuse)) {
		engine_fatal(b, "MKDIR %s: %s", name, nfs3_status_name(status));
		return false;
	}
	status = nfs_call(b, NFS3_LOOKUP, args, put_where(args, dir, name), &in);
	if (status == NFS3_OK && take_fh(&in, fh))
		return true;
	engine_fatal(b, "LOOKUP %s: %s", name, nfs3_status_name(status));
	return false;
}

static bool
remove_dir(struct bench *b, const struct fh *dir, const char *name)
{
	uint8_t args[512];
	struct xdrr in;

	return nfs_call(b, NFS3_RMDIR, args, put_where(args, dir, name), &in) == NFS3_OK;
}

bool
session_make_folder(struct bench *b)
{
	uint32_t token;

	if (getrandom(&token, sizeof token, 0) < 0)
		token = (uint32_t)engine_now();
	g_free(b->run_name);
	b->run_name = b->opt->run ? g_strdup(b->opt->run) : g_strdup_printf("run-%08x", token);
	return make_dir(b, &b->root, b->opt->folder, true, &b->folder) &&
	       make_dir(b, &b->folder, b->run_name, b->opt->run, &b->dir);
}

bool
session_remove_folder(struct bench *b)
{
	bool gone = remove_dir(b, &b->folder, b->run_name);

	/* Another run may still use the outer one. */
	remove_dir(b, &b->root, b->opt->folder);
	return gone;
}

bool
session_make_dir(struct bench *b, uint32_t index, struct fh *fh)
{
	char name[16];

	snprintf(name, sizeof name, "d%08u", index);
	return make_dir(b, &b->dir, name, b->opt->prepared, fh);
}

bool
session_remove_dir(struct bench *b, uint32_t index)
{
	char name[16];

	snprintf(name, sizeof name, "d%08u", index);
	return remove_dir(b, &b->dir, name);
}
