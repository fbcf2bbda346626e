# SPDX-License-Identifier: MIT
# The package for third parties: headers, dittofs.pc, dittofs.m4, examples.
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = dittofs.pc
aclocaldir = $(datadir)/aclocal
dist_aclocal_DATA = m4/dittofs.m4

EXTRA_DIST += \
	examples/block_rot13/Makefile.am \
	examples/block_rot13/README \
	examples/block_rot13/block_rot13.c \
	examples/block_rot13/configure.ac \
	examples/metadata_sorted/Makefile.am \
	examples/metadata_sorted/README \
	examples/metadata_sorted/configure.ac \
	examples/metadata_sorted/metadata_sorted.c \
	tests/package/build-examples \
	tests/package/check-installed

dist_check_SCRIPTS += tests/package/examples.sh tests/package/headers.sh tests/package/install.sh \
	tests/package/symbols.sh
TESTS += tests/package/examples.sh tests/package/headers.sh tests/package/install.sh \
	tests/package/symbols.sh

print-folders:
	@echo 'libdir=$(libdir)'; echo 'datadir=$(datadir)'; echo 'bindir=$(bindir)'; \
	echo 'sbindir=$(sbindir)'; echo 'includedir=$(includedir)'; echo 'mandir=$(mandir)'; echo 'docdir=$(docdir)'; \
	echo 'plugindir=$(plugindir)'; \
	echo 'plugins='`for la in $(plugin_LTLIBRARIES); do basename $$la .la; done | sed 's/$$/.so/'`
.PHONY: print-folders

# make distcheck comes here too: the examples against what was installed.
installcheck-local:
	'$(abs_top_srcdir)/tests/package/check-installed' . '$(DESTDIR)'
	rm -rf installcheck
	$(MKDIR_P) installcheck
	DFS_SRCDIR='$(abs_top_srcdir)' '$(abs_top_srcdir)/tests/package/build-examples' \
		"`pwd`/installcheck" '$(libdir)' '$(datadir)' '$(bindir)' '$(DESTDIR)'
	rm -rf installcheck
