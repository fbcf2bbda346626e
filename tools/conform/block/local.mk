# SPDX-License-Identifier: MIT
bin_PROGRAMS += tools/conform/dfs-conform-block
tools_conform_dfs_conform_block_SOURCES = \
	tools/conform/block/block.c \
	tools/conform/block/block.h \
	tools/conform/block/copy.c \
	tools/conform/block/crash.c \
	tools/conform/block/key.c \
	tools/conform/block/leak.c \
	tools/conform/block/life.c \
	tools/conform/block/limit.c \
	tools/conform/block/list.c \
	tools/conform/block/object.c \
	tools/conform/block/parallel.c \
	tools/conform/block/range.c
tools_conform_dfs_conform_block_LDADD = tools/conform/libconform.la core/libdittofs.la $(GLIB_LIBS)

# The same program that third parties run, over our own stores.
if WITH_BLOCK_MEMORY
TESTS += tools/conform/block/memory.sh
endif
if WITH_BLOCK_FILESYSTEM
TESTS += tools/conform/block/filesystem.sh
endif
dist_check_SCRIPTS += tools/conform/block/memory.sh tools/conform/block/filesystem.sh

dist_man_MANS += tools/conform/block/dfs-conform-block.1
