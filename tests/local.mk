# SPDX-License-Identifier: MIT
# What needs more than one part.
EXTRA_DIST += tests/lib.sh tests/run-one tests/tsan.supp tests/lsan.supp

print-tests:
	@for t in $(TESTS); do echo $$t; done
.PHONY: print-tests
