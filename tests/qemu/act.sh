#!/bin/busybox sh
# The first process of the guest: changes that need swap or touch the whole machine, by memtide act, and what the kernel
# says before and after each, a part after a line "== NAME" each, on the serial console.
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
groups=/sys/fs/cgroup
mount -t cgroup2 groups $groups
mkdir -p /tmp
# Whatever hangs, it ends.
(sleep 240; reboot -f) &

part() { printf '\n== %s\n' "$1"; }

part machine
uname -r
for module in zsmalloc lzo-rle zram; do insmod /modules/$module.ko; done
cat /sys/class/zram-control/hot_add >/dev/null
echo 128M >/sys/block/zram0/disksize
echo 48M >/sys/block/zram1/disksize
mkswap /dev/zram0 >/dev/null && swapon /dev/zram0
echo +memory >$groups/cgroup.subtree_control
mkdir $groups/app

# start NAME MODE ...: starts a child and waits until it is as it should be.
start() {
    /child "$@" >/tmp/ready &
    pid=$!
    until grep -qs ready /tmp/ready; do usleep 10000; done
    rm /tmp/ready
}

# run NAME COMMAND: runs a command, and says how it ended.
run() {
    part "$1"
    sh -c "$2" 2>/tmp/errors
    code=$?
    part "$1 errors"
    cat /tmp/errors
    part "$1 status"
    echo $code
}

rollup() {
    part "$1 rollup"
    cat /proc/$pid/smaps_rollup
}

start holder hold 40960
rollup start
run cold "exec /memtide act cold --pid $pid --yes --after 0s --format json"
rollup cold
run denied "exec su -s /bin/sh nobody -c 'exec /memtide act pageout --pid $pid --yes'"
rollup denied
run planned "exec /memtide act pageout --pid $pid --dry-run"
run pageout "exec /memtide act pageout --pid $pid --yes --after 500ms --format json"
rollup pageout
run recycle "exec /memtide act recycle_swap --yes --after 0s --format json"
rollup recycle
part alive
grep State /proc/$pid/status

# As long as a device is open, what was read of it stays in the page cache, where it counts as buffers.
exec 5</dev/zram1
cat <&5 >/dev/null
part "before meminfo"
cat /proc/meminfo
run caches "exec /memtide act drop_caches 1 --yes --after 0s --format json"
part "after meminfo"
cat /proc/meminfo

# Files and names in /proc are slab that can be reclaimed.
find /proc >/dev/null 2>&1
part "before slab"
cat /proc/meminfo
run slab "exec /memtide act drop_caches 2 --yes --after 0s --format json"
part "after slab"
cat /proc/meminfo

# What nobody may.
refused() { run "refused $1" "exec su -s /bin/sh nobody -c 'exec /memtide act $2 --yes'"; }
swapout() { echo $pid >$groups/app/cgroup.procs; /memtide act pageout --pid $pid --yes --after 0s >/dev/null 2>&1; }
swapout
refused caches "drop_caches 3"
refused swap recycle_swap
refused reclaim "reclaim 1M --cgroup /app"
refused high "memory.high 1G --cgroup /app"
refused limit "address_space 8G --pid $pid"
part end
reboot -f
