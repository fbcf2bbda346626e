# SPDX-License-Identifier: MIT
# What dfs-conform-metadata and dfs-conform-block share.
noinst_LTLIBRARIES += tools/conform/libconform.la
tools_conform_libconform_la_SOURCES = \
	tools/conform/config.c \
	tools/conform/config.h \
	tools/conform/load.c \
	tools/conform/load.h \
	tools/conform/tap.c \
	tools/conform/tap.h
