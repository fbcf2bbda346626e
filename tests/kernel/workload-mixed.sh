#!/bin/bash
# SPDX-License-Identifier: MIT
# workload.sh on the combinations of which one store lies in memory, as a guest with another number
# and so on another CPU: the two scripts run at once.
export DFS_KERNEL_GUEST=2
export DFS_KERNEL_STORES="memory/filesystem leveldb/memory"
exec bash "$DFS_SRCDIR/tests/kernel/workload.sh"
