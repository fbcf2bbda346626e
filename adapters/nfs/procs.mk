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
	adapters/nfs/xdr.h
