# What guest.service runs: memtide guard under systemd, on control groups of v2 with swap. Parts after a line "== NAME"
# each, on the serial console.
part() { printf '\n== %s\n' "$1"; }

# until_true COMMAND: waits for it; what never comes is told by what follows.
until_true() {
    tries=0
    until eval "$1" || [ $tries -ge 300 ]; do
        tries=$((tries + 1))
        usleep 100000
    done
}

of_unit() { systemctl show -p "$2" --value "$1"; }

groups=/sys/fs/cgroup
for module in zsmalloc lzo-rle zram; do insmod /modules/$module.ko; done
echo 256M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null && swapon /dev/zram0
# The clock has to stand somewhere to be moved both ways.
date -s @1800000000 >/dev/null

# The unit as it is shipped, and a service that leaks.
systemctl start leaky
first=$(of_unit leaky MainPID)
systemctl start memtide-guard
until_true '[ $(of_unit leaky MainPID) != '$first' ] && grep -qs "\"running\":\[\]" /var/lib/memtide/guard.json'
guard=$(of_unit memtide-guard MainPID)
part unit
echo "first $first"
echo "second $(of_unit leaky MainPID)"
echo "leaky $(of_unit leaky ActiveState)"
echo "guard $guard"
echo "adj $(cat /proc/$guard/oom_score_adj)"
part locked
grep -E 'VmLck|VmRSS' /proc/$guard/status
systemctl stop leaky

# It hangs: systemd starts it anew, and what it remembers is there.
kill -STOP $guard
until_true '[ $(of_unit memtide-guard NRestarts) = 1 ] && [ $(of_unit memtide-guard ActiveState) = active ]'
part watchdog
echo "restarts $(of_unit memtide-guard NRestarts)"
echo "again $(of_unit memtide-guard MainPID)"
systemctl start leaky
leaky=$(of_unit leaky MainPID)
until_true "[ \$(awk '\$1 == \"VmRSS:\" { print \$2 }' /proc/$leaky/status) -gt 65536 ]"
echo "cooling $([ $(of_unit leaky MainPID) = $leaky ] && echo yes)"
systemctl stop leaky memtide-guard
part journal
journalctl -q --no-pager -o cat _SYSTEMD_UNIT=memtide-guard.service + SYSLOG_IDENTIFIER=memtide

# A rule that slows a service down instead.
systemctl start hungry
hungry=$(of_unit hungry MainPID)
until_true "[ \$(awk '\$1 == \"VmRSS:\" { print \$2 }' /proc/$hungry/status) -gt 40960 ]"
memtide guard --match name=hungry --rss-over 30M --for 200ms --then 'oom_score_adj 500' --then 'memory.high 16M' \
    --then 'drop-caches 1' --cooldown 1h --log /run/high.log 2>/run/high.said &
until_true 'grep -q "drop-caches 1: " /run/high.said'
until_true '[ $(cat $groups/system.slice/hungry.service/memory.current) -le 16777216 ]'
part high
for file in high current swap.current events; do
    echo "$file $(cat $groups/system.slice/hungry.service/memory.$file | tr '\n' ' ')"
done
echo "adj $(cat /proc/$hungry/oom_score_adj)"
echo "alive $(of_unit hungry ActiveState)"
part "high said"
cat /run/high.said
kill $!
systemctl stop hungry

# The clock is moved two days on and four back while rules wait.
cat >/run/clock.toml <<'RULES'
interval = "100ms"
[[rule]]
name = "cooling"
match = "name=clock"
when = "rss > 1K"
then = "notify"
cooldown = "1h"
[[rule]]
name = "waiting"
match = "name=clock"
when = "rss > 1K"
for = "1h"
then = "notify"
[[rule]]
name = "often"
match = "name=clock"
when = "rss > 1K"
then = "notify"
cooldown = "0s"
max_per_hour = 2
[[rule]]
name = "soon"
match = "name=on or name=back"
when = "rss > 1K"
for = "1s"
then = "notify"
cooldown = "1h"
per = "command"
RULES
clock sleep 1000 &
memtide guard -c /run/clock.toml --log /run/clock.log 2>/run/clock.said &
guard=$!
until_true 'grep -q "may not more often" /run/clock.said'
date -s @$(($(date +%s) + 172800)) >/dev/null
on sleep 1000 &
until_true 'grep -q "soon: on:" /run/clock.said'
date -s @$(($(date +%s) - 345600)) >/dev/null
back sleep 1000 &
until_true 'grep -q "soon: back:" /run/clock.said'
part clock
cat /run/clock.log
kill $guard

# Runaways in a group with little memory and some swap: who comes first?
/race.sh memtide 3
part end
reboot -f
