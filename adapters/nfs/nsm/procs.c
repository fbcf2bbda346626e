/* SPDX-License-Identifier: MIT */
#include "adapters/nfs/nsm/nsm.h"

/* sm_stat_res that says no; the state is not told. */
static void
fail_mon(struct xdr_out *out, enum dfs_status status)
{
	(void)status;
	xdr_put_u32(out, 1);
	xdr_put_u32(out, 0);
}

const struct nfs_proc nsm1_procs[NSM_PROCS] = {
	[SM_NULL] = {"nsm-null", nsm1_null, 0, 0, NULL},
	[SM_STAT] = {"nsm-stat", nsm1_stat, 8, 0, NULL},
	[SM_MON] = {"nsm-mon", nsm1_mon, 8, 0, fail_mon},
	[SM_UNMON] = {"nsm-unmon", nsm1_unmon, 4, 0, NULL},
	[SM_UNMON_ALL] = {"nsm-unmon-all", nsm1_unmon_all, 4, 0, NULL},
	[SM_SIMU_CRASH] = {"nsm-simu-crash", nsm1_simu_crash, 0, 0, NULL},
	[SM_NOTIFY] = {"nsm-notify", nsm1_notify, 0, 0, NULL},
};
