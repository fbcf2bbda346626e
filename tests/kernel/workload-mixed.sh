#!/bin/bash
# SPDX-License-Identifier: MIT
# workload.sh on the combinations of which one store lies in memory.
export DFS_KERNEL_STORES="memory/filesystem leveldb/memory"
exec bash "$DFS_SRCDIR/tests/kernel/workload.sh"
