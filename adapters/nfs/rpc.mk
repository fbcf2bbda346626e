# SPDX-License-Identifier: MIT
# Records, dispatch and the server, without a program table: the adapter and the tests link it.
noinst_LTLIBRARIES += adapters/nfs/libnfsrpc.la
adapters_nfs_libnfsrpc_la_SOURCES = \
	adapters/nfs/rpc/conn.h \
	adapters/nfs/rpc/datagram.c \
	adapters/nfs/rpc/datagram.h \
	adapters/nfs/rpc/dispatch.c \
	adapters/nfs/rpc/header.c \
	adapters/nfs/rpc/header.h \
	adapters/nfs/rpc/record.c \
	adapters/nfs/rpc/reply.c \
	adapters/nfs/rpc/request.c \
	adapters/nfs/server.c \
	adapters/nfs/server.h

NFS_RPC_TEST_SOURCES = adapters/nfs/rpc/test-doubles.c adapters/nfs/rpc/test-doubles.h \
	adapters/nfs/rpc/test-server.c adapters/nfs/rpc/test-server.h adapters/nfs/test-runtime.c \
	adapters/nfs/test-runtime.h
NFS_RPC_TEST_LIBS = adapters/nfs/libnfsrpc.la $(NFS_TEST_LIBS)
check_PROGRAMS += adapters/nfs/rpc/test-record adapters/nfs/rpc/test-request
TESTS += adapters/nfs/rpc/test-record adapters/nfs/rpc/test-request
adapters_nfs_rpc_test_record_SOURCES = adapters/nfs/rpc/test-record.c $(NFS_RPC_TEST_SOURCES)
adapters_nfs_rpc_test_record_LDADD = $(NFS_RPC_TEST_LIBS)
adapters_nfs_rpc_test_request_SOURCES = adapters/nfs/rpc/test-request.c $(NFS_RPC_TEST_SOURCES)
adapters_nfs_rpc_test_request_LDADD = $(NFS_RPC_TEST_LIBS)
