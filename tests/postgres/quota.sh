#!/bin/bash
# SPDX-License-Identifier: MIT
# Quotas on the PostgreSQL metadata store, whose transactions run side by side.
. "$DFS_SRCDIR/tests/lib.sh"
. "$DFS_SRCDIR/tests/postgres/lib.sh"
requires python3
start_postgres
export DFS_QUOTA_STORES="postgres filesystem"
export DFS_QUOTA_SETTINGS="type = \"postgres\"; host = \"$pg_host\"; port = \"$pg_port\"; user = \"dittofs\"; dbname = \"dittofs\";"
python3 "$DFS_SRCDIR/tests/protocol/quota.py"
