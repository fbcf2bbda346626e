# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/base/buf.h \
	core/base/clock.h \
	core/base/counter.c \
	core/base/counter.h \
	core/base/ctx.c \
	core/base/ctx.h \
	core/base/hash.c \
	core/base/hash.h \
	core/base/lock.c \
	core/base/lock.h \
	core/base/log.c \
	core/base/log.h
