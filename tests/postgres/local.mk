# SPDX-License-Identifier: MIT
# The PostgreSQL metadata store on real servers.
EXTRA_DIST += tests/postgres/lib.sh
dist_check_SCRIPTS += tests/postgres/conform.sh tests/postgres/refuse.sh tests/postgres/servers.sh
TESTS += tests/postgres/conform.sh tests/postgres/refuse.sh tests/postgres/servers.sh
