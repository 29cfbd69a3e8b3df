#!/bin/busybox sh
# The first process of the guest: sets up swap and groups, starts processes whose figures are known, and prints what
# the kernel says of them and what memtide says, a part after a line "== NAME" each, on the serial console.
/bin/busybox --install -s /bin
export PATH=/bin
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
echo 128M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null && swapon /dev/zram0
echo +memory >$groups/cgroup.subtree_control
mkdir $groups/app $groups/own
echo 24M >$groups/app/memory.max
echo 96M >$groups/own/memory.max
cat /proc/swaps

# start GROUP NAME MODE ...: starts a child in a group, waits until it is as it should be and stops it.
start() {
    sh -c "echo \$\$ >$groups/$1/cgroup.procs && exec /child \"\$@\"" "$@" >/tmp/ready &
    pid=$!
    until grep -qs ready /tmp/ready; do usleep 10000; done
    kill -STOP $pid
    until grep -q '^State:.T' /proc/$pid/status; do usleep 10000; done
    rm /tmp/ready
    echo "$2 $pid"
    pids="$pids $pid"
}

part children
start app holder hold 40960
start app sharer share 8192 1
start own opener open 50
start own threaded threads 3

# kernel: what the kernel says of the children, read by nobody but cat and ls.
kernel() {
    for pid in $pids; do
        part "$1 rollup $pid"
        cat /proc/$pid/smaps_rollup
        part "$1 fds $pid"
        ls /proc/$pid/fd | wc -l
    done
    part "$1 meminfo"
    cat /proc/meminfo
    part "$1 pressure"
    cat /proc/pressure/memory
}

# run NAME COMMAND: runs a command in the group of its own, and says how it ended.
run() {
    part "$1"
    sh -c "echo \$\$ >$groups/own/cgroup.procs && $2" 2>/tmp/errors
    code=$?
    part "$1 errors"
    cat /tmp/errors
    part "$1 status"
    echo $code
}

columns=pid,name,user,state,rss,pss,uss,swap,swap_pss,fds,fd_limit,threads,cgroup,pss_anon,pss_shmem
kernel before
run ps "exec /memtide ps --format json --kernel-threads -o $columns"
run free "exec /memtide free --format json"
kernel after
run denied "exec su -s /bin/sh nobody -c 'exec /memtide ps --format json -o $columns'"

# state NAME: what the changes below are to change, as the kernel says it.
opener=$(set -- $pids; echo $3)
state() {
    part "$1 group"
    for file in current high max swap.current; do echo "$file $(cat $groups/app/memory.$file)"; done
    part "$1 opener"
    grep 'Max open files' /proc/$opener/limits
    cat /proc/$opener/oom_score_adj
    part "$1 swaps"
    tail -n +2 /proc/swaps
}

# act NAME WORDS: a change, told as JSON.
act() {
    name=$1
    shift
    run "$name" "exec /memtide act $* --yes --after 0s --format json"
    state "$name"
}

state start
act high memory.high 20M --pid $opener
act "high app" memory.high 20M --cgroup /app
act "high undone" memory.high max --cgroup /app
act reclaim reclaim 4M --cgroup /app
act max memory.max max --cgroup /app
act nofile nofile 5000 --pid $opener
act adj oom_score_adj -500 --pid $opener
act caches drop_caches 3
act recycle recycle_swap
act init signal HUP --pid 1
run refused "exec su -s /bin/sh nobody -c 'exec /memtide act memory.max 1G --cgroup /app --yes'"
part end
reboot -f
