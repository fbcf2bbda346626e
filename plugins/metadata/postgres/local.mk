# SPDX-License-Identifier: MIT
postgres_sources = \
	plugins/metadata/postgres/apply.c \
	plugins/metadata/postgres/array.h \
	plugins/metadata/postgres/claim.c \
	plugins/metadata/postgres/clock.h \
	plugins/metadata/postgres/connect.c \
	plugins/metadata/postgres/conninfo.c \
	plugins/metadata/postgres/dirent.c \
	plugins/metadata/postgres/fence.c \
	plugins/metadata/postgres/hosts.c \
	plugins/metadata/postgres/inode.c \
	plugins/metadata/postgres/inodes.c \
	plugins/metadata/postgres/journal.c \
	plugins/metadata/postgres/journal.h \
	plugins/metadata/postgres/kind.c \
	plugins/metadata/postgres/kind.h \
	plugins/metadata/postgres/map.c \
	plugins/metadata/postgres/migrations.c \
	plugins/metadata/postgres/object.c \
	plugins/metadata/postgres/orphan.c \
	plugins/metadata/postgres/param.c \
	plugins/metadata/postgres/param.h \
	plugins/metadata/postgres/pool.c \
	plugins/metadata/postgres/pool.h \
	plugins/metadata/postgres/postgres.c \
	plugins/metadata/postgres/records.h \
	plugins/metadata/postgres/row.h \
	plugins/metadata/postgres/scan.c \
	plugins/metadata/postgres/schema.c \
	plugins/metadata/postgres/schema.h \
	plugins/metadata/postgres/service.c \
	plugins/metadata/postgres/session.c \
	plugins/metadata/postgres/session.h \
	plugins/metadata/postgres/share.c \
	plugins/metadata/postgres/sqlstate.c \
	plugins/metadata/postgres/sqlstate.h \
	plugins/metadata/postgres/state.c \
	plugins/metadata/postgres/statement.c \
	plugins/metadata/postgres/statement.h \
	plugins/metadata/postgres/store.h \
	plugins/metadata/postgres/symlink.c \
	plugins/metadata/postgres/timeline.c \
	plugins/metadata/postgres/txn.c \
	plugins/metadata/postgres/txn.h \
	plugins/metadata/postgres/usage.c \
	plugins/metadata/postgres/writeset.c \
	plugins/metadata/postgres/writeset.h
plugin_LTLIBRARIES += plugins/metadata/postgres/metadata_postgres.la
plugins_metadata_postgres_metadata_postgres_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -I$(top_srcdir)
plugins_metadata_postgres_metadata_postgres_la_CFLAGS = $(AM_CFLAGS) $(POSTGRES_CFLAGS)
plugins_metadata_postgres_metadata_postgres_la_SOURCES = $(postgres_sources)
plugins_metadata_postgres_metadata_postgres_la_LDFLAGS = $(PLUGIN_LDFLAGS)
plugins_metadata_postgres_metadata_postgres_la_LIBADD = $(POSTGRES_LIBS) -lpthread

dist_man_MANS += plugins/metadata/postgres/dittofs-metadata-postgres.5

check_PROGRAMS += plugins/metadata/postgres/test-journal plugins/metadata/postgres/test-writeset
TESTS += plugins/metadata/postgres/test-journal plugins/metadata/postgres/test-writeset
plugins_metadata_postgres_test_journal_SOURCES = \
	plugins/metadata/postgres/journal.c plugins/metadata/postgres/kind.c \
	plugins/metadata/postgres/test-journal.c plugins/metadata/postgres/writeset.c
plugins_metadata_postgres_test_journal_LDADD = $(GLIB_LIBS) -lpthread
plugins_metadata_postgres_test_writeset_SOURCES = \
	plugins/metadata/postgres/kind.c \
	plugins/metadata/postgres/test-writeset.c plugins/metadata/postgres/writeset.c
plugins_metadata_postgres_test_writeset_LDADD = $(GLIB_LIBS)

# Not a test: the statements, for tools/bench/compare and tests/postgres/plans.sh.
check_PROGRAMS += plugins/metadata/postgres/show
plugins_metadata_postgres_show_SOURCES = \
	plugins/metadata/postgres/kind.c plugins/metadata/postgres/show.c \
	plugins/metadata/postgres/statement.c
