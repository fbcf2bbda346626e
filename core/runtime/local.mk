# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/runtime/runtime.c \
	core/runtime/runtime.h \
	core/runtime/shares.c \
	core/runtime/shares.h \
	core/runtime/state.c \
	core/runtime/state.h \
	core/runtime/stores.c \
	core/runtime/stores.h
