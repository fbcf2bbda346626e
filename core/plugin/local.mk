# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/plugin/host.c \
	core/plugin/host.h \
	core/plugin/nearest.c \
	core/plugin/nearest.h \
	core/plugin/option_table.c \
	core/plugin/option_value.c \
	core/plugin/option_value.h \
	core/plugin/options.c \
	core/plugin/options.h \
	core/plugin/registry.h

check_PROGRAMS += core/plugin/test-host core/plugin/test-options
TESTS += core/plugin/test-host core/plugin/test-options
core_plugin_test_host_SOURCES = core/plugin/test-host.c
core_plugin_test_host_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_plugin_test_options_SOURCES = core/plugin/test-options.c
core_plugin_test_options_LDADD = core/libdittofs.la $(GLIB_LIBS)
