#!/usr/bin/env python3
"""Measures how soon memtide shows its first screen, and how soon a key press is answered.

    cargo static && benches/latency.py --processes 1000 --processes 5000

First screen: from fork to the end of the first update that has rows of the farm's processes in it. Key to screen:
from the write of a key to the first byte, and to the last, of the update that answers it. The key opens the help, so
that the answer can't be mistaken for the next sample's update; samples are taken as often as the program
allows, so that nearly every press meets a scan under way.
"""

import argparse
import random
import statistics
import time

from lab.farm import Farm, processes
from lab.program import MEMTIDE
from lab.terminal import Terminal

ROW = b"/farm"
BEGIN, END = b"\x1b[?2026h", b"\x1b[?2026l"
PATIENCE = 20.0


def first_screen(args):
    """Milliseconds from the start to the first complete screen."""
    with Terminal([args.memtide], args.columns, args.rows) as terminal:
        seen, end = b"", terminal.started + PATIENCE
        while time.monotonic() < end:
            seen += terminal.read(0.5)
            if ROW in seen and END in seen[seen.index(ROW) :]:
                return (time.monotonic() - terminal.started) * 1000
        raise SystemExit(f"no first screen: {seen[-300:]!r}")


def answer(terminal, key, marker):
    """Milliseconds from a key to the first and the last byte of the update that has `marker` in it."""
    pressed = time.monotonic()
    terminal.write(key)
    update, begun = b"", None
    while time.monotonic() < pressed + PATIENCE:
        data = terminal.read(0.5)
        now = time.monotonic()
        begun = begun or now
        update += data
        while END in update:
            whole, update = update.split(END, 1)
            if marker in whole:
                return (begun - pressed) * 1000, (now - pressed) * 1000
            begun = now if update else None
    raise SystemExit(f"no answer to {key!r}: {update[-300:]!r}")


def presses(args):
    """The first-byte and last-byte times of every press."""
    pause = random.Random(1)
    first, last = [], []
    argv = [args.memtide, "--interval", args.interval]
    with Terminal(argv, args.columns, args.rows) as terminal:
        terminal.drain(3)
        for _ in range(args.presses):
            begin, end = answer(terminal, b"\x1bOP", args.marker.encode())
            first.append(begin)
            last.append(end)
            terminal.drain(0.05)
            terminal.write(b"\x1b")
            # A pause of random length, so that the presses fall anywhere in a scan.
            terminal.drain(0.08 + pause.random() * 0.15)
    return first, last


def row(name, values):
    """One line of the table."""
    values = sorted(values)
    p99 = values[min(len(values) - 1, int(len(values) * 0.99))]
    print(f"| {name} | {statistics.median(values):.1f} | {p99:.1f} | {values[-1]:.1f} | {len(values)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, action="append", help="sleepers to start; may be repeated (1000, 5000)")
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--starts", type=int, default=15)
    parser.add_argument("--interval", default="100ms")
    parser.add_argument("--marker", default="┌", help="what only the help screen has: its corner")
    parser.add_argument("--columns", type=int, default=180)
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--memtide", default=MEMTIDE, help="the program (%(default)s)")
    args = parser.parse_args()
    for count in args.processes or [1000, 5000]:
        with Farm(count):
            starts = [first_screen(args) for _ in range(args.starts)]
            first, last = presses(args)
            print(f"\n{processes()} processes, {args.columns}x{args.rows}, a sample every {args.interval}\n")
            print("| ms | median | p99 | worst | of |")
            print("| --- | ---: | ---: | ---: | ---: |")
            row("start to first screen", starts)
            row("key to first byte", first)
            row("key to last byte", last)


if __name__ == "__main__":
    main()
