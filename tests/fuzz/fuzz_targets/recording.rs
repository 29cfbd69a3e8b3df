//! Feeds arbitrary bytes to the reader of recordings.
#![no_main]

#[path = "../bodies/recording.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::read(data.to_vec());
    body::read(body::sealed(data));
});
