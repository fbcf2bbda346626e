# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/metadata/attr.h \
	core/metadata/cache.c \
	core/metadata/cache.h \
	core/metadata/dirent.c \
	core/metadata/dirent.h \
	core/metadata/ids.c \
	core/metadata/inode.c \
	core/metadata/inode.h \
	core/metadata/inode_cache.c \
	core/metadata/lease.c \
	core/metadata/lease.h \
	core/metadata/name_cache.c \
	core/metadata/namespace.c \
	core/metadata/namespace.h \
	core/metadata/ns.h \
	core/metadata/orphan.c \
	core/metadata/orphan.h \
	core/metadata/permission.c \
	core/metadata/permission.h \
	core/metadata/store.c \
	core/metadata/store.h \
	core/metadata/writeback.c \
	core/metadata/writeback.h
