#!/usr/bin/env python3
"""Compares what memtide and its peers cost while nothing happens, in real terminals of one size.

    cargo static && benches/peers.py --processes 1000 --processes 5000

For each number of processes the tools run one after the other, in several rounds of alternating order, so that a
noisy moment of the machine hits none of them alone. Printed is a Markdown table of medians: CPU milliseconds a
second of wall time (all threads), peak RSS, bytes a second to the terminal; and memtide's CPU as a share of top's
and htop's, taken within each round and then the median.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile

from lab.farm import Farm, processes
from lab.program import MEMTIDE
from lab.terminal import Terminal

HTOPRC = """fields=0 48 17 18 38 39 40 2 46 47 49 1
sort_key=39
sort_direction=-1
hide_kernel_threads=1
hide_userland_threads=1
delay=10
"""


def tools(memtide, home):
    """Every tool that is installed: name, arguments, environment. Each at one second, by memory."""
    os.makedirs(f"{home}/htop")
    with open(f"{home}/htop/htoprc", "w") as file:
        file.write(HTOPRC)
    # A home of their own: what the user has configured neither counts nor is touched.
    own = {"HOME": home, "XDG_CONFIG_HOME": home, "HTOPRC": f"{home}/htop/htoprc"}
    every = [
        ("memtide", [memtide]),
        ("top", ["top", "-d", "1", "-o", "%MEM"]),
        ("htop", ["htop", "-d", "10"]),
        ("btop", ["btop", "--utf-force"]),
        ("btm", ["btm", "-r", "1000"]),
        ("atop", ["atop", "-m", "1"]),
    ]
    return [(name, argv, own) for name, argv in every if shutil.which(argv[0])]


def measure(argv, env, args):
    """CPU ms/s, peak MiB and bytes/s of one run, counted after the start has settled."""
    with Terminal(argv, args.columns, args.rows, env) as terminal:
        terminal.drain(args.settle)
        cpu, sent = terminal.cpu_seconds(), terminal.sent
        terminal.drain(args.seconds)
        return (
            (terminal.cpu_seconds() - cpu) * 1000 / args.seconds,
            terminal.peak_mib(),
            (terminal.sent - sent) / args.seconds,
        )


def compare(args, home):
    """All rounds with the processes that are there now; prints one table."""
    chosen = [tool for tool in tools(args.memtide, home) if not args.only or tool[0] in args.only]
    runs = {name: [] for name, _, _ in chosen}
    for number in range(args.rounds):
        order = chosen if number % 2 == 0 else chosen[::-1]
        for name, argv, env in order:
            try:
                runs[name].append(measure(argv, env, args))
            except (OSError, StopIteration):
                runs[name].append(None)
                print(f"{name} ended early", file=sys.stderr)
    print(f"\n{processes()} processes, {args.columns}x{args.rows}, {args.rounds} rounds of {args.seconds:g} s\n")
    print("| tool | CPU ms/s | peak RSS MiB | bytes/s | memtide's CPU as a share of it |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, _, _ in chosen:
        good = [run for run in runs[name] if run]
        if not good:
            continue
        cpu, peak, sent = (statistics.median(values) for values in zip(*good))
        pairs = [a[0] / b[0] for a, b in zip(runs.get("memtide", []), runs[name]) if a and b and b[0]]
        ratio = f"{statistics.median(pairs):.2f}" if pairs and name != "memtide" else ""
        print(f"| {name} | {cpu:.1f} | {peak:.1f} | {sent:.0f} | {ratio} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, action="append", help="sleepers to start; may be repeated (1000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--settle", type=float, default=4, help="seconds before counting begins")
    parser.add_argument("--columns", type=int, default=180)
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--memtide", default=MEMTIDE, help="the program (%(default)s)")
    parser.add_argument("--only", action="append", help="only these tools")
    args = parser.parse_args()
    for count in args.processes or [1000]:
        with tempfile.TemporaryDirectory(prefix="memtide-peers-") as home, Farm(count):
            compare(args, home)


if __name__ == "__main__":
    main()
