/* SPDX-License-Identifier: MIT
 *
 * The directory listing of READDIR and READDIRPLUS, encoded straight from core/fs's callback.
 *
 * The cookie verifier is always zero and is not looked at: cookies derive from names, stay good
 * under any change of the directory and across restarts, so that no listing ever has to begin
 * anew.  (A verifier made of the directory's mtime breaks `rm -r`, which lists and removes in
 * turns.)
 */
#ifndef NFS3_DIRLIST_H
#define NFS3_DIRLIST_H

#include "adapters/nfs/nfs3/nfs3.h"

struct nfs3_dirlist {
	struct nfs_call *call;
	enum nfs3_proc_number proc;
	bool plus;        /* with attributes and handles */
	uint64_t cookie;  /* from where */
	uint32_t maximum; /* bytes of the resok structure, XDR overhead included */
	uint32_t names;   /* READDIRPLUS: bytes of names, fileids and cookies; advice */
};

/* List dir and encode the whole result; the return value is the procedure's. */
enum dfs_status nfs3_dirlist_run(const struct nfs3_dirlist *list, const struct nfs3_fh *dir);

#endif
