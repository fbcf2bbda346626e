# SPDX-License-Identifier: MIT
dist_man_MANS += adapters/nfs/dittofs-adapter-nfs.5

# The procedures and what they stand on, without the RPC layer: the adapter and the tests link it.
noinst_LTLIBRARIES += adapters/nfs/libnfsproc.la
adapters_nfs_libnfsproc_la_SOURCES = \
	adapters/nfs/access.c \
	adapters/nfs/access.h \
	adapters/nfs/address.c \
	adapters/nfs/address.h \
	adapters/nfs/call.h \
	adapters/nfs/callback/callback.h \
	adapters/nfs/callback/caller.c \
	adapters/nfs/callback/caller.h \
	adapters/nfs/callback/datagram.c \
	adapters/nfs/callback/lookup.c \
	adapters/nfs/callback/message.c \
	adapters/nfs/callback/message.h \
	adapters/nfs/callback/socket.c \
	adapters/nfs/callback/socket.h \
	adapters/nfs/callback/stream.c \
	adapters/nfs/drc.c \
	adapters/nfs/drc.h \
	adapters/nfs/handle.c \
	adapters/nfs/handle.h \
	adapters/nfs/mount/dump.c \
	adapters/nfs/mount/export.c \
	adapters/nfs/mount/mnt.c \
	adapters/nfs/mount/mount.c \
	adapters/nfs/mount/mount.h \
	adapters/nfs/mount/mounts.c \
	adapters/nfs/mount/mounts.h \
	adapters/nfs/mount/null.c \
	adapters/nfs/mount/procs.c \
	adapters/nfs/mount/umnt.c \
	adapters/nfs/mount/umntall.c \
	adapters/nfs/nfs3/access.c \
	adapters/nfs/nfs3/commit.c \
	adapters/nfs/nfs3/create.c \
	adapters/nfs/nfs3/created.c \
	adapters/nfs/nfs3/dirlist.c \
	adapters/nfs/nfs3/dirlist.h \
	adapters/nfs/nfs3/enter.c \
	adapters/nfs/nfs3/fsinfo.c \
	adapters/nfs/nfs3/fsstat.c \
	adapters/nfs/nfs3/getattr.c \
	adapters/nfs/nfs3/link.c \
	adapters/nfs/nfs3/lookup.c \
	adapters/nfs/nfs3/mkdir.c \
	adapters/nfs/nfs3/mknod.c \
	adapters/nfs/nfs3/nfs3.h \
	adapters/nfs/nfs3/null.c \
	adapters/nfs/nfs3/pathconf.c \
	adapters/nfs/nfs3/procs.c \
	adapters/nfs/nfs3/read.c \
	adapters/nfs/nfs3/readdir.c \
	adapters/nfs/nfs3/readdirplus.c \
	adapters/nfs/nfs3/readlink.c \
	adapters/nfs/nfs3/remove.c \
	adapters/nfs/nfs3/rename.c \
	adapters/nfs/nfs3/rmdir.c \
	adapters/nfs/nfs3/setattr.c \
	adapters/nfs/nfs3/status.c \
	adapters/nfs/nfs3/symlink.c \
	adapters/nfs/nfs3/types.c \
	adapters/nfs/nfs3/types.h \
	adapters/nfs/nfs3/write.c \
	adapters/nfs/nlm/block.c \
	adapters/nfs/nlm/grant.c \
	adapters/nfs/nlm/nlm.h \
	adapters/nfs/nlm/operations.c \
	adapters/nfs/nlm/peer.c \
	adapters/nfs/nlm/procs.c \
	adapters/nfs/nlm/run.c \
	adapters/nfs/nlm/service.c \
	adapters/nfs/nlm/service.h \
	adapters/nfs/nlm/state.c \
	adapters/nfs/nlm/state.h \
	adapters/nfs/nlm/table.c \
	adapters/nfs/nlm/table.h \
	adapters/nfs/nlm/tell.c \
	adapters/nfs/nlm/types.c \
	adapters/nfs/nlm/types.h \
	adapters/nfs/nsm/file.c \
	adapters/nfs/nsm/mon.c \
	adapters/nfs/nsm/notify.c \
	adapters/nfs/nsm/nsm.h \
	adapters/nfs/nsm/null.c \
	adapters/nfs/nsm/procs.c \
	adapters/nfs/nsm/simu_crash.c \
	adapters/nfs/nsm/stat.c \
	adapters/nfs/nsm/table.c \
	adapters/nfs/nsm/table.h \
	adapters/nfs/nsm/tell.c \
	adapters/nfs/portmap/dump.c \
	adapters/nfs/portmap/getaddr.c \
	adapters/nfs/portmap/getport.c \
	adapters/nfs/portmap/gettime.c \
	adapters/nfs/portmap/map.c \
	adapters/nfs/portmap/map.h \
	adapters/nfs/portmap/null.c \
	adapters/nfs/portmap/portmap.h \
	adapters/nfs/portmap/procs.c \
	adapters/nfs/portmap/rpcbind.c \
	adapters/nfs/portmap/rpcbind.h \
	adapters/nfs/portmap/session.c \
	adapters/nfs/portmap/session.h \
	adapters/nfs/portmap/taddr.c \
	adapters/nfs/xdr.h

NFS_TEST_LIBS = adapters/nfs/libnfsproc.la core/libdittofs.la $(XXHASH_LIBS) $(GLIB_LIBS) -lpthread
check_PROGRAMS += adapters/nfs/test-access adapters/nfs/test-handle adapters/nfs/test-drc \
	adapters/nfs/callback/test-callback
TESTS += adapters/nfs/test-access adapters/nfs/test-handle adapters/nfs/test-drc \
	adapters/nfs/callback/test-callback
adapters_nfs_callback_test_callback_SOURCES = adapters/nfs/callback/test-callback.c
adapters_nfs_callback_test_callback_LDADD = $(NFS_TEST_LIBS)
adapters_nfs_test_access_SOURCES = adapters/nfs/test-access.c adapters/nfs/test-fs.c \
	adapters/nfs/test-fs.h adapters/nfs/test-runtime.c adapters/nfs/test-runtime.h
adapters_nfs_test_access_LDADD = $(NFS_TEST_LIBS)
adapters_nfs_test_handle_SOURCES = adapters/nfs/test-handle.c
adapters_nfs_test_handle_LDADD = $(NFS_TEST_LIBS)
adapters_nfs_test_drc_SOURCES = adapters/nfs/test-drc.c
adapters_nfs_test_drc_LDADD = $(NFS_TEST_LIBS)

# Over the real core/fs on the memory stores.
NFS_WORLD_SOURCES = adapters/nfs/test-nfs3.h adapters/nfs/test-nfs3-fixture.c \
	adapters/nfs/test-client.c adapters/nfs/test-client.h adapters/nfs/test-world.c \
	adapters/nfs/test-world.h adapters/nfs/test-runtime.c adapters/nfs/test-runtime.h
check_PROGRAMS += adapters/nfs/test-nfs3 adapters/nfs/test-nfs3-data adapters/nfs/test-nfs3-names
TESTS += adapters/nfs/test-nfs3 adapters/nfs/test-nfs3-data adapters/nfs/test-nfs3-names
adapters_nfs_test_nfs3_SOURCES = adapters/nfs/test-nfs3.c $(NFS_WORLD_SOURCES)
adapters_nfs_test_nfs3_LDADD = $(NFS_TEST_LIBS)
adapters_nfs_test_nfs3_data_SOURCES = adapters/nfs/test-nfs3-data.c $(NFS_WORLD_SOURCES)
adapters_nfs_test_nfs3_data_LDADD = $(NFS_TEST_LIBS)
adapters_nfs_test_nfs3_names_SOURCES = adapters/nfs/test-nfs3-names.c $(NFS_WORLD_SOURCES)
adapters_nfs_test_nfs3_names_LDADD = $(NFS_TEST_LIBS)

# rpcgen's codec of RFC 1813, to hold ours against.
EXTRA_DIST += adapters/nfs/oracle.x
if HAVE_ORACLE
BUILT_SOURCES += adapters/nfs/oracle.h
CLEANFILES += adapters/nfs/oracle.h adapters/nfs/oracle_xdr.c
adapters/nfs/oracle.h: $(srcdir)/adapters/nfs/oracle.x
	$(AM_V_GEN)$(MKDIR_P) adapters/nfs && rm -f $@ && $(RPCGEN) -C -h -o $@ $<
adapters/nfs/oracle_xdr.c: $(srcdir)/adapters/nfs/oracle.x adapters/nfs/oracle.h
	$(AM_V_GEN)rm -f $@ && $(RPCGEN) -C -c $< | sed 's,#include ".*oracle.h",#include "adapters/nfs/oracle.h",' > $@
check_LTLIBRARIES += adapters/nfs/liboracle.la
nodist_adapters_nfs_liboracle_la_SOURCES = adapters/nfs/oracle_xdr.c adapters/nfs/oracle.h
adapters_nfs_liboracle_la_CPPFLAGS = -I. $(TIRPC_CFLAGS)
adapters_nfs_liboracle_la_CFLAGS = -std=gnu11 -w -g -O1 $(SANITIZER_CFLAGS)

NFS_RPCGEN_SOURCES = adapters/nfs/test-rpcgen.c adapters/nfs/test-rpcgen.h adapters/nfs/test-fs.c \
	adapters/nfs/test-fs.h adapters/nfs/test-runtime.c adapters/nfs/test-runtime.h
NFS_RPCGEN_CPPFLAGS = $(AM_CPPFLAGS) -I. $(TIRPC_CFLAGS)
NFS_RPCGEN_LIBS = adapters/nfs/liboracle.la $(NFS_TEST_LIBS) $(TIRPC_LIBS)
check_PROGRAMS += adapters/nfs/test-oracle adapters/nfs/test-dirlist adapters/nfs/test-failures adapters/nfs/test-mount \
	adapters/nfs/nsm/test-nsm adapters/nfs/portmap/test-portmap
TESTS += adapters/nfs/test-oracle adapters/nfs/test-dirlist adapters/nfs/test-failures adapters/nfs/test-mount \
	adapters/nfs/nsm/test-nsm adapters/nfs/portmap/test-portmap
adapters_nfs_test_oracle_SOURCES = adapters/nfs/test-oracle.c $(NFS_RPCGEN_SOURCES)
adapters_nfs_test_oracle_CPPFLAGS = $(NFS_RPCGEN_CPPFLAGS)
adapters_nfs_test_oracle_LDADD = $(NFS_RPCGEN_LIBS)
adapters_nfs_test_dirlist_SOURCES = adapters/nfs/test-dirlist.c $(NFS_RPCGEN_SOURCES)
adapters_nfs_test_dirlist_CPPFLAGS = $(NFS_RPCGEN_CPPFLAGS)
adapters_nfs_test_dirlist_LDADD = $(NFS_RPCGEN_LIBS)
adapters_nfs_test_failures_SOURCES = adapters/nfs/test-failures.c $(NFS_RPCGEN_SOURCES)
adapters_nfs_test_failures_CPPFLAGS = $(NFS_RPCGEN_CPPFLAGS)
adapters_nfs_test_failures_LDADD = $(NFS_RPCGEN_LIBS)
adapters_nfs_test_mount_SOURCES = adapters/nfs/test-mount.c $(NFS_RPCGEN_SOURCES)
adapters_nfs_test_mount_CPPFLAGS = $(NFS_RPCGEN_CPPFLAGS)
adapters_nfs_test_mount_LDADD = $(NFS_RPCGEN_LIBS)
adapters_nfs_nsm_test_nsm_SOURCES = adapters/nfs/nsm/test-nsm.c $(NFS_RPCGEN_SOURCES)
adapters_nfs_nsm_test_nsm_CPPFLAGS = $(NFS_RPCGEN_CPPFLAGS)
adapters_nfs_nsm_test_nsm_LDADD = $(NFS_RPCGEN_LIBS)
adapters_nfs_portmap_test_portmap_SOURCES = adapters/nfs/portmap/test-portmap.c $(NFS_RPCGEN_SOURCES)
adapters_nfs_portmap_test_portmap_CPPFLAGS = $(NFS_RPCGEN_CPPFLAGS)
adapters_nfs_portmap_test_portmap_LDADD = $(NFS_RPCGEN_LIBS)
NFS_NLM_BED_SOURCES = adapters/nfs/nlm/test-nlm-bed.c adapters/nfs/nlm/test-nlm-bed.h \
	adapters/nfs/test-world.c adapters/nfs/test-world.h adapters/nfs/test-runtime.c \
	adapters/nfs/test-runtime.h
nfs_nlm_tests = adapters/nfs/nlm/test-nlm adapters/nfs/nlm/test-nlm-grants adapters/nfs/nlm/test-nlm-held \
	adapters/nfs/nlm/test-nlm-owner
check_PROGRAMS += $(nfs_nlm_tests)
TESTS += $(nfs_nlm_tests)
adapters_nfs_nlm_test_nlm_SOURCES = adapters/nfs/nlm/test-nlm.c $(NFS_NLM_BED_SOURCES)
adapters_nfs_nlm_test_nlm_CPPFLAGS = $(NFS_RPCGEN_CPPFLAGS)
adapters_nfs_nlm_test_nlm_LDADD = $(NFS_RPCGEN_LIBS)
adapters_nfs_nlm_test_nlm_grants_SOURCES = adapters/nfs/nlm/test-nlm-grants.c $(NFS_NLM_BED_SOURCES)
adapters_nfs_nlm_test_nlm_grants_CPPFLAGS = $(NFS_RPCGEN_CPPFLAGS)
adapters_nfs_nlm_test_nlm_grants_LDADD = $(NFS_RPCGEN_LIBS)
adapters_nfs_nlm_test_nlm_held_SOURCES = adapters/nfs/nlm/test-nlm-held.c $(NFS_NLM_BED_SOURCES)
adapters_nfs_nlm_test_nlm_held_CPPFLAGS = $(NFS_RPCGEN_CPPFLAGS)
adapters_nfs_nlm_test_nlm_held_LDADD = $(NFS_RPCGEN_LIBS)
adapters_nfs_nlm_test_nlm_owner_SOURCES = adapters/nfs/nlm/test-nlm-owner.c $(NFS_NLM_BED_SOURCES)
adapters_nfs_nlm_test_nlm_owner_CPPFLAGS = $(NFS_RPCGEN_CPPFLAGS)
adapters_nfs_nlm_test_nlm_owner_LDADD = $(NFS_RPCGEN_LIBS)
endif
