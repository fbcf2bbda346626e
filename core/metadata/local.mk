# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/metadata/attr.h \
	core/metadata/namespace.h \
	core/metadata/store.h
