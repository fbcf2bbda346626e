/* SPDX-License-Identifier: MIT
 *
 * The built-in portmapper against rpcgen's codec.
 */
#include "adapters/nfs/portmap/portmap.h"
#include "adapters/nfs/test-rpcgen.h"

#define NFS 100003u
#define MOUNT 100005u

static struct nfs_map *map;

static union nfs_address
at(const char *host, uint16_t port)
{
	union nfs_address a;

	g_assert_true(nfs_address_parse(host, &a));
	nfs_address_set_port(&a, port);
	return a;
}

static void
serve(uint32_t program, uint32_t version, uint8_t protocol, const char *host, uint16_t port)
{
	union nfs_address a = at(host, port);

	nfs_map_add(map, program, version, protocol, &a);
}

static void
prepare(void)
{
	g_clear_pointer(&map, g_free);
	map = g_new0(struct nfs_map, 1);
	conn.service.map = map;
	conn.access.local = at("192.0.2.9", 111);
	conn.access.datagram = false;
	serve(NFS, 3, IPPROTO_TCP, "0.0.0.0", 2049);
	serve(MOUNT, 3, IPPROTO_TCP, "0.0.0.0", 2050);
	serve(MOUNT, 3, IPPROTO_UDP, "0.0.0.0", 2051);
	serve(NFS, 3, IPPROTO_TCP, "::", 2049);
}

static void
run_proc(const struct nfs_proc *procs, uint32_t proc)
{
	g_assert_cmpint(test_conn_run(&conn, &procs[proc]), ==, DFS_OK);
}

static uint32_t
getport(uint32_t program, uint32_t version, uint32_t protocol)
{
	o_pmap args = {program, version, protocol, 99};
	u_int port;

	ENCODE(o_pmap, &args);
	run_proc(portmap2_procs, 3);
	decode((xdrproc_t)xdr_u_int, &port, sizeof port);
	return port;
}

static void
test_getport(void)
{
	prepare();
	g_assert_cmpuint(getport(NFS, 3, IPPROTO_TCP), ==, 2049);
	g_assert_cmpuint(getport(MOUNT, 3, IPPROTO_UDP), ==, 2051);
	g_assert_cmpuint(getport(NFS, 3, IPPROTO_UDP), ==, 0);
	g_assert_cmpuint(getport(100099, 3, IPPROTO_TCP), ==, 0);
	g_assert_cmpuint(getport(NFS, 3, 0x10000 + IPPROTO_TCP), ==, 0);
}

static void
test_port_of_another_version_is_told(void)
{
	prepare();
	g_assert_cmpuint(getport(MOUNT, 1, IPPROTO_TCP), ==, 2050);
	serve(MOUNT, 1, IPPROTO_TCP, "0.0.0.0", 2052);
	g_assert_cmpuint(getport(MOUNT, 1, IPPROTO_TCP), ==, 2052);
}

static void
test_address_that_the_client_cannot_reach_is_not_told(void)
{
	prepare();
	serve(200000, 1, IPPROTO_TCP, "127.0.0.1", 3000);
	g_assert_cmpuint(getport(200000, 1, IPPROTO_TCP), ==, 0);
	conn.access.local = at("127.0.0.1", 111);
	g_assert_cmpuint(getport(200000, 1, IPPROTO_TCP), ==, 3000);
}

static char *
getaddr(uint32_t proc, uint32_t program, uint32_t version, const char *netid)
{
	o_rpcb args = {program, version, (char *)(uintptr_t)netid, (char *)"", (char *)""};
	o_uaddr res;
	char *text;

	ENCODE(o_rpcb, &args);
	run_proc(rpcbind_procs, proc);
	DECODE(o_uaddr, &res);
	text = g_strdup(res.addr);
	FREE(o_uaddr, &res);
	return text;
}

#define ASSERT_ADDR(proc, program, version, netid, want)                                           \
	do {                                                                                       \
		g_autofree char *got = getaddr(proc, program, version, netid);                     \
		g_assert_cmpstr(got, ==, want);                                                    \
	} while (0)

static void
test_getaddr_names_the_address_that_was_asked(void)
{
	prepare();
	ASSERT_ADDR(3, NFS, 3, "tcp", "192.0.2.9.8.1");
	ASSERT_ADDR(3, NFS, 3, "tcp6", "::.8.1");
	conn.access.local = at("2001:db8::5", 111);
	ASSERT_ADDR(3, NFS, 3, "tcp6", "2001:db8::5.8.1");
	ASSERT_ADDR(3, NFS, 3, "udp", "");
}

static void
test_getaddr_without_a_netid_means_the_transport(void)
{
	prepare();
	ASSERT_ADDR(3, MOUNT, 3, "", "192.0.2.9.8.2");
	conn.access.datagram = true;
	ASSERT_ADDR(3, MOUNT, 3, "", "192.0.2.9.8.3");
	ASSERT_ADDR(3, MOUNT, 3, "ticots", "192.0.2.9.8.3");
}

static void
test_getversaddr_is_of_this_version(void)
{
	prepare();
	ASSERT_ADDR(3, NFS, 2, "tcp", "192.0.2.9.8.1");
	ASSERT_ADDR(9, NFS, 2, "tcp", "");
	ASSERT_ADDR(9, NFS, 3, "tcp", "192.0.2.9.8.1");
}

static void
test_dump_of_version_2_lists_ipv4(void)
{
	o_pmap_dump_res res;
	unsigned n = 0;

	prepare();
	test_conn_args(&conn, "", 0);
	run_proc(portmap2_procs, 4);
	DECODE(o_pmap_dump_res, &res);
	g_assert_cmpuint(res->map.prog, ==, NFS);
	g_assert_cmpuint(res->map.vers, ==, 3);
	g_assert_cmpuint(res->map.prot, ==, IPPROTO_TCP);
	g_assert_cmpuint(res->map.port, ==, 2049);
	for (o_pmaps *m = res; m; m = m->next)
		n++;
	g_assert_cmpuint(n, ==, 3);
	FREE(o_pmap_dump_res, &res);
}

static void
test_dump_lists_all_networks(void)
{
	static const char *const want[] = {"tcp 0.0.0.0.8.1", "tcp 0.0.0.0.8.2", "udp 0.0.0.0.8.3",
					   "tcp6 ::.8.1"};
	o_rpcb_dump_res res;
	unsigned n = 0;

	prepare();
	test_conn_args(&conn, "", 0);
	run_proc(rpcbind_procs, 4);
	DECODE(o_rpcb_dump_res, &res);
	for (o_rpcbs *m = res; m; m = m->next, n++) {
		g_autofree char *line = g_strdup_printf("%s %s", m->map.netid, m->map.addr);
		g_assert_cmpstr(line, ==, want[n]);
	}
	g_assert_cmpuint(n, ==, G_N_ELEMENTS(want));
	FREE(o_rpcb_dump_res, &res);
}

static void
test_longest_list_fits(void)
{
	o_rpcb_dump_res res;
	unsigned n = 0;

	prepare();
	for (uint16_t i = 0; i < 2 * NFS_MAP_MAX; i++)
		serve(UINT32_MAX, i, IPPROTO_TCP, "1111:1111:1111:1111:1111:1111:1111:1111", 65535);
	test_conn_args(&conn, "", 0);
	run_proc(rpcbind_procs, 4);
	DECODE(o_rpcb_dump_res, &res);
	for (o_rpcbs *m = res; m; m = m->next)
		n++;
	g_assert_cmpuint(n, ==, NFS_MAP_MAX);
	FREE(o_rpcb_dump_res, &res);
}

static void
test_nobody_registers_here(void)
{
	o_pmap pmap = {200000, 1, IPPROTO_TCP, 999};
	o_rpcb rpcb = {200000, 1, (char *)"tcp", (char *)"127.0.0.1.3.3", (char *)"root"};
	u_int done;

	prepare();
	for (unsigned proc = 1; proc <= 2; proc++) {
		ENCODE(o_pmap, &pmap);
		run_proc(portmap2_procs, proc);
		decode((xdrproc_t)xdr_u_int, &done, sizeof done);
		g_assert_cmpuint(done, ==, 0);
		ENCODE(o_rpcb, &rpcb);
		run_proc(rpcbind_procs, proc);
		decode((xdrproc_t)xdr_u_int, &done, sizeof done);
		g_assert_cmpuint(done, ==, 0);
	}
	g_assert_cmpuint(getport(200000, 1, IPPROTO_TCP), ==, 0);
}

static void
test_indirect_calls_are_absent(void)
{
	g_assert_cmpuint(PORTMAP_PROCS_2, ==, 5); /* 5 is CALLIT */
	g_assert_null(rpcbind_procs[5].run);
	g_assert_null(rpcbind_procs[5].run);
	g_assert_cmpuint(PORTMAP_PROCS_4, ==, 10); /* 10 is INDIRECT */
}

static void
test_addresses_both_ways(void)
{
	static const char *const texts[] = {"192.0.2.1.8.1", "2001:db8::1.0.111", "no address"};

	prepare();
	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		o_uaddr args = {(char *)(uintptr_t)texts[i]}, back;
		o_netbuf taddr;

		ENCODE(o_uaddr, &args);
		run_proc(rpcbind_procs, 7);
		DECODE(o_netbuf, &taddr);
		ENCODE(o_netbuf, &taddr);
		run_proc(rpcbind_procs, 8);
		DECODE(o_uaddr, &back);
		g_assert_cmpstr(back.addr, ==, i < 2 ? texts[i] : "");
		FREE(o_netbuf, &taddr);
		FREE(o_uaddr, &back);
	}
}

static void
test_gettime(void)
{
	gint64 before = g_get_real_time() / G_USEC_PER_SEC;
	u_int now;

	prepare();
	test_conn_args(&conn, "", 0);
	run_proc(rpcbind_procs, 6);
	decode((xdrproc_t)xdr_u_int, &now, sizeof now);
	g_assert_cmpuint(now, >=, before);
	g_assert_cmpuint(now, <=, g_get_real_time() / G_USEC_PER_SEC);
}

static void
test_truncated_arguments_are_garbage(void)
{
	prepare();
	test_conn_args(&conn, "\0\1\x86\xa3\0\0\0\3\0\0\0\6", 12);
	g_assert_cmpint(test_conn_run(&conn, &portmap2_procs[3]), ==, DFS_INVAL);
	test_conn_args(&conn, "\0\1\x86\xa3\0\0\0\3\0\0\0\6tcp6", 16);
	g_assert_cmpint(test_conn_run(&conn, &rpcbind_procs[3]), ==, DFS_INVAL);
	test_conn_args(&conn, "\0\0\0\x9\x31", 5);
	g_assert_cmpint(test_conn_run(&conn, &rpcbind_procs[7]), ==, DFS_INVAL);
	g_clear_pointer(&map, g_free);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add("portmap/getport", test_getport);
	add("portmap/port-of-another-version-is-told", test_port_of_another_version_is_told);
	add("portmap/address-that-the-client-cannot-reach-is-not-told",
	    test_address_that_the_client_cannot_reach_is_not_told);
	add("portmap/getaddr-names-the-address-that-was-asked",
	    test_getaddr_names_the_address_that_was_asked);
	add("portmap/getaddr-without-a-netid-means-the-transport",
	    test_getaddr_without_a_netid_means_the_transport);
	add("portmap/getversaddr-is-of-this-version", test_getversaddr_is_of_this_version);
	add("portmap/dump-of-version-2-lists-ipv4", test_dump_of_version_2_lists_ipv4);
	add("portmap/dump-lists-all-networks", test_dump_lists_all_networks);
	add("portmap/longest-list-fits", test_longest_list_fits);
	add("portmap/nobody-registers-here", test_nobody_registers_here);
	add("portmap/indirect-calls-are-absent", test_indirect_calls_are_absent);
	add("portmap/addresses-both-ways", test_addresses_both_ways);
	add("portmap/gettime", test_gettime);
	add("portmap/truncated-arguments-are-garbage", test_truncated_arguments_are_garbage);
	return g_test_run();
}
