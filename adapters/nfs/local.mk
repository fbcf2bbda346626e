# SPDX-License-Identifier: MIT
include adapters/nfs/procs.mk
