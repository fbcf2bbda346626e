# SPDX-License-Identifier: MIT
# The PostgreSQL metadata store on real servers.
EXTRA_DIST += tests/postgres/hammer.sh tests/postgres/lib.sh tests/postgres/proxy.py
postgres_scripts = \
	tests/postgres/conform.sh \
	tests/postgres/disturbed.sh \
	tests/postgres/failover.sh \
	tests/postgres/faults.sh \
	tests/postgres/hostile.sh \
	tests/postgres/mend.sh \
	tests/postgres/order.sh \
	tests/postgres/plans.sh \
	tests/postgres/quota.sh \
	tests/postgres/refuse.sh \
	tests/postgres/server.sh \
	tests/postgres/servers.sh
dist_check_SCRIPTS += $(postgres_scripts)
TESTS += $(postgres_scripts)

# Of failover.sh and faults.sh.
check_PROGRAMS += tests/postgres/hammer
tests_postgres_hammer_SOURCES = tests/postgres/hammer.c
tests_postgres_hammer_LDADD = core/libdittofs.la $(GLIB_LIBS) -lpthread

# Of order.sh.
check_PROGRAMS += tests/postgres/order
tests_postgres_order_SOURCES = tests/postgres/order.c $(core_fs_fixture)
tests_postgres_order_LDADD = core/libdittofs.la $(GLIB_LIBS)
