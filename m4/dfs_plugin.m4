dnl SPDX-License-Identifier: MIT
dnl DFS_PLUGIN(KIND, NAME, HELP, [CHECK])
dnl Declares --with-KIND-NAME=yes|no (default yes), runs CHECK when wanted (it sets dfs_missing to
dnl what is missing), defines the conditional WITH_KIND_NAME and adds a line to the summary.
AC_DEFUN([DFS_PLUGIN], [
  m4_pushdef([dfs_var], m4_translit([$1_$2], [-], [_]))
  AC_ARG_WITH([$1-$2], AS_HELP_STRING([--without-$1-$2], [leave out $3]),
    [], [with_]dfs_var[=yes])
  AS_IF([test "x$with_[]dfs_var" != xno], [
    dfs_missing=
    $4
    AS_IF([test -n "$dfs_missing"],
      [AC_MSG_ERROR([the plugin $1-$2 needs $dfs_missing; install it or configure --without-$1-$2])])
  ])
  AM_CONDITIONAL([WITH_]m4_toupper(dfs_var), [test "x$with_[]dfs_var" != xno])
  dfs_summary="$dfs_summary
  $1-$2: $with_[]dfs_var"
  m4_popdef([dfs_var])
])
