"""The program that is measured: the static one, which `cargo static` builds."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MEMTIDE = f"{ROOT}/target/x86_64-unknown-linux-musl/release/memtide"
