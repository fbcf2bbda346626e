# SPDX-License-Identifier: MIT
core_libdittofs_la_SOURCES += \
	core/plugin/describe.c \
	core/plugin/describe.h \
	core/plugin/elf_check.c \
	core/plugin/elf_check.h \
	core/plugin/host.c \
	core/plugin/host.h \
	core/plugin/nearest.c \
	core/plugin/nearest.h \
	core/plugin/option_table.c \
	core/plugin/option_value.c \
	core/plugin/option_value.h \
	core/plugin/options.c \
	core/plugin/options.h \
	core/plugin/registry.c \
	core/plugin/registry.h

check_PROGRAMS += core/plugin/test-builtin core/plugin/test-describe core/plugin/test-host \
	core/plugin/test-options core/plugin/test-registry
TESTS += core/plugin/test-builtin core/plugin/test-describe core/plugin/test-host \
	core/plugin/test-options core/plugin/test-registry
core_plugin_test_builtin_SOURCES = core/plugin/test-builtin.c
core_plugin_test_builtin_LDADD = core/libdittofs.la $(LTDL_LIBS) $(GLIB_LIBS)
core_plugin_test_builtin_LDFLAGS = -dlpreopen core/plugin/block_built_in.la
core_plugin_test_builtin_DEPENDENCIES = core/libdittofs.la core/plugin/block_built_in.la
core_plugin_test_describe_SOURCES = core/plugin/test-describe.c
core_plugin_test_describe_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_plugin_test_host_SOURCES = core/plugin/test-host.c
core_plugin_test_host_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_plugin_test_options_SOURCES = core/plugin/test-options.c
core_plugin_test_options_LDADD = core/libdittofs.la $(GLIB_LIBS)
core_plugin_test_registry_SOURCES = core/plugin/test-registry.c
core_plugin_test_registry_LDADD = core/libdittofs.la $(GLIB_LIBS)

# Plugins with one mistake each, for test-registry.  An -rpath makes libtool build shared objects.
FIXTURE_LDFLAGS = -module -avoid-version -shared -rpath /nonexistent \
	-export-symbols-regex '_LTX_dfs_plugin$$' -Wl,-z,now
check_LTLIBRARIES += \
	core/plugin/block_good.la \
	core/plugin/block_two_words.la \
	core/plugin/block_alias.la \
	core/plugin/block_major.la \
	core/plugin/block_nosymbol.la \
	core/plugin/block_unresolved.la \
	core/plugin/metadata_plain.la \
	core/plugin/adapter_plain.la
core_plugin_block_good_la_SOURCES = core/plugin/fixtures/fixture.c
core_plugin_block_good_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DMODULE=block_good -DNAME=good
core_plugin_block_good_la_LDFLAGS = $(FIXTURE_LDFLAGS)
core_plugin_block_two_words_la_SOURCES = core/plugin/fixtures/fixture.c
core_plugin_block_two_words_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DMODULE=block_two_words -DNAME=two_words \
	-DCAPS=0
core_plugin_block_two_words_la_LDFLAGS = $(FIXTURE_LDFLAGS)
core_plugin_block_alias_la_SOURCES = core/plugin/fixtures/fixture.c
core_plugin_block_alias_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DMODULE=block_alias -DNAME=good
core_plugin_block_alias_la_LDFLAGS = $(FIXTURE_LDFLAGS)
core_plugin_block_major_la_SOURCES = core/plugin/fixtures/fixture.c
core_plugin_block_major_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DMODULE=block_major -DNAME=major -DMAJOR=99
core_plugin_block_major_la_LDFLAGS = $(FIXTURE_LDFLAGS)
core_plugin_block_nosymbol_la_SOURCES = core/plugin/fixtures/fixture.c
core_plugin_block_nosymbol_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DMODULE=block_nosymbol -DNAME=nosymbol \
	-DNO_SYMBOL
core_plugin_block_nosymbol_la_LDFLAGS = -module -avoid-version -shared -rpath /nonexistent
core_plugin_block_unresolved_la_SOURCES = core/plugin/fixtures/fixture.c
core_plugin_block_unresolved_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DMODULE=block_unresolved -DNAME=unresolved \
	-DCALLS_ABSENT
core_plugin_block_unresolved_la_LDFLAGS = $(FIXTURE_LDFLAGS)
core_plugin_metadata_plain_la_SOURCES = core/plugin/fixtures/metadata.c
core_plugin_metadata_plain_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
core_plugin_metadata_plain_la_LDFLAGS = $(FIXTURE_LDFLAGS)
core_plugin_adapter_plain_la_SOURCES = core/plugin/fixtures/adapter.c
core_plugin_adapter_plain_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
core_plugin_adapter_plain_la_LDFLAGS = $(FIXTURE_LDFLAGS)
# An archive, which libtool can link into a program.
check_LTLIBRARIES += core/plugin/block_built_in.la
core_plugin_block_built_in_la_SOURCES = core/plugin/fixtures/fixture.c
core_plugin_block_built_in_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DMODULE=block_built_in -DNAME=built_in
core_plugin_block_built_in_la_LDFLAGS = -module -avoid-version -static -rpath /nonexistent
