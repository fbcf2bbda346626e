# SPDX-License-Identifier: MIT
# The procedures and what they stand on, without the RPC layer: the adapter and the tests link it.
noinst_LTLIBRARIES += adapters/nfs/libnfsproc.la
adapters_nfs_libnfsproc_la_SOURCES = \
	adapters/nfs/access.c \
	adapters/nfs/access.h \
	adapters/nfs/call.h \
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
	adapters/nfs/xdr.h
