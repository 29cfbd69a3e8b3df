#!/usr/bin/env python3
"""Measures how long it takes from a clone to the first screen, and what a build from nothing takes of that.

    benches/first_screen.py            the release build that the README's first command makes
    benches/first_screen.py --dev      `cargo build`

The clone is of this very tree, what is committed; crates that cargo has not yet are downloaded. The target folder is new.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab.terminal import Terminal

HERE = Path(__file__).resolve().parent.parent
PATIENCE = 60.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="build without optimisation")
    args = parser.parse_args()
    profile = [] if args.dev else ["--release"]
    with tempfile.TemporaryDirectory(dir=HERE / "target") as folder:
        began = time.monotonic()
        subprocess.run(["git", "clone", "-q", HERE, f"{folder}/memtide"], check=True)
        cloned = time.monotonic()
        env = {**os.environ, "CARGO_TARGET_DIR": f"{folder}/target"}
        subprocess.run(["cargo", "build", "--locked", "-q", *profile], cwd=f"{folder}/memtide", env=env, check=True)
        built = time.monotonic()
        program = f"{folder}/target/{'debug' if args.dev else 'release'}/memtide"
        with Terminal([program], 120, 30) as terminal:
            seen, end = b"", terminal.started + PATIENCE
            while b"COMMAND" not in seen and time.monotonic() < end:
                seen += terminal.read(end - time.monotonic()) or b""
            if b"COMMAND" not in seen:
                sys.exit("no screen")
        shown = time.monotonic()
        print(f"clone {cloned - began:.1f} s, build {built - cloned:.0f} s, first screen {1000 * (shown - built):.0f} ms after that")
        print(f"from clone to first screen {shown - began:.0f} s on {os.cpu_count()} cores, program {os.stat(program).st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
