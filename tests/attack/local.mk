# SPDX-License-Identifier: MIT
# What the server must survive; scripts of raw packets.
attacks = \
	tests/attack/limits.py \
	tests/attack/packets.py \
	tests/attack/replay.py \
	tests/attack/signals.py
TESTS += $(attacks)
dist_check_SCRIPTS += $(attacks)
EXTRA_DIST += \
	tests/attack/rpc.py \
	tests/attack/world.py
