# SPDX-License-Identifier: MIT
# The libFuzzer targets, one per parser; `tests/fuzz/run SECONDS` builds and runs them.
