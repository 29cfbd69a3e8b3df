//! Recordings that nobody honest wrote: the bodies of the fuzz targets, on inputs by chance and on changed true ones.
#![allow(unreachable_pub, dead_code, reason = "the parts of other test programs")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

#[path = "fuzz/bodies/recording.rs"]
mod body;
mod support;

use body::{block, read, sealed};
use memtide::record::reader::{Lost, Reader};
use proptest::collection::vec;
use proptest::prelude::*;
use support::any::{Dice, cases};
use support::machine::Crowd;
use support::recordings::{seconds, write};

/// The payloads of a true recording, as they are before they are packed.
fn payloads() -> Vec<(u8, Vec<u8>)> {
    let whole = write(&seconds(Crowd::Odd, 20));
    let unpacked = |block: usize| {
        let bytes = &whole.bytes[whole.start(block)..whole.ends[block]];
        let stored = &bytes[44..bytes.len() - 4];
        let payload = if bytes[6] == 1 { zstd::decode_all(stored).unwrap() } else { stored.to_vec() };
        (bytes[5], payload)
    };
    (0..20).map(unpacked).collect()
}

/// One file of such blocks, each on the base that it has.
fn joined(payloads: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut key, mut anchor) = (0, 0);
    for (kind, payload) in payloads {
        let here = bytes.len();
        let back = match kind {
            0 => 0,
            1 => here - key,
            _ => here - anchor,
        };
        bytes.extend_from_slice(&block(*kind, back as u32, payload));
        if *kind == 0 {
            key = here;
        }
        if *kind < 2 {
            anchor = here;
        }
    }
    bytes
}

#[test]
fn a_recording_made_by_the_specification_alone_is_read() {
    assert_eq!(read(joined(&payloads())), 20);
}

#[test]
fn any_bytes_are_no_recording_and_do_no_harm() {
    cases(2_000)
        .run(&vec(any::<u8>(), 0..400), |bytes| {
            read(bytes.clone());
            read(sealed(&bytes));
            Ok(())
        })
        .unwrap();
}

#[test]
fn true_payloads_with_anything_changed_do_no_harm() {
    let payloads = payloads();
    let mut dice = Dice::new(11);
    let mut read_whole = 0;
    for _ in 0..1_500 {
        let mut changed = payloads.clone();
        for _ in 0..=dice.below(3) {
            let (_, payload) = &mut changed[dice.below(20) as usize];
            let at = dice.below(payload.len() as u64) as usize;
            match dice.below(4) {
                0 => payload[at] = [0, 1, 0x7f, 0x80, 0xff][dice.below(5) as usize],
                1 => payload[at] ^= 1 << dice.below(8),
                2 => payload.truncate(at),
                _ => payload.insert(at, 0xff),
            }
        }
        read_whole += usize::from(read(joined(&changed)) == 20);
    }
    assert!(read_whole > 0, "some changes make other values, and those are read");
}

#[test]
fn lengths_that_can_not_be_are_refused_before_memory_is_taken_for_them() {
    let most = u64::MAX.to_le_bytes();
    let huge = [0xff, 0xff, 0xff, 0xff, 0x7f];
    // A schema, texts and a table that each say that there is more of them than fits any memory.
    for part in [1_u8, 2, 3, 9] {
        for payload in
            [[&[part][..], &huge].concat(), [&[part, 6][..], &huge, &[0]].concat(), [&[part, 8][..], &most].concat()]
        {
            let mut reader = Reader::of_bytes(block(0, 0, &payload));
            assert_eq!(reader.next(), None);
            assert_eq!(reader.losses().map(|loss| loss.why).collect::<Vec<_>>(), [Lost::Malformed], "part {part}");
        }
    }
    // A head that says that its payload is 4 GiB long, with the right checksum.
    let mut bytes = block(0, 0, b"x");
    bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[..40]);
    bytes[40..44].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(read(bytes), 0);
}

#[test]
fn bases_that_go_round_or_nowhere_end() {
    let payload = &payloads()[0].1;
    for (kind, back) in [(1, 0), (2, 0), (2, 1), (1, u32::MAX), (2, 48 + payload.len() as u32)] {
        let bytes = [block(kind, back, payload), block(kind, back, payload)].concat();
        assert_eq!(read(bytes), 0, "{kind} {back}");
    }
}
