//! The format of recordings: what was written comes back, whatever was written and whatever became of it since.
#![allow(unreachable_pub, dead_code, reason = "the parts of other test programs")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memtide::model::deed::Deed;
use memtide::model::sample::Sample;
use memtide::record::format::{BlockKind, MOST_ROWS};
use memtide::record::reader::{Lost, Reader};
use memtide::record::redact::Redaction;
use memtide::record::writer::{Sink, Writer};
use proptest::prelude::*;
use support::any::{Dice, cases, samples};
use support::machine::{self, Crowd};
use support::recordings::{read, seconds, write};
use support::survey;

#[test]
fn any_row_of_samples_comes_back_as_it_was_written() {
    cases(150)
        .run(&samples(40), |samples| {
            let (given, losses) = read(write(&samples).bytes);
            prop_assert_eq!(given, samples);
            prop_assert_eq!(losses, []);
            Ok(())
        })
        .unwrap();
}

#[test]
fn hours_come_back_as_they_were_over_keys_anchors_and_deltas() {
    let samples = seconds(Crowd::Odd, 400);
    let whole = write(&samples);
    let places = |wanted| (0..400).filter(|nth| whole.kinds[*nth] == wanted).collect::<Vec<usize>>();
    let (keys, anchors) = (places(BlockKind::Key), places(BlockKind::Anchor));
    assert!(keys[0] == 0 && (4..10).contains(&keys.len()) && anchors.len() > 20, "{keys:?} {anchors:?}");
    assert!(keys.windows(2).all(|pair| pair[1] - pair[0] <= 128), "{keys:?}");
    assert_eq!(read(whole.bytes), (samples, Vec::new()));
}

#[test]
fn what_did_not_change_is_one_allocation_from_sample_to_sample_and_over_keys() {
    let first = machine::recorded(Crowd::Server, 0);
    let at = |second: u64| Sample { at: machine::recorded(Crowd::Server, second).at, ..first.clone() };
    let mut reader = Reader::of_bytes(write(&(0..200).map(at).collect::<Vec<_>>()).bytes);
    let mut before = reader.next().unwrap();
    while let Some(sample) = reader.next() {
        assert!(sample.processes.iter().zip(&before.processes).all(|(new, old)| Arc::ptr_eq(new, old)));
        assert!(Arc::ptr_eq(&sample.host, &before.host));
        before = sample;
    }
}

#[test]
fn a_recording_that_was_cut_at_any_byte_gives_every_complete_block_and_names_the_rest() {
    let samples = seconds(Crowd::Server, 20);
    let whole = write(&samples);
    for cut in 0..=whole.bytes.len() {
        let (given, losses) = read(whole.bytes[..cut].to_vec());
        let complete = whole.ends.iter().filter(|end| **end <= cut).count();
        assert!(given == samples[..complete], "cut at {cut}: {} of {complete}", given.len());
        let end = whole.ends[..complete].last().copied().unwrap_or(0);
        let lost: Vec<_> = losses.iter().map(|loss| (loss.offset, loss.bytes, loss.why)).collect();
        let torn = (end as u64, (cut - end) as u64, Lost::Torn);
        assert_eq!(lost, if cut > end { vec![torn] } else { vec![] }, "cut at {cut}");
    }
}

#[test]
fn a_bit_that_turned_costs_what_rests_on_it_and_is_never_taken_for_a_value() {
    let samples = seconds(Crowd::Server, 40);
    let whole = write(&samples);
    let block_of = |byte: usize| whole.ends.iter().position(|end| byte < *end).unwrap();
    for byte in (0..whole.bytes.len()).step_by(5) {
        let mut bytes = whole.bytes.clone();
        bytes[byte] ^= 1 << (byte % 8);
        let damaged = block_of(byte);
        let (given, losses) = read(bytes);
        let left: Vec<&Sample> = (0..40).filter(|nth| !whole.needs(*nth, damaged)).map(|nth| &samples[nth]).collect();
        assert!(given.iter().eq(left), "byte {byte}, block {damaged}: {} given", given.len());
        let start = whole.start(damaged) as u64;
        let is_named = losses.iter().any(|loss| (loss.offset, loss.why) == (start, Lost::Damaged));
        assert!(is_named || damaged == 39, "byte {byte}: {losses:?}");
        assert!(!losses.is_empty());
        assert!(losses.iter().all(|loss| loss.offset == start || loss.why == Lost::Base), "{losses:?}");
    }
}

#[test]
fn what_is_missing_in_the_middle_costs_what_rests_on_it_and_no_key() {
    let samples = seconds(Crowd::Server, 300);
    let whole = write(&samples);
    let keys: Vec<usize> = (0..300).filter(|nth| whole.kinds[*nth] == BlockKind::Key).collect();
    let (gap, next_key) = (keys[1] + 5, keys[2]);
    let bytes = [&whole.bytes[..whole.start(gap)], &[0xaa; 1000], &whole.bytes[whole.start(gap + 10)..]].concat();
    let (given, losses) = read(bytes);
    // What rests on a block that now lies elsewhere finds it no more, up to the next key.
    assert_eq!(given[..gap], samples[..gap]);
    assert_eq!(given[given.len() - (300 - next_key)..], samples[next_key..]);
    assert_eq!((losses[0].offset, losses[0].bytes, losses[0].why), (whole.start(gap) as u64, 1000, Lost::Damaged));
    assert_eq!(losses[0].after_wall_ms, Some(samples[gap - 1].wall_ms));
}

#[test]
fn every_moment_is_found_and_every_step_leads_to_the_neighbour() {
    let samples = seconds(Crowd::Leaks, 300);
    let mut reader = Reader::of_bytes(write(&samples).bytes);
    assert_eq!(reader.span(), Some([samples[0].wall_ms, samples[299].wall_ms]));
    let mut dice = Dice::new(7);
    let mut next = 0;
    for _ in 0..400 {
        match dice.below(3) {
            0 => {
                let at = samples[0].wall_ms - 1500 + dice.below(303_000) as i64;
                reader.seek(at);
                next = samples.iter().rposition(|sample| sample.wall_ms <= at).unwrap_or(0);
                assert_eq!(reader.previous(), None, "before the first step there is no sample to step back from");
                assert_eq!(reader.next().as_ref(), samples.get(next), "sought {at}");
                next += 1;
            }
            1 => {
                assert_eq!(reader.next().as_ref(), samples.get(next));
                next = (next + 1).min(samples.len());
            }
            _ if next > 0 => {
                // At the end the last one was given last all the same.
                let given = next - 1;
                assert_eq!(reader.previous().as_ref(), given.checked_sub(1).map(|place| &samples[place]));
                next = given.max(1);
            }
            _ => {}
        }
    }
}

#[test]
fn recordings_joined_by_cat_are_one() {
    let samples = seconds(Crowd::Server, 150);
    let bytes = [write(&samples[..70]).bytes, write(&samples[70..]).bytes].concat();
    let mut reader = Reader::of_bytes(bytes.clone());
    reader.seek(samples[20].wall_ms);
    assert_eq!(reader.next().as_ref(), Some(&samples[20]));
    assert_eq!(read(bytes), (samples, Vec::new()));
}

#[test]
fn a_file_that_is_being_written_is_read_up_to_its_end_and_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.memtide");
    let samples = seconds(Crowd::Server, 40);
    let whole = write(&samples);
    std::fs::write(&path, &whole.bytes[..whole.ends[9] + 30]).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    let mut given: Vec<Sample> = std::iter::from_fn(|| reader.next()).collect();
    assert_eq!((given.len(), reader.losses().count()), (10, 1));
    std::fs::write(&path, &whole.bytes).unwrap();
    given.extend(std::iter::from_fn(|| reader.next()));
    assert!(given == samples, "{} given", given.len());
    assert_eq!(reader.losses().count(), 0, "what was being written is whole now");
    reader.seek(samples[35].wall_ms);
    assert_eq!(reader.next().as_ref(), Some(&samples[35]));
}

/// A disk that fails now and then, and does not always take back what it had begun.
struct Failing {
    bytes: Vec<u8>,
    dice: Dice,
}

impl Sink for Failing {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.dice.below(6) {
            0 => Err(io::ErrorKind::StorageFull.into()),
            1 => {
                let written = self.dice.below(bytes.len() as u64) as usize;
                self.bytes.extend_from_slice(&bytes[..written]);
                Err(io::Error::from_raw_os_error(5))
            }
            _ => Sink::append(&mut self.bytes, bytes),
        }
    }

    fn end(&self) -> u64 {
        self.bytes.end()
    }
}

#[test]
fn a_disk_that_fails_costs_the_samples_that_it_refused_and_no_other() {
    for seed in 0..25 {
        let sink = Failing { bytes: Vec::new(), dice: Dice::new(seed) };
        let mut writer = Writer::new(sink, None, Redaction::Nothing).unwrap();
        let samples = seconds(Crowd::Server, 100);
        let taken: Vec<Sample> = samples.into_iter().filter(|sample| writer.append(sample).is_ok()).collect();
        let (given, losses) = read(writer.sink().bytes.clone());
        assert!((50..90).contains(&taken.len()) && given == taken, "seed {seed}: {} of {}", given.len(), taken.len());
        assert!(!losses.is_empty(), "what it did not take back is named");
    }
}

#[test]
fn more_processes_than_a_recording_holds_are_refused_and_not_cut() {
    let mut sample = machine::recorded(Crowd::Server, 0);
    sample.processes = vec![Arc::clone(&sample.processes[0]); MOST_ROWS + 1];
    let mut writer = Writer::new(Vec::new(), None, Redaction::Nothing).unwrap();
    assert_eq!(writer.append(&sample).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert!(writer.sink().is_empty());
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings").join(name)
}

/// Made once, by the version that first wrote this format; what it holds stands beside it as JSON Lines.
#[test]
fn a_recording_of_format_version_1_is_read_as_it_was_written() {
    let (file, truth) = (fixture("v1.memtide"), fixture("v1.jsonl.zst"));
    if std::env::var_os("BLESS").is_some() && !file.exists() {
        let mut dice = Dice::new(1);
        let mut samples = seconds(Crowd::Odd, 20);
        samples.extend(seconds(Crowd::Leaks, 20).into_iter().skip(18));
        for _ in 0..3 {
            samples.push(dice.sample(samples.last()));
        }
        let lines: Vec<u8> =
            samples.iter().flat_map(|sample| [serde_json::to_vec(sample).unwrap(), b"\n".to_vec()].concat()).collect();
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, write(&samples).bytes).unwrap();
        std::fs::write(&truth, zstd::encode_all(&*lines, 19).unwrap()).unwrap();
    }
    let lines = zstd::decode_all(&*std::fs::read(truth).unwrap()).unwrap();
    let truth: Vec<Sample> =
        serde_json::Deserializer::from_slice(&lines).into_iter().collect::<Result<_, _>>().unwrap();
    let (given, losses) = read(std::fs::read(file).unwrap());
    assert_eq!(losses, []);
    assert_eq!(given, truth);
}

/// Five minutes with a closer look every minute, and something that was done in the third.
fn with_closer_looks() -> Vec<Sample> {
    let mut samples = seconds(Crowd::Server, 300);
    for minute in 0..5 {
        let closer = Arc::new(survey::closer(minute * 60));
        let minute = minute as usize * 60;
        samples[minute..minute + 60].iter_mut().for_each(|sample| sample.closer = Some(Arc::clone(&closer)));
    }
    let (began_ms, target) = (samples[129].wall_ms + 400, samples[0].processes[0].key);
    for (second, is_settled) in [(130, false), (160, true)] {
        samples[second].deeds.push(Deed {
            wall_ms: began_ms,
            action: "signal".into(),
            title: "SIGTERM to 1 process".into(),
            target: Some(target),
            on: "1".into(),
            result: "1 systemd: ended by SIGTERM within 3 ms".into(),
            is_done: true,
            is_settled,
            measured: "available 100M -> 900M".into(),
        });
    }
    samples
}

#[test]
fn a_closer_look_comes_back_with_every_sample_up_to_the_next_and_is_paid_for_once() {
    let samples = with_closer_looks();
    let bytes = write(&samples).bytes;
    let without: Vec<Sample> = samples.iter().map(|sample| Sample { closer: None, ..sample.clone() }).collect();
    let cost = (bytes.len() - write(&without).bytes.len()) / 5;
    assert!(cost < 4096, "{cost} bytes a look");
    let mut reader = Reader::of_bytes(bytes.clone());
    let given: Vec<Sample> = std::iter::from_fn(|| reader.next()).collect();
    for pair in given[60..120].windows(2) {
        assert!(Arc::ptr_eq(pair[0].closer.as_ref().unwrap(), pair[1].closer.as_ref().unwrap()));
    }
    assert_eq!(given, samples);
    // A jump gives what a walk does.
    reader.seek(samples[250].wall_ms);
    assert_eq!(reader.next().as_ref(), Some(&samples[250]));
}

#[test]
fn what_may_be_a_secret_in_words_of_what_was_done_is_hidden() {
    let mut sample = machine::recorded(Crowd::Server, 0);
    sample.deeds.push(Deed {
        result: "7 app --token=abcdef: no such process".into(),
        ..with_closer_looks()[130].deeds[0].clone()
    });
    let mut writer = Writer::new(Vec::new(), None, Redaction::Secrets).unwrap();
    writer.append(&sample).unwrap();
    let given = Reader::of_bytes(writer.sink().clone()).next().unwrap();
    assert!(!given.deeds[0].told().contains("abcdef"), "{}", given.deeds[0].told());
    assert!(given.deeds[0].told().contains("7 app"));
}

/// Made once, by the version that first recorded closer looks and actions; see above.
#[test]
fn a_recording_with_closer_looks_and_actions_is_read_as_it_was_written() {
    let (file, truth) = (fixture("v1-closer.memtide"), fixture("v1-closer.jsonl.zst"));
    if std::env::var_os("BLESS").is_some() && !file.exists() {
        let mut samples = with_closer_looks();
        samples.retain(|sample| (sample.at.0 / 1000) % 10 == 0 || !sample.deeds.is_empty());
        let lines: Vec<u8> =
            samples.iter().flat_map(|sample| [serde_json::to_vec(sample).unwrap(), b"\n".to_vec()].concat()).collect();
        std::fs::write(&file, write(&samples).bytes).unwrap();
        std::fs::write(&truth, zstd::encode_all(&*lines, 19).unwrap()).unwrap();
    }
    let lines = zstd::decode_all(&*std::fs::read(truth).unwrap()).unwrap();
    let truth: Vec<Sample> =
        serde_json::Deserializer::from_slice(&lines).into_iter().collect::<Result<_, _>>().unwrap();
    assert!(truth.iter().any(|sample| !sample.deeds.is_empty()) && truth.iter().all(|sample| sample.closer.is_some()));
    let (given, losses) = read(std::fs::read(file).unwrap());
    assert_eq!(losses, []);
    assert_eq!(given, truth);
}
