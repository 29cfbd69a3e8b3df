#!/usr/bin/env python3
"""Compares `memtide heap show` with memlab on one large heap snapshot: whole processes, time and peak memory.

    cargo build --release
    npm install --prefix target/npm @memlab/heap-analysis
    benches/heap.py --mib 300

A Node program of its own makes the snapshot, whose size is about what --mib says; it is removed afterwards. Both read it
from the page cache, compute what each object retains and print or write classes. Printed is a Markdown table.
"""

import argparse
import os
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

PROGRAM = """
'use strict';
class Request { constructor(i) { this.id = i + 0.5; this.url = '/path/' + i; this.headers = { host: 'h' + i % 97, seen: [i + 0.5] }; } }
class Session { constructor(i) { this.requests = []; this.last = null; this.close = () => this.requests.length + i; } }
const sessions = new Map();
const count = Number(process.argv[3]);
for (let i = 0; i < count; i++) {
  let session = sessions.get(i % (count / 20));
  if (!session) sessions.set(i % (count / 20), session = new Session(i));
  session.last = new Request(i);
  session.requests.push(session.last);
}
globalThis.sessions = sessions;
require('v8').writeHeapSnapshot(process.argv[2]);
"""

# Bytes of a snapshot for each of the program's requests.
BYTES = 505


def run(argv):
    """Seconds and peak MiB of a command."""
    began = time.monotonic()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{argv[0]}: status {status}")
    return time.monotonic() - began, usage.ru_maxrss / 1024


def best(argv, runs):
    """The fastest of some runs, and the highest peak."""
    found = [run(argv) for _ in range(runs)]
    return min(seconds for seconds, _ in found), max(peak for _, peak in found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=300, help="about how large the snapshot is")
    parser.add_argument("--runs", type=int, default=3, help="runs of memtide; memlab has one")
    parser.add_argument("--memtide", default=f"{ROOT}/target/release/memtide")
    parser.add_argument("--npm", default=f"{ROOT}/target/npm/node_modules", help="folder with @memlab/heap-analysis")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memtide-heap-") as folder:
        file, out, program = (f"{folder}/{name}" for name in ("x.heapsnapshot", "memlab.json", "program.js"))
        with open(program, "w") as source:
            source.write(PROGRAM)
        count = args.mib * (1 << 20) // BYTES // 20 * 20
        subprocess.run(["node", "--max-old-space-size=12000", program, file, str(count)], check=True)
        size = os.path.getsize(file) / (1 << 20)
        commands = {
            "memtide heap show": ([args.memtide, "heap", "show", file], args.runs),
            "memtide heap show --what strings": ([args.memtide, "heap", "show", file, "--what", "strings"], 1),
            "memtide heap diff (with itself)": ([args.memtide, "heap", "diff", file, file], 1),
        }
        if os.path.isdir(f"{args.npm}/@memlab/heap-analysis"):
            script = f"{ROOT}/tests/programs/memlab.mjs"
            memlab = ["node", "--max-old-space-size=12000", script, args.npm, out, file, "classes"]
            commands["memlab"] = (memlab, 1)
        found = {name: best(argv, runs) for name, (argv, runs) in commands.items()}
        own = found["memtide heap show"]
        print(f"\na snapshot of {size:.0f} MiB\n")
        print("| | seconds | MiB a second | peak RSS MiB | peak / file | time and memory in those of memtide |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for name, (seconds, peak) in found.items():
            ratio = f"{seconds / own[0]:.1f}, {peak / own[1]:.1f}"
            print(f"| {name} | {seconds:.2f} | {size / seconds:.0f} | {peak:.0f} | {peak / size:.2f} | {ratio} |")


if __name__ == "__main__":
    main()
