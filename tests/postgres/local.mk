# SPDX-License-Identifier: MIT
# The PostgreSQL metadata store on real servers.
EXTRA_DIST += tests/postgres/lib.sh
postgres_scripts = \
	tests/postgres/conform.sh \
	tests/postgres/disturbed.sh \
	tests/postgres/faults.sh \
	tests/postgres/plans.sh \
	tests/postgres/quota.sh \
	tests/postgres/refuse.sh \
	tests/postgres/server.sh \
	tests/postgres/servers.sh
dist_check_SCRIPTS += $(postgres_scripts)
TESTS += $(postgres_scripts)

# Of faults.sh.
check_PROGRAMS += tests/postgres/hammer
tests_postgres_hammer_SOURCES = tests/postgres/hammer.c
tests_postgres_hammer_LDADD = core/libdittofs.la $(GLIB_LIBS) -lpthread
