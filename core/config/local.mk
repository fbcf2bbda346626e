# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/config/config.h \
	core/config/rules.h
