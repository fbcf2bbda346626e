#!/bin/bash
# SPDX-License-Identifier: MIT
# Transactions of one server that run side by side do not overtake each other where they put the same record.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/postgres/lib.sh"
start_postgres
ok "changes beside a write-back of the same inodes are what is stored" \
	timeout 300 "$DFS_BUILDDIR/tests/postgres/order" "host=$pg_host port=$pg_port user=dittofs dbname=dittofs"
finish
