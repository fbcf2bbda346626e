# SPDX-License-Identifier: MIT
# Records, dispatch and the server, without a program table: the adapter and the tests link it.
noinst_LTLIBRARIES += adapters/nfs/libnfsrpc.la
adapters_nfs_libnfsrpc_la_SOURCES = \
	adapters/nfs/rpc/conn.h \
	adapters/nfs/rpc/dispatch.c \
	adapters/nfs/rpc/header.c \
	adapters/nfs/rpc/header.h \
	adapters/nfs/rpc/record.c \
	adapters/nfs/rpc/reply.c \
	adapters/nfs/rpc/request.c \
	adapters/nfs/server.c \
	adapters/nfs/server.h
