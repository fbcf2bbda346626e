# SPDX-License-Identifier: MIT
# libdittofs: private to the programs and adapters of this package.
pkglib_LTLIBRARIES += core/libdittofs.la
core_libdittofs_la_SOURCES =
core_libdittofs_la_LDFLAGS = -avoid-version $(PLUGIN_NO_UNDEFINED) -Wl,-Bsymbolic-functions $(AM_LDFLAGS)
core_libdittofs_la_LIBADD = $(GLIB_LIBS) $(LIBCONFIG_LIBS) $(XXHASH_LIBS) $(CRYPTO_LIBS) $(LTDL_LIBS) -lpthread

dittofsincludedir = $(includedir)/dittofs
dittofsinclude_HEADERS = \
	core/include/dittofs/adapter.h \
	core/include/dittofs/block_check.h \
	core/include/dittofs/block_store.h \
	core/include/dittofs/config.h \
	core/include/dittofs/host.h \
	core/include/dittofs/metadata_store.h \
	core/include/dittofs/okv.h \
	core/include/dittofs/plugin.h \
	core/include/dittofs/status.h
