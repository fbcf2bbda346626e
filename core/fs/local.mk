# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/fs/fs.h \
	core/fs/share.h
