//! Feeds arbitrary bytes to the reader of heap snapshots.
#![no_main]

#[path = "../bodies/heap.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = body::read(data);
    let _ = body::read(&body::made(data));
});
