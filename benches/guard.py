#!/usr/bin/env python3
"""Compares memtide's guard with PM2 on a leaking Node.js application, and with earlyoom on a runaway allocator.

    cargo build --release && benches/guard.py pm2 --pm2 /path/to/node_modules/.bin/pm2
    cargo build --release && sudo benches/guard.py oom --runs 20
    cargo static && benches/guard.py swap --runs 20

`pm2`: the same application runs under PM2, once with --max-memory-restart, once without while memtide restarts it
(`restart pm2 leak`). Printed are the time from crossing the limit to the end of the process, and how far above the limit
its RSS got; then what watching an idle application costs PM2's daemon and memtide. PM2 comes from npm: `npm install pm2`.

`oom`: a process allocates without end in a memory-limited control group; whoever watches must act before the kernel's OOM
killer does. earlyoom (a Debian package) looks at the whole machine alone: in a control group it can't be in time, and
where it is installed that is shown, too.

`swap`: the same with swap to fill first, in a virtual machine with Debian's kernel (tests/qemu/packages.txt): in a control
group of v2, and on the whole machine with the limits of earlyoom, which runs there too where it is found.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MEMTIDE = os.environ.get("MEMTIDE", str(ROOT / "target/release/memtide"))
PAGE = os.sysconf("SC_PAGE_SIZE")

APP = """
const pool = []; const step = Number(process.argv[2]);
setInterval(() => pool.push(Buffer.alloc(step * 1024 * 1024 / 20, 1)), 50);
"""

ALLOCATOR = """
import mmap, sys, time
pool, step, group = [], int(sys.argv[1]) << 20, sys.argv[2]
open(group + "/cgroup.procs", "w").write("0")
while True:
    block = mmap.mmap(-1, step // 100)
    block.write(b"x" * (step // 100))
    pool.append(block)
    time.sleep(0.01)
"""


def rss(pid):
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return None


def cpu_ns(pid):
    """On-CPU time of all threads, nanoseconds."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


class Pm2:
    """A PM2 of its own, with its own home."""

    def __init__(self, program):
        self.program, self.home = program, tempfile.mkdtemp(prefix="guard-pm2-")
        self.env = dict(os.environ, PM2_HOME=self.home, HOME=self.home)
        # As `memtide guard` finds it.
        self.env["PATH"] = f"{os.path.dirname(os.path.abspath(program))}:{os.environ['PATH']}"

    def run(self, *args):
        return subprocess.run(
            [self.program, *args], env=self.env, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ).stdout

    def start(self, app, speed, *args):
        self.run("start", app, "--name", "leak", *args, "--", str(speed))

    def pid(self):
        text = self.run("jlist").decode()
        return json.loads(text[text.index("[") :])[0]["pid"]

    def daemon(self):
        return int(pathlib.Path(self.home, "pm2.pid").read_text())

    def end(self):
        self.run("kill")
        shutil.rmtree(self.home, ignore_errors=True)


def follow(pid, limit, patience):
    """Seconds from crossing the limit to the end of the process, and the highest RSS."""
    crossed, highest, began = None, 0, time.monotonic()
    while time.monotonic() - began < patience:
        now = rss(pid)
        if not now:
            return time.monotonic() - crossed if crossed else None, highest
        highest = max(highest, now)
        if crossed is None and now > limit:
            crossed = time.monotonic()
        time.sleep(0.002)
    raise SystemExit(f"{pid} was not restarted within {patience} s")


def guard(*args, env=None):
    return subprocess.Popen([MEMTIDE, "guard", *args], env=env, stderr=subprocess.DEVNULL)


def compare_with_pm2(args):
    limit = args.limit << 20
    folder = tempfile.mkdtemp(prefix="guard-app-")
    app = os.path.join(folder, "leak.js")
    pathlib.Path(app).write_text(APP, encoding="ascii")
    if args.runs:
        print("| who restarts | from crossing to end | above the limit |\n| --- | --- | --- |")
    for who in ("PM2", "memtide") if args.runs else ():
        times, above = [], []
        for _ in range(args.runs):
            pm2 = Pm2(args.pm2)
            kept = None
            try:
                if who == "PM2":
                    pm2.start(app, args.speed, "--max-memory-restart", f"{args.limit}M")
                else:
                    pm2.start(app, args.speed)
                pid = pm2.pid()
                if who == "memtide":
                    kept = guard("--pid", str(pid), "--rss-over", f"{args.limit}M", "--then", "restart pm2 leak", env=pm2.env)
                took, highest = follow(pid, limit, 120)
            finally:
                if kept:
                    kept.terminate()
                    kept.wait()
                pm2.end()
            if took is not None:
                times.append(took)
                above.append((highest - limit) / (1 << 20))
        print(f"| {who} | {statistics.median(times):.2f} s (worst {max(times):.2f}) "
              f"| {statistics.median(above):.1f} MiB (worst {max(above):.1f}) |")
    if args.rounds:
        cost_beside_pm2(args, app)
    shutil.rmtree(folder)


def cost_beside_pm2(args, app):
    """All who watch do so at the same time: what one round has of others' noise, all have."""
    pm2 = Pm2(args.pm2)
    pm2.start(app, 0, "--max-memory-restart", "4G")
    pid = pm2.pid()
    rule = ("--footprint-over", "4G", "--for", "30s", "--then", "restart pm2 leak")
    whom = {"by pid": ("--pid", str(pid)), "by a filter": ("--match", "leak.js")}
    kept = {f"memtide guard {how}": guard(*args_of, *rule, env=pm2.env) for how, args_of in whom.items()}
    if args.before:
        before = subprocess.Popen(
            [args.before, "guard", *whom["by a filter"], *rule], env=pm2.env, stderr=subprocess.DEVNULL
        )
        kept["the same, before"] = before
    try:
        watched = {"PM2's daemon": pm2.daemon(), **{name: process.pid for name, process in kept.items()}}
        time.sleep(args.settle)
        spent = {name: [] for name in watched}
        for _ in range(args.rounds):
            before = {name: cpu_ns(pid) for name, pid in watched.items()}
            time.sleep(args.seconds)
            for name, pid in watched.items():
                spent[name].append((cpu_ns(pid) - before[name]) / 1e6 / args.seconds)
        print("\n| what | CPU, median of rounds | least and most | RSS |\n| --- | --- | --- | --- |")
        for name, pid in watched.items():
            all_of = spent[name]
            print(f"| {name} | {statistics.median(all_of):.3f} ms/s | {min(all_of):.3f}-{max(all_of):.3f} "
                  f"| {rss(pid) / (1 << 20):.1f} MiB |")
    finally:
        for process in kept.values():
            process.terminate()
            process.wait()
        pm2.end()


class Group:
    """A control group with a limit of memory, of either version."""

    def __init__(self, limit):
        base = pathlib.Path("/sys/fs/cgroup")
        self.is_v1 = (base / "memory").is_dir()
        self.path = (base / "memory" if self.is_v1 else base) / f"guard-bench-{os.getpid()}"
        self.path.mkdir()
        (self.path / ("memory.limit_in_bytes" if self.is_v1 else "memory.max")).write_text(str(limit))

    def kills(self):
        text = (self.path / ("memory.oom_control" if self.is_v1 else "memory.events")).read_text()
        return int(next(line.split()[1] for line in text.splitlines() if line.split()[0] == "oom_kill"))

    def remove(self):
        for _ in range(100):
            try:
                return self.path.rmdir()
            except OSError:
                time.sleep(0.05)


def race(args, watch):
    """How often the allocator ended before the OOM killer came, of all runs."""
    in_time = 0
    for _ in range(args.runs):
        group = Group(args.limit << 20)
        watcher = watch()
        try:
            # It is there and has looked before anything happens.
            time.sleep(1.5)
            process = subprocess.Popen([sys.executable, "-c", ALLOCATOR, str(args.speed), str(group.path)])
            process.wait(60)
            in_time += group.kills() == 0 and process.returncode in (-signal.SIGTERM, -signal.SIGKILL)
        finally:
            watcher.terminate()
            watcher.wait()
            group.remove()
    return in_time


def compare_with_oom_killer(args):
    # Not the path that the bench's own command line has.
    match = f"cgroup=/guard-bench-{os.getpid()}"
    kept = lambda: guard("--match", match, "--when", "cgroup > 70%", "--then", "signal KILL")
    print(f"memtide: before the OOM killer in {race(args, kept)} of {args.runs} runs "
          f"({args.speed} MiB/s, limit {args.limit} MiB)")
    if shutil.which("earlyoom"):
        args.runs = min(args.runs, 3)
        watch = lambda: subprocess.Popen(["earlyoom"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f"earlyoom, which looks at the whole machine: in {race(args, watch)} of {args.runs} runs")


GUEST = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys /dev /run /tmp
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mount -t cgroup2 groups /sys/fs/cgroup
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
for module in zsmalloc lzo-rle zram; do insmod /modules/$module.ko; done
echo 192M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null && swapon /dev/zram0
"""


def compare_with_swap(args):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="guard-swap-"))
    root = folder / "root"
    (root / "bin").mkdir(parents=True)
    (root / "modules").mkdir()
    kernel = sorted(pathlib.Path("/boot").glob("vmlinuz-*-cloud-amd64"))[-1]
    modules = pathlib.Path("/lib/modules") / kernel.name.removeprefix("vmlinuz-") / "kernel"
    for name in ("mm/zsmalloc.ko", "crypto/lzo-rle.ko", "drivers/block/zram/zram.ko"):
        shutil.copy(modules / name, root / "modules")
    shutil.copy(args.memtide, root / "bin/memtide")
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    shutil.copy(ROOT / "tests/qemu/race.sh", root / "race.sh")
    subprocess.run(["cc", "-static", "-pthread", "-o", root / "bin/runaway", ROOT / "tests/programs/child.c"], check=True)
    races = [("memtide", "group"), ("nobody", "group"), ("memtide", "machine"), ("nobody", "machine")]
    if args.earlyoom:
        copy_with_libraries(args.earlyoom, root, "bin/earlyoom")
        races[2:2] = [("earlyoom", "group")]
        races.append(("earlyoom", "machine"))
    init = GUEST + "".join(f"/race.sh {who} {args.runs} {where}\n" for who, where in races) + "reboot -f\n"
    (root / "init").write_text(init, encoding="ascii")
    (root / "init").chmod(0o755)
    archive = folder / "initramfs"
    subprocess.run(f"cd {root} && find . | cpio --quiet -o -H newc >{archive}", shell=True, check=True)
    machine = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-display", "none", "-monitor", "none"]
    machine += ["-serial", "stdio", "-no-reboot", "-nic", "none", "-append", "console=ttyS0 quiet panic=-1"]
    machine += ["-kernel", str(kernel), "-initrd", str(archive)]
    told = subprocess.run(machine, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False).stdout.decode()
    shutil.rmtree(folder)
    print("| who watches | where | before the OOM killer |\n| --- | --- | --- |")
    for part in told.replace("\r", "").split("\n== race ")[1:]:
        (who, where), result = part.splitlines()[0].split(), part.splitlines()[1]
        print(f"| {who} | {where} | {result} |")


def copy_with_libraries(program, root, to):
    shutil.copy(program, root / to)
    listed = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True).stdout.decode()
    for path in (word for word in listed.split() if word.startswith("/")):
        (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / path[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    pm2 = commands.add_parser("pm2")
    pm2.add_argument("--pm2", default="pm2")
    pm2.add_argument("--limit", type=int, default=150, help="MiB")
    pm2.add_argument("--speed", type=int, default=20, help="MiB/s that the application leaks")
    pm2.add_argument("--runs", type=int, default=3)
    pm2.add_argument("--settle", type=float, default=10)
    pm2.add_argument("--seconds", type=float, default=60)
    pm2.add_argument("--rounds", type=int, default=3, help="of the idle cost")
    pm2.add_argument("--before", help="another memtide, whose idle cost is measured beside")
    pm2.set_defaults(run=compare_with_pm2)
    oom = commands.add_parser("oom")
    oom.add_argument("--limit", type=int, default=256, help="MiB")
    oom.add_argument("--speed", type=int, default=100, help="MiB/s that are allocated")
    oom.add_argument("--runs", type=int, default=20)
    oom.set_defaults(run=compare_with_oom_killer)
    swap = commands.add_parser("swap")
    swap.add_argument("--runs", type=int, default=20)
    swap.add_argument("--memtide", default=str(ROOT / "target/x86_64-unknown-linux-musl/release/memtide"), help="a static one")
    swap.add_argument("--earlyoom", default=shutil.which("earlyoom"))
    swap.set_defaults(run=compare_with_swap)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
