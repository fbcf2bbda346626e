# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/config/address.c \
	core/config/address.h \
	core/config/clients.c \
	core/config/config.h \
	core/config/instances.c \
	core/config/load.c \
	core/config/quotas.c \
	core/config/reader.c \
	core/config/reader.h \
	core/config/rules.c \
	core/config/rules.h \
	core/config/shares.c \
	core/config/source.c \
	core/config/source.h \
	core/config/tables.c \
	core/config/tables.h

check_PROGRAMS += core/config/test-config core/config/test-source
TESTS += core/config/test-config core/config/test-source
core_config_test_config_SOURCES = core/config/test-config.c
core_config_test_config_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_config_test_source_SOURCES = core/config/test-source.c
core_config_test_source_LDADD = core/libdittofs.la $(GLIB_LIBS)
dist_man_MANS += core/config/dfs.conf.5
