//! Recordings in memory: written, read whole, and what they must still give after damage.

use memtide::model::sample::Sample;
use memtide::record::format::BlockKind;
use memtide::record::reader::{Loss, Reader};
use memtide::record::redact::Redaction;
use memtide::record::writer::Writer;

use super::machine::{self, Crowd};

/// A recording, where each of its blocks ends, and of what kind it is.
pub struct Written {
    pub bytes: Vec<u8>,
    pub ends: Vec<usize>,
    pub kinds: Vec<BlockKind>,
}

impl Written {
    /// Whether a block can't be read without another: because it is that one, or rests on it.
    pub fn needs(&self, block: usize, other: usize) -> bool {
        let before = |wanted: &[BlockKind]| (0..block).rev().find(|nth| wanted.contains(&self.kinds[*nth])).unwrap();
        block == other
            || match self.kinds[block] {
                BlockKind::Key => false,
                BlockKind::Anchor => before(&[BlockKind::Key]) == other,
                BlockKind::Delta => self.needs(before(&[BlockKind::Key, BlockKind::Anchor]), other),
            }
    }

    /// Where a block begins.
    pub fn start(&self, block: usize) -> usize {
        block.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

/// Writes samples, with nothing hidden.
pub fn write(samples: &[Sample]) -> Written {
    let mut writer = Writer::new(Vec::new(), None, Redaction::Nothing).unwrap();
    let (mut ends, mut kinds) = (Vec::new(), Vec::new());
    for sample in samples {
        kinds.push(writer.append(sample).unwrap());
        ends.push(writer.sink().len());
    }
    Written { bytes: writer.sink().clone(), ends, kinds }
}

/// So many seconds of the machine made of numbers.
pub fn seconds(crowd: Crowd, count: u64) -> Vec<Sample> {
    (0..count).map(|second| machine::recorded(crowd, second)).collect()
}

/// Everything that can be read, and what can't.
pub fn read(bytes: Vec<u8>) -> (Vec<Sample>, Vec<Loss>) {
    let mut reader = Reader::of_bytes(bytes);
    let samples = std::iter::from_fn(|| reader.next()).collect();
    (samples, reader.losses().cloned().collect())
}
