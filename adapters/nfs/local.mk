# SPDX-License-Identifier: MIT
include adapters/nfs/procs.mk
include adapters/nfs/rpc.mk

if WITH_ADAPTER_NFS
plugin_LTLIBRARIES += adapter_nfs.la
adapter_nfs_la_SOURCES = adapters/nfs/plugin.c
adapter_nfs_la_LIBADD = adapters/nfs/libnfsrpc.la adapters/nfs/libnfsproc.la core/libdittofs.la \
	$(XXHASH_LIBS) -lpthread
adapter_nfs_la_LDFLAGS = -module -avoid-version -shared \
	-export-symbols-regex '_LTX_dfs_plugin$$' -Wl,-z,now $(SANITIZER_CFLAGS)
endif
