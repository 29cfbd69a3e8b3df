#!/usr/bin/env python3
"""Measures how soon the screen of one process answers, for a process of 60,000 mappings and 100,000 descriptors.

    cargo build --release && benches/inspect_view.py

Opening: from the key that opens a tab from the list to the end of the update that has the tab's contents. Key to screen:
the same for the help, whose key follows right after one that opens a tab, so that a look is under way. The number of
descriptors is bounded by `ulimit -Hn`.
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time

from lab.terminal import Terminal
from latency import END, PATIENCE, answer, row

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The tabs by their keys, and a word that only their contents have, where the list has none.
TABS = {
    "overview": (b"1", b"EVERY"),
    "mappings": (b"2", b"groups"),
    "descriptors": (b"3", b"open"),
    "threads": (b"4", b"sleeping"),
}


def wait(terminal, marker):
    """Milliseconds until the end of an update with a text."""
    began, seen = time.monotonic(), b""
    while time.monotonic() < began + PATIENCE:
        seen += terminal.read(0.5)
        if marker in seen and END in seen[seen.index(marker) :]:
            return (time.monotonic() - began) * 1000
    raise SystemExit(f"{marker!r} is not shown: {seen[-300:]!r}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mappings", type=int, default=60_000)
    parser.add_argument("--descriptors", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--memtide", default=f"{ROOT}/target/release/memtide")
    args = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    args.descriptors = args.descriptors if most == resource.RLIM_INFINITY else min(args.descriptors, most - 100)
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "crowd")
        subprocess.run(["cc", "-O1", "-pthread", "-o", program, f"{ROOT}/tests/programs/child.c"], check=True)
        crowd = [program, "bench", "many", str(args.mappings), str(args.descriptors)]
        with subprocess.Popen(crowd, stdout=subprocess.PIPE) as child:
            try:
                child.stdout.readline()
                measure(args, child.pid)
            finally:
                child.kill()


def measure(args, pid):
    """Prints the table."""
    opening, keys = {name: [] for name in TABS}, []
    with Terminal([args.memtide, "--config", "/dev/null", "--filter", f"pid={pid}"], 120, 40) as terminal:
        terminal.drain(5)
        before = memory(terminal.pid)[0]
        for _ in range(args.times):
            for name, (key, marker) in TABS.items():
                terminal.write(key)
                opening[name].append(wait(terminal, marker))
                terminal.drain(0.3)
                terminal.write(b"\x1b")
                terminal.drain(0.7)
                # Once more, and the help while it is looked at.
                terminal.write(key)
                keys.append(answer(terminal, b"\x1bOP", "┌".encode())[1])
                terminal.write(b"q")
                terminal.drain(0.3)
                terminal.write(b"\x1b")
                terminal.drain(0.7)
        after, most = memory(terminal.pid)
    print(f"{args.mappings} mappings, {args.descriptors} descriptors, 120x40\n")
    print("| ms | median | p99 | worst | of |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, values in opening.items():
        row(f"{name} opened", values)
    row("key to screen meanwhile", keys)
    print(f"\nmemtide's RSS in MiB: before {before:.1f}, after {after:.1f}, at most {most:.1f}")


def memory(pid):
    """RSS and peak RSS, MiB."""
    with open(f"/proc/{pid}/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return [int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")]


if __name__ == "__main__":
    main()
