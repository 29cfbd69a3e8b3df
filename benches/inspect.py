#!/usr/bin/env python3
"""Times `memtide inspect` on a process with very many mappings and descriptors, beside the tools it stands in for.

    cargo build --release && benches/inspect.py

The process has 60,000 mappings, a quarter of them in use, and 100,000 descriptors, half of them pipes. Where the hard
limit of open files is lower (`ulimit -Hn`) it is raised, which takes CAP_SYS_RESOURCE and room in fs.nr_open and
fs.file-max; else there are as many as it allows, and the reason is printed. Every round runs each command once, output to a pipe that is read
whole. Printed is a Markdown table: wall milliseconds, and the median share of the process that was read.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


# Descriptors of the process beside those that are asked for.
SPARE = 100


def sysctl(name):
    with open(f"/proc/sys/fs/{name}") as file:
        return int(file.read().split()[0])


def allow(descriptors):
    """Raises the limit of open files for so many, of this process and those that it starts; gives how many it allows."""
    wanted = min(descriptors + SPARE, sysctl("nr_open"), sysctl("file-max") - sysctl("file-nr"))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        try:
            resource.prlimit(0, resource.RLIMIT_NOFILE, (wanted, wanted))
            hard = wanted
        except (PermissionError, ValueError) as error:
            print(f"the limit of {hard} open files can't be raised to {wanted}: {error}", file=sys.stderr)
            wanted = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return min(descriptors, wanted - SPARE)


class Crowd:
    """`with Crowd(60000, 100000):` starts the process and waits until it has everything."""

    def __init__(self, mappings, descriptors):
        self.args = ["crowd", "many", str(mappings), str(descriptors)]

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="memtide-crowd-")
        program = os.path.join(self.folder.name, "crowd")
        source = f"{ROOT}/tests/programs/child.c"
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-pthread", "-o", program, source], check=True)
        self.process = subprocess.Popen([program, *self.args], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            self.__exit__()
            raise SystemExit("the crowd did not start: see /proc/sys/vm/max_map_count and `ulimit -Hn`")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def run(argv):
    """Wall milliseconds and the output of one run."""
    start = time.perf_counter()
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    took = (time.perf_counter() - start) * 1000
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(argv)}: {done.returncode}")
    return took, done.stdout


def shares(output):
    """The percentages of mappings and of descriptors that an inspection read; nothing for another tool."""
    if not output.startswith(b"{"):
        return {}
    document = json.loads(output)
    parts = {name: document[name]["coverage"] for name in ("mappings", "descriptors") if name in document}
    return {name: 100 * part["read"] / part["of"] for name, part in parts.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mappings", type=int, default=60_000)
    parser.add_argument("--descriptors", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--memtide", default=f"{ROOT}/target/release/memtide")
    args = parser.parse_args()
    descriptors = allow(args.descriptors)
    with Crowd(args.mappings, descriptors) as crowd:
        pid = str(crowd.process.pid)
        inspect = [args.memtide, "inspect", pid, "--top", "20", "--format", "json"]
        commands = {
            "memtide inspect": inspect,
            "memtide inspect --budget 1h": [*inspect, "--budget", "1h"],
            "memtide inspect --part mappings": [*inspect, "--part", "mappings"],
            "memtide inspect --part descriptors": [*inspect, "--part", "descriptors"],
        }
        for name, argv in {"pmap -X": ["pmap", "-X", pid], "lsof -nP -p": ["lsof", "-nP", "-p", pid]}.items():
            if shutil.which(argv[0]):
                commands[name] = argv
        taken = {name: [] for name in commands}
        for number in range(args.rounds):
            names = list(commands)
            for name in names if number % 2 == 0 else names[::-1]:
                took, output = run(commands[name])
                taken[name].append((took, shares(output)))
    print(f"\n{args.mappings} mappings, {descriptors} descriptors, {args.rounds} rounds\n")
    print("| command | median ms | worst ms | read |")
    print("| --- | ---: | ---: | --- |")
    for name, runs in taken.items():
        times = [took for took, _ in runs]
        parts = {part: statistics.median(read[part] for _, read in runs) for part in runs[0][1]}
        told = ", ".join(f"{share:.0f}% of {part}" for part, share in parts.items()) or "all"
        print(f"| `{name}` | {statistics.median(times):.0f} | {max(times):.0f} | {told} |")


if __name__ == "__main__":
    main()
