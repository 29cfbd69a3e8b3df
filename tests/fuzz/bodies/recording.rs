//! Reads a recording that anybody may have made: whatever it holds, the reader ends and does not panic.

use memtide::record::reader::Reader;

/// Samples that are read of one input: what a block costs is bounded, their number is not.
const MOST: usize = 64;

/// Reads forwards, backwards and from a moment; how many samples there were.
pub fn read(bytes: Vec<u8>) -> usize {
    let mut reader = Reader::of_bytes(bytes);
    let count = (0..MOST).map_while(|_| reader.next()).count();
    let back = (0..MOST).map_while(|_| reader.previous()).count();
    assert!(back <= count.max(1));
    reader.seek(0);
    reader.next();
    if let Some([first, last]) = reader.span() {
        reader.seek(first.midpoint(last));
        reader.next();
    }
    assert_eq!(reader.losses().count(), reader.losses().filter(|loss| loss.bytes > 0).count());
    count
}

/// Blocks with the right checksums of payloads that are not to be trusted: what is behind the checksums is reached. Each
/// begins with a byte for its kind and base, and one for its length.
pub fn sealed(mut data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut starts: Vec<usize> = Vec::new();
    while let [how, length, rest @ ..] = data {
        let (payload, rest) = rest.split_at(rest.len().min(usize::from(*length) * 4));
        data = rest;
        let kind = how % 3;
        let base = starts.iter().rev().nth(usize::from(how / 3 % 4));
        let back = base.map_or(0, |base| bytes.len() - base);
        starts.push(bytes.len());
        bytes.extend_from_slice(&block(kind, back as u32, payload));
    }
    bytes
}

/// A block as the specification has it, with its payload as it is.
pub fn block(kind: u8, back: u32, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u32;
    let mut bytes = vec![0xf4, b'm', b't', b'r', 1, kind, 0, 0];
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&back.to_le_bytes());
    bytes.extend_from_slice(&7_000_u64.to_le_bytes());
    bytes.extend_from_slice(&1_785_000_000_000_i64.to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&(length + 48).to_le_bytes());
    bytes
}
