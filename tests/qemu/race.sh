#!/bin/sh
# race.sh WHO RUNS [WHERE]: lets a program allocate 100 MiB a second without end, in a control group with 64 MiB of RAM and
# 96 MiB of swap (WHERE is group) or on the whole machine, and tells in how many of the runs who watches (memtide, earlyoom
# or nobody) has ended it before the kernel's OOM killer came.
who=$1 runs=$2 where=${3:-group}
group=/sys/fs/cgroup/race
[ -d $group ] || mkdir $group
echo 67108864 >$group/memory.max
echo 100663296 >$group/memory.swap.max
case $where in
group) enter="echo \$\$ >$group/cgroup.procs &&" ;;
*) enter= ;;
esac
kills() { awk '$1 == "oom_kill" { print $2 }' /proc/vmstat; }
watcher=
case $who-$where in
memtide-group) set -- --match cgroup=/race --when 'cgroup > 90%' --then 'signal KILL' ;;
# What earlyoom does where nothing else is said.
memtide-*) set -- --match '' --when 'mem_available < 10%' --when 'swap_free < 10%' --then 'signal TERM+KILL 3s' ;;
esac
case $who in
memtide) memtide guard "$@" --cooldown 0s --max-per-hour 1000 2>/run/race.said & watcher=$! ;;
earlyoom) earlyoom >/run/race.said 2>&1 & watcher=$! ;;
*) echo nobody >/run/race.said ;;
esac
until [ -s /run/race.said ]; do usleep 20000; done
in_time=0 run=0
while [ $run -lt $runs ]; do
    run=$((run + 1))
    before=$(kills)
    sh -c "$enter exec runaway runaway leak 1024 10" >/dev/null
    [ $(kills) = $before ] && in_time=$((in_time + 1))
done
[ "$watcher" ] && kill $watcher
printf '\n== race %s %s\n%s of %s\n' $who $where $in_time $runs
tail -n 3 /run/race.said
