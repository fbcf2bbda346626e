# SPDX-License-Identifier: MIT
# Locks over the wire, with clients made by hand.
lock_tests = \
	tests/locks/blocking.py \
	tests/locks/calls.py \
	tests/locks/recovery.py
TESTS += $(lock_tests)
dist_check_SCRIPTS += $(lock_tests)
EXTRA_DIST += tests/locks/nlm.py
