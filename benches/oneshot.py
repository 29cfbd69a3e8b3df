#!/usr/bin/env python3
"""Times memtide's one-shot commands against ps and smem, with a farm of sleeping processes.

    cargo static && benches/oneshot.py

Every round runs each command once, in alternating order, output to a pipe that is read whole. Printed is a
Markdown table of medians, and the median over the rounds of each command's time as a share of
`ps -eo pid,rss,pss,uss,cmd --sort -pss` in the same round.
"""

import argparse
import shutil
import statistics
import subprocess
import time

from lab.farm import Farm, processes
from lab.program import MEMTIDE

REFERENCE = "ps -eo pid,rss,pss,uss,cmd --sort -pss"


def run(argv):
    """Wall milliseconds of one run."""
    start = time.perf_counter()
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    took = (time.perf_counter() - start) * 1000
    if done.returncode != 0 or not done.stdout:
        raise SystemExit(f"{' '.join(argv)}: {done.stderr.decode(errors='replace').strip() or done.returncode}")
    return took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--slow-rounds", type=int, default=3, help="rounds that include smem")
    parser.add_argument("--memtide", default=MEMTIDE, help="the program (%(default)s)")
    args = parser.parse_args()
    commands = {
        "memtide ps --sort pss": [args.memtide, "ps", "--sort", "pss"],
        "memtide ps --sort pss --top 10": [args.memtide, "ps", "--sort", "pss", "--top", "10"],
        "memtide free": [args.memtide, "free"],
        REFERENCE: REFERENCE.split(),
        "ps -eo pid,rss,cmd --sort -rss": "ps -eo pid,rss,cmd --sort -rss".split(),
    }
    if shutil.which("smem"):
        commands["smem -r -k"] = ["smem", "-r", "-k"]
    times = {name: [] for name in commands}
    with Farm(args.processes):
        count = processes()
        for number in range(args.rounds):
            names = [name for name in commands if name != "smem -r -k" or number < args.slow_rounds]
            for name in names if number % 2 == 0 else names[::-1]:
                times[name].append(run(commands[name]))
    print(f"\n{count} processes, {args.rounds} rounds\n")
    print(f"| command | ms | share of `{REFERENCE}` |")
    print("| --- | ---: | ---: |")
    for name, taken in times.items():
        share = statistics.median(mine / reference for mine, reference in zip(taken, times[REFERENCE]))
        print(f"| `{name}` | {statistics.median(taken):.0f} | {share:.2f} |")


if __name__ == "__main__":
    main()
