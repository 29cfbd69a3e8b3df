#!/bin/sh
# race.sh WHO RUNS [SPEED]: lets a program allocate without end in a control group with 64 MiB of RAM and 96 MiB of
# swap, and tells who ended it in how many of the runs: memtide, earlyoom, or nobody but the kernel's OOM killer.
who=$1 runs=$2 ms=${3:-10}
group=/sys/fs/cgroup/race
[ -d $group ] || mkdir $group
echo 67108864 >$group/memory.max
echo 100663296 >$group/memory.swap.max
watcher=
case $who in
memtide) memtide guard --match cgroup=/race --when 'cgroup > 90%' --then 'signal KILL' --cooldown 0s --max-per-hour 1000 2>/run/race.said & watcher=$! ;;
earlyoom) earlyoom >/run/race.said 2>&1 & watcher=$! ;;
esac
[ "$watcher" ] && until [ -s /run/race.said ]; do usleep 20000; done
in_time=0 run=0 slowest=0
kills() { awk '$1 == "oom_kill" { print $2 }' $group/memory.events; }
while [ $run -lt $runs ]; do
    run=$((run + 1))
    before=$(kills)
    sh -c "echo \$\$ >$group/cgroup.procs && exec runaway runaway leak 1024 $ms" >/dev/null
    [ $(kills) = $before ] && in_time=$((in_time + 1))
done
[ "$watcher" ] && kill $watcher
printf '\n== race %s\n%s of %s\n' $who $in_time $runs
cat /run/race.said | tail -3
