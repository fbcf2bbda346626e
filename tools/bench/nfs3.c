/* SPDX-License-Identifier: MIT */
#include <glib.h>

#include "nfs3.h"

static const char *const procs[NFS3_PROCS] = {
	"NULL",    "GETATTR",     "SETATTR", "LOOKUP", "ACCESS",   "READLINK", "READ",   "WRITE",
	"CREATE",  "MKDIR",       "SYMLINK", "MKNOD",  "REMOVE",   "RMDIR",    "RENAME", "LINK",
	"READDIR", "READDIRPLUS", "FSSTAT",  "FSINFO", "PATHCONF", "COMMIT",
};

static const struct {
	uint32_t status;
	const char *name;
} statuses[] = {
	{0, "NFS3_OK"},
	{1, "NFS3ERR_PERM"},
	{2, "NFS3ERR_NOENT"},
	{5, "NFS3ERR_IO"},
	{6, "NFS3ERR_NXIO"},
	{13, "NFS3ERR_ACCES"},
	{17, "NFS3ERR_EXIST"},
	{18, "NFS3ERR_XDEV"},
	{19, "NFS3ERR_NODEV"},
	{20, "NFS3ERR_NOTDIR"},
	{21, "NFS3ERR_ISDIR"},
	{22, "NFS3ERR_INVAL"},
	{27, "NFS3ERR_FBIG"},
	{28, "NFS3ERR_NOSPC"},
	{30, "NFS3ERR_ROFS"},
	{31, "NFS3ERR_MLINK"},
	{63, "NFS3ERR_NAMETOOLONG"},
	{66, "NFS3ERR_NOTEMPTY"},
	{69, "NFS3ERR_DQUOT"},
	{70, "NFS3ERR_STALE"},
	{71, "NFS3ERR_REMOTE"},
	{10001, "NFS3ERR_BADHANDLE"},
	{10002, "NFS3ERR_NOT_SYNC"},
	{10003, "NFS3ERR_BAD_COOKIE"},
	{10004, "NFS3ERR_NOTSUPP"},
	{10005, "NFS3ERR_TOOSMALL"},
	{10006, "NFS3ERR_SERVERFAULT"},
	{10007, "NFS3ERR_BADTYPE"},
	{10008, "NFS3ERR_JUKEBOX"},
};

const char *
nfs3_proc_name(uint32_t proc)
{
	return proc < NFS3_PROCS ? procs[proc] : "?";
}

const char *
nfs3_status_name(uint32_t status)
{
	static __thread char other[32];

	for (unsigned i = 0; i < G_N_ELEMENTS(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].name;
	g_snprintf(other, sizeof other, "NFS status %u", status);
	return other;
}

const char *
rpc_accept_name(uint32_t stat)
{
	static const char *const names[] = {
		"SUCCESS",      "PROG_UNAVAIL", "PROG_MISMATCH",
		"PROC_UNAVAIL", "GARBAGE_ARGS", "SYSTEM_ERR",
	};

	return stat < G_N_ELEMENTS(names) ? names[stat] : "an unknown accept_stat";
}
