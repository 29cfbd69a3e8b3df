//! memtide's program: arguments in, exit status out.

fn main() {}
