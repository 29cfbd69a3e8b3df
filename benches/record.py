#!/usr/bin/env python3
"""Compares what `memtide record` and `atop -w` cost: CPU, memory, bytes a process-sample, at one interval.

    cargo static && benches/record.py --processes 1000 --interval 5

Both run at the same time beside a farm of sleeping processes, or with --busy of ones whose memory moves all the time, so that both see the same machine. What they take in
the first seconds does not count. Printed is a Markdown table.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time

from lab.busy import Busy
from lab.farm import Farm, processes
from lab.program import MEMTIDE

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process with all its threads."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mib(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024


def size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def samples(memtide, path):
    """Samples and process-samples of a recording."""
    text = subprocess.run([memtide, "verify", "--format", "json", path], check=True, stdout=subprocess.PIPE).stdout
    found = json.loads(text)
    return found["samples"], found["process_samples"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=1000, help="sleepers to start")
    parser.add_argument("--busy", action="store_true", help="they take and give back memory all the time")
    parser.add_argument("--interval", type=int, default=5, help="seconds between samples")
    parser.add_argument("--settle", type=float, default=60, help="seconds before counting begins")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--memtide", default=MEMTIDE, help="the program (%(default)s)")
    args = parser.parse_args()
    crowd = Busy(args.processes) if args.busy else Farm(args.processes)
    with tempfile.TemporaryDirectory(prefix="memtide-record-") as folder, crowd:
        files = {"memtide record": f"{folder}/memtide", "atop -w": f"{folder}/atop"}
        commands = {
            "memtide record": [args.memtide, "record", "-o", files["memtide record"], "--interval", f"{args.interval}s"],
            "atop -w": ["atop", "-w", files["atop -w"], str(args.interval)],
        }
        running = {
            name: subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for name, argv in commands.items()
            if shutil.which(argv[0])
        }
        try:
            time.sleep(args.settle)
            cpu = {name: cpu_seconds(process.pid) for name, process in running.items()}
            before = {name: size(files[name]) for name in running}
            had = samples(args.memtide, files["memtide record"])
            time.sleep(args.seconds)
            after = {name: size(files[name]) for name in running}
            has = samples(args.memtide, files["memtide record"])
            cpu = {name: cpu_seconds(process.pid) - cpu[name] for name, process in running.items()}
            peak = {name: peak_mib(process.pid) for name, process in running.items()}
            count = processes()
        finally:
            for process in running.values():
                process.terminate()
            for process in running.values():
                process.wait()
        counted = has[1] - had[1]
        print(f"\n{count} processes, {has[0] - had[0]} samples at {args.interval} s\n")
        print("| recorder | CPU ms a sample | peak RSS MiB | bytes a process-sample | CPU as a share of atop's |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for name in running:
            each = (after[name] - before[name]) / counted
            share = f"{cpu[name] / cpu['atop -w']:.2f}" if cpu.get("atop -w") else ""
            took = cpu[name] * 1000 / (has[0] - had[0])
            print(f"| {name} | {took:.1f} | {peak[name]:.1f} | {each:.2f} | {share} |")


if __name__ == "__main__":
    main()
