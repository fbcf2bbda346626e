dnl SPDX-License-Identifier: MIT
dnl DFS_SANITIZER: --enable-sanitizer=LIST, of address, undefined and thread, comma-separated.
AC_DEFUN([DFS_SANITIZER], [
  AC_ARG_ENABLE([sanitizer],
    AS_HELP_STRING([--enable-sanitizer=LIST], [build with address, undefined, thread (comma-separated)]),
    [], [enable_sanitizer=no])
  SANITIZER_CFLAGS=
  AS_CASE([$enable_sanitizer],
    [no], [],
    [yes], [AC_MSG_ERROR([--enable-sanitizer needs a list: address, undefined, thread])],
    [*thread*address*|*address*thread*], [AC_MSG_ERROR([the address and thread sanitizers exclude each other])],
    [SANITIZER_CFLAGS="-fsanitize=$enable_sanitizer -fno-omit-frame-pointer -fno-sanitize-recover=undefined"])
  AC_SUBST([SANITIZER_CFLAGS])
])
