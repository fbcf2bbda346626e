# SPDX-License-Identifier: MIT
# The server dies, at random moments and at chosen ones.
crashes = \
	tests/crash/points.py \
	tests/crash/storm.py
TESTS += $(crashes)
dist_check_SCRIPTS += $(crashes)
EXTRA_DIST += \
	tests/crash/life.py \
	tests/crash/load.py \
	tests/crash/model.py \
	tests/crash/wal.py
