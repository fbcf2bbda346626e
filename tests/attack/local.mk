# SPDX-License-Identifier: MIT
# What the server must survive; scripts of raw packets.
attacks = \
	tests/attack/bulkhead.py \
	tests/attack/deaf.py \
	tests/attack/idle.py \
	tests/attack/limits.py \
	tests/attack/listing.py \
	tests/attack/packets.py \
	tests/attack/replay.py \
	tests/attack/signals.py \
	tests/attack/space.py \
	tests/attack/stop.py
TESTS += $(attacks)
dist_check_SCRIPTS += $(attacks)
EXTRA_DIST += \
	tests/attack/rpc.py \
	tests/attack/world.py

check_LTLIBRARIES += tests/attack/slow.la
tests_attack_slow_la_SOURCES = tests/attack/slow.c
tests_attack_slow_la_LDFLAGS = -module -avoid-version -rpath /nowhere
tests_attack_slow_la_LIBADD = -ldl
