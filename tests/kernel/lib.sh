# SPDX-License-Identifier: MIT
# A real Linux kernel NFS client for test scripts: Debian's user-mode Linux as a guest.
#
#   . "$DFS_SRCDIR/tests/kernel/lib.sh"      re-executes the script in namespaces of its own, or
#                                            skips all with the reason why no guest can start here
#   make_config ...; start_server            with listen=0.0.0.0; the network is private
#   guest 1 COMMAND...                       mounts the share in guest 1 and runs COMMAND there
# A guest's command sees the whole file system of the host, read-only below an overlay; it runs
# in the mounted share; $GUEST_JOB is a folder shared with the host ($work/guest-1).  Guests with
# different numbers can run at once.  With guest_locks=1 the mount has locks (NLM), which needs a
# portmapper beside the server; a guest that is killed comes back with what its status monitor knew.
. "$DFS_SRCDIR/tests/lib.sh"
requires unshare ip linux.uml mount.nfs insmod gcc
[ "$(id -u)" = 0 ] || skip_all "making a tap device needs root"
[ -c /dev/net/tun ] || skip_all "there is no /dev/net/tun"
if [ -z "${DFS_IN_NAMESPACE:-}" ]; then
	rm -rf "$work"
	trap - EXIT
	export DFS_IN_NAMESPACE=1
	exec unshare --net --pid --fork --mount-proc --kill-child "$0" "$@"
fi

clients=10.77.0.0/16 # for make_config
ip link set lo up || skip_all "the private network cannot be set up"
gcc -O2 -shared -fPIC -o "$work/xsave-pad.so" "$DFS_SRCDIR/tests/kernel/xsave-pad.c" || exit 1

# tap NUMBER: the guest's end of a private link, 10.77.NUMBER.0/24.
tap() {
	! ip link show dev "guest$1" >/dev/null 2>&1 || return 0
	ip tuntap add dev "guest$1" mode tap vnet_hdr &&
		ip addr add "10.77.$1.1/24" dev "guest$1" && ip link set "guest$1" up
}
tap 1 || skip_all "no tap device can be made here"

# guest NUMBER COMMAND...: its output and exit status; 124 after guest_seconds (300), 125 and 126
# when the guest or the mount failed.
guest() {
	number=$1
	shift
	tap "$number"
	job=$work/guest-$number
	lock=nolock
	[ -z "${guest_locks:-}" ] || lock=lock
	mkdir -p "$job"
	rm -rf "$job/rc" "$job/uml"
	mkdir "$job/uml"
	{
		printf '%s=%q\n' GUEST_ADDRESS "10.77.$number.2" GUEST_NAME "guest$number" \
			GUEST_SOURCE "10.77.$number.1:${guest_export:-/export}" GUEST_LOCKS "${guest_locks:-}" \
			GUEST_OPTIONS "vers=3,proto=tcp,port=$port,mountproto=tcp,mountport=$port,${lock},${guest_options:-hard}"
		printf 'GUEST_COMMAND=('
		printf '%q ' "$@"
		echo ')'
	} >"$job/params"
	status=0
	TMPDIR=/dev/shm LD_PRELOAD=$work/xsave-pad.so timeout -k 5 "${guest_seconds:-300}" \
		taskset -c "$((number % $(nproc)))" \
		linux.uml mem="${guest_memory:-512M}" root=/dev/root rootfstype=hostfs rootflags=/ ro quiet \
		init="$DFS_SRCDIR/tests/kernel/guest-init" GUEST_JOB="$job" \
		uml_dir="$job/uml" umid="g$number" \
		"vec0:transport=tap,ifname=guest$number,depth=128,gro=1,mtu=1500" \
		con=null con0=null,fd:5 ssl=null ssl0=null,fd:1 ssl1=null,fd:2 \
		</dev/null 5>"$job/kernel.log" 3>&- || status=$?
	if [ ! -s "$job/rc" ]; then
		tail -n 20 "$job/kernel.log"
		[ "$status" = 124 ] || status=125
		return "$status"
	fi
	read -r rc <"$job/rc" || rc=125
	return "$rc"
}
