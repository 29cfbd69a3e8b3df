#!/usr/bin/env python3
"""Watches memtide's own memory, descriptors and CPU while it watches a crowd that comes and goes.

    cargo static && benches/soak.py --processes 1000 --minutes 60

A line a minute: processes there were, RSS and peak RSS in KiB, open descriptors, CPU milliseconds a second and bytes a
second to the terminal in that minute. A process starts and ends every third of a second beside the sleepers.
"""

import argparse
import os
import subprocess

from lab.farm import Farm, processes
from lab.program import MEMTIDE
from lab.terminal import Terminal


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=1000)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--memtide", default=MEMTIDE, help="the program (%(default)s)")
    args = parser.parse_args()
    with Farm(args.processes), Terminal([args.memtide], 180, 50) as terminal:
        churn = subprocess.Popen(["sh", "-c", "while :; do sleep 0.3; done"])
        try:
            print("minute\tprocesses\tRSS KiB\tpeak KiB\tdescriptors\tCPU ms/s\tbytes/s", flush=True)
            for minute in range(1, args.minutes + 1):
                cpu, sent = terminal.cpu_seconds(), terminal.sent
                terminal.drain(60)
                with open(f"/proc/{terminal.pid}/status") as file:
                    status = dict(line.split(":", 1) for line in file)
                kib = [status[name].split()[0] for name in ("VmRSS", "VmHWM")]
                descriptors = len(os.listdir(f"/proc/{terminal.pid}/fd"))
                cost = (terminal.cpu_seconds() - cpu) * 1000 / 60, (terminal.sent - sent) / 60
                print(minute, processes(), *kib, descriptors, *(f"{value:.1f}" for value in cost), sep="\t", flush=True)
        finally:
            churn.kill()


if __name__ == "__main__":
    main()
