# SPDX-License-Identifier: MIT
bin_PROGRAMS += dfs-bench
dist_man_MANS += tools/bench/dfs-bench.1
EXTRA_DIST += tools/bench/compare tools/bench/compare_postgres.py tools/bench/compare_remote.py \
	tools/bench/compare_rows.py tools/bench/compare_servers.py \
	tools/bench/compare_table.py

bench_sources = \
	tools/bench/bench.h \
	tools/bench/call.c \
	tools/bench/call.h \
	tools/bench/client.c \
	tools/bench/client.h \
	tools/bench/conn.c \
	tools/bench/conn.h \
	tools/bench/conns.c \
	tools/bench/echo.c \
	tools/bench/echo_reply.c \
	tools/bench/echo_reply.h \
	tools/bench/engine.c \
	tools/bench/hist.c \
	tools/bench/hist.h \
	tools/bench/limits.c \
	tools/bench/loop.c \
	tools/bench/nfs3.c \
	tools/bench/nfs3.h \
	tools/bench/options.c \
	tools/bench/options.h \
	tools/bench/pattern.c \
	tools/bench/pattern.h \
	tools/bench/prepare.c \
	tools/bench/procstat.c \
	tools/bench/procstat.h \
	tools/bench/record.c \
	tools/bench/record.h \
	tools/bench/reply.c \
	tools/bench/report.c \
	tools/bench/report.h \
	tools/bench/request.c \
	tools/bench/run.c \
	tools/bench/run.h \
	tools/bench/rxbuf.c \
	tools/bench/rxbuf.h \
	tools/bench/session.c \
	tools/bench/session.h \
	tools/bench/size.c \
	tools/bench/txq.c \
	tools/bench/txq.h \
	tools/bench/w_data.c \
	tools/bench/w_list.c \
	tools/bench/w_meta.c \
	tools/bench/w_names.c \
	tools/bench/workload.c \
	tools/bench/workload.h \
	tools/bench/xdrr.h \
	tools/bench/xdrw.h
dfs_bench_SOURCES = tools/bench/main.c $(bench_sources)
dfs_bench_LDADD = $(GLIB_LIBS)

check_PROGRAMS += tools/bench/test-hist tools/bench/test-wire tools/bench/test-stream \
	tools/bench/test-procstat tools/bench/test-reply tools/bench/test-faults
TESTS += tools/bench/test-hist tools/bench/test-wire tools/bench/test-stream \
	tools/bench/test-procstat tools/bench/test-reply tools/bench/test-faults \
	tools/bench/test-dfs-bench.sh tools/bench/test-compare.sh
dist_check_SCRIPTS += tools/bench/test-dfs-bench.sh tools/bench/test-compare.sh

tools_bench_test_hist_SOURCES = tools/bench/test-hist.c tools/bench/hist.c
tools_bench_test_hist_LDADD = $(GLIB_LIBS)
tools_bench_test_wire_SOURCES = tools/bench/test-wire.c tools/bench/call.c
tools_bench_test_wire_LDADD = $(GLIB_LIBS)
tools_bench_test_stream_SOURCES = tools/bench/test-stream.c tools/bench/record.c \
	tools/bench/rxbuf.c tools/bench/txq.c
tools_bench_test_stream_LDADD = $(GLIB_LIBS)
tools_bench_test_procstat_SOURCES = tools/bench/test-procstat.c tools/bench/procstat.c \
	tools/bench/size.c
tools_bench_test_procstat_LDADD = $(GLIB_LIBS)
tools_bench_test_reply_SOURCES = tools/bench/test-reply.c tools/bench/reply.c \
	tools/bench/nfs3.c tools/bench/pattern.c
tools_bench_test_reply_LDADD = $(GLIB_LIBS)
tools_bench_test_faults_SOURCES = tools/bench/test-faults.c $(bench_sources)
tools_bench_test_faults_LDADD = $(GLIB_LIBS)
