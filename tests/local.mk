# SPDX-License-Identifier: MIT
# What needs more than one part.
dist_check_SCRIPTS += \
	tests/kernel/workload.sh \
	tests/server/lifecycle.sh
TESTS += \
	tests/server/lifecycle.sh \
	tests/kernel/workload.sh
EXTRA_DIST += \
	tests/kernel/guest-init \
	tests/kernel/lib.sh \
	tests/kernel/workload \
	tests/kernel/xsave-pad.c \
	tests/lib.sh \
	tests/lsan.supp \
	tests/run-one \
	tests/tsan.supp

print-tests:
	@for t in $(TESTS); do echo $$t; done
.PHONY: print-tests
