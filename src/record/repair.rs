//! Saves all of a recording that can be read: its blocks as they are, with what a newer version wrote in them, one behind
//! the other in a new file.

use std::collections::HashMap;
use std::path::Path;

use super::error::RecordError;
use super::format::{BlockKind, Head};
use super::place::Output;
use super::reader::{Loss, Reader};
use super::writer::Sink;

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// Samples.
    pub samples: u64,
    /// Bytes of the new file.
    pub bytes: u64,
    /// What could not be read and is not in it.
    pub losses: Vec<Loss>,
}

/// Copies what can be read to a new file.
pub fn repair(from: &Path, to: &Path) -> Result<Repaired, RecordError> {
    let mut reader = Reader::open(from)?;
    let mut output = Output::create(to)?;
    let mut samples = 0;
    // Where the keys and anchors have gone.
    let mut moved: HashMap<(usize, u64), u64> = HashMap::new();
    let mut last_key: Option<u64> = None;
    while let Some(block) = reader.next_block() {
        let offset = output.end();
        let base = match block.head.kind {
            BlockKind::Key => last_key,
            _ => match moved.get(&(block.segment, block.offset - u64::from(block.head.back))) {
                Some(base) => Some(*base),
                // It rests on a block that no walk from the beginning has met.
                None => continue,
            },
        };
        let back = base.map_or(0, |base| offset - base);
        let head = Head { back: u32::try_from(back).unwrap_or(0), ..block.head };
        let mut bytes = head.encode().to_vec();
        bytes.extend_from_slice(&block.stored);
        bytes.extend_from_slice(&(head.length() as u32).to_le_bytes());
        output.append(&bytes).map_err(|error| RecordError::io(to, error))?;
        if block.head.kind == BlockKind::Key {
            moved.clear();
            last_key = Some(offset);
        }
        if block.head.kind != BlockKind::Delta {
            moved.insert((block.segment, block.offset), offset);
        }
        samples += 1;
    }
    output.sync().map_err(|error| RecordError::io(to, error))?;
    Ok(Repaired { samples, bytes: output.end(), losses: reader.losses().cloned().collect() })
}
