# SPDX-License-Identifier: MIT
# Disks and stores that fail under a real server.
faults = \
	tests/fault/away.py \
	tests/fault/damage.py
TESTS += $(faults)
dist_check_SCRIPTS += $(faults)
