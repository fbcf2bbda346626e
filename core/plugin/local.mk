# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/plugin/host.h \
	core/plugin/options.h \
	core/plugin/registry.h
