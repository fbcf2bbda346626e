dnl SPDX-License-Identifier: MIT
dnl Macros for building DittoFS store plugins out of tree.  serial 1
dnl
dnl DITTOFS_CHECK_PLUGIN_API(KIND, MAJOR, [IF-FOUND], [IF-NOT-FOUND])
dnl   Looks for the installed DittoFS whose ABI of KIND (block, metadata) has this major number.
dnl   Substitutes DITTOFS_CFLAGS, DITTOFS_PLUGINDIR (where plugins are looked for),
dnl   DITTOFS_CONFORMANCEDIR (where dfs-conform-KIND is) and DITTOFS_OKV_LIBS (the ordered
dnl   key-value helper for metadata stores).  Without IF-NOT-FOUND a mismatch is an error.
AC_DEFUN([DITTOFS_CHECK_PLUGIN_API], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  PKG_CHECK_MODULES([DITTOFS], [dittofs], [dittofs_found=yes], [dittofs_found=no])
  PKG_CHECK_VAR([DITTOFS_PLUGINDIR], [dittofs], [plugindir])
  PKG_CHECK_VAR([DITTOFS_CONFORMANCEDIR], [dittofs], [conformancedir])
  PKG_CHECK_VAR([DITTOFS_OKV_LIBS], [dittofs], [okv_libs])
  AC_MSG_CHECKING([for the DittoFS $1 store ABI])
  AS_IF([test "x$dittofs_found" = xyes],
    [dittofs_abi=`$PKG_CONFIG --variable=abi_$1 dittofs`], [dittofs_abi=])
  AS_IF([test "x$dittofs_abi" = "x$2"],
    [AC_MSG_RESULT([$dittofs_abi])
     $3],
    [AC_MSG_RESULT([${dittofs_abi:-not found}])
     m4_default([$4], [AC_MSG_ERROR([this plugin needs a DittoFS with $1 store ABI $2])])])
])

dnl DITTOFS_PLUGIN_LDFLAGS
dnl   Substitutes DITTOFS_PLUGIN_LDFLAGS: a module that exports its description and nothing else,
dnl   and whose every symbol is found when it is built and bound when it is loaded.
AC_DEFUN([DITTOFS_PLUGIN_LDFLAGS], [
  AC_REQUIRE([DITTOFS_PLUGIN_MODE])
  AC_SUBST([DITTOFS_PLUGIN_LDFLAGS], ["-module -avoid-version -shared -no-undefined -export-symbols-regex '_LTX_dfs_plugin\$\$' -Wl,-z,now -Wl,-z,defs"])
])

dnl DITTOFS_PLUGIN_MODE
dnl   What libtool builds is not writable by the group, whatever the umask: such a plugin is refused.
AC_DEFUN([DITTOFS_PLUGIN_MODE], [
  AC_CONFIG_COMMANDS_PRE([LIBTOOL="umask 022 && $LIBTOOL"])
])
