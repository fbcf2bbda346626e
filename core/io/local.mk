# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/io/bind.c \
	core/io/bind.h \
	core/io/conn.c \
	core/io/conn.h \
	core/io/conn_out.c \
	core/io/gate.c \
	core/io/gate.h \
	core/io/loop.c \
	core/io/loop.h \
	core/io/net.c \
	core/io/net.h \
	core/io/watchdog.c \
	core/io/watchdog.h \
	core/io/worker.c \
	core/io/worker.h

check_PROGRAMS += core/io/test-gate core/io/test-worker
TESTS += core/io/test-gate core/io/test-worker
core_io_test_gate_SOURCES = core/io/test-gate.c
core_io_test_gate_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_io_test_worker_SOURCES = core/io/test-worker.c
core_io_test_worker_LDADD = core/libdittofs.la $(GLIB_LIBS)

check_PROGRAMS += core/io/test-loop core/io/test-conn core/io/test-net
TESTS += core/io/test-loop core/io/test-conn core/io/test-net
core_io_test_loop_SOURCES = core/io/test-loop.c
core_io_test_loop_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_io_test_conn_SOURCES = core/io/test-conn.c
core_io_test_conn_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_io_test_net_SOURCES = core/io/test-net.c
core_io_test_net_LDADD = core/libdittofs.la $(GLIB_LIBS)
