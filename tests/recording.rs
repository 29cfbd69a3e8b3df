//! The format of recordings: what was written comes back, whatever was written and whatever became of it since.
#![allow(unreachable_pub, dead_code, reason = "the parts of other test programs")]
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

mod support;

use memtide::model::sample::Sample;
use memtide::record::format::BlockKind;
use memtide::record::reader::Reader;
use memtide::record::redact::Redaction;
use memtide::record::writer::Writer;
use support::any::{cases, samples};

fn written(samples: &[Sample]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), None, Redaction::Nothing).unwrap();
    for sample in samples {
        writer.append(sample).unwrap();
    }
    writer.sink().clone()
}

fn read(bytes: Vec<u8>) -> Vec<Sample> {
    let mut reader = Reader::of_bytes(bytes);
    let samples = std::iter::from_fn(|| reader.next()).collect();
    assert_eq!(reader.losses().collect::<Vec<_>>(), Vec::<&_>::new());
    samples
}

#[test]
fn any_row_of_samples_comes_back_as_it_was_written() {
    cases(150)
        .run(&samples(40), |samples| {
            assert_eq!(read(written(&samples)), samples);
            Ok(())
        })
        .unwrap();
}
