//! The format of a recording, version 1. This page is its specification; what it says is what the code does.
//!
//! # A file is a row of blocks
//!
//! A recording is a file of blocks, one a sample, each appended by one write(2) and never changed. There is nothing
//! else in it: no head, no index, no end. Numbers are little-endian; a *varint* is LEB128, seven bits a byte, the low
//! ones first, ten bytes at most; *zigzag* maps a signed number to an unsigned one: 0, -1, 1, -2 to 0, 1, 2, 3.
//!
//! | at | bytes | |
//! | ---: | ---: | --- |
//! | 0 | 4 | `F4 6D 74 72`: here a block begins |
//! | 4 | 1 | version of the format; a reader refuses a block of a version that it does not know |
//! | 5 | 1 | kind: 0 key, 1 anchor, 2 delta |
//! | 6 | 1 | how the payload is stored: 0 as it is, 1 as one zstd frame (RFC 8878) |
//! | 7 | 1 | zero |
//! | 8 | 4 | *s*, bytes of the payload as it is stored |
//! | 12 | 4 | bytes of the payload |
//! | 16 | 4 | bytes back to the beginning of the block's base, below |
//! | 20 | 8 | when the sample was taken: milliseconds since boot (`CLOCK_BOOTTIME`) |
//! | 28 | 8 | the same by the wall clock: milliseconds since the Unix epoch, signed |
//! | 36 | 4 | CRC-32C of the payload as it is stored |
//! | 40 | 4 | CRC-32C of the 40 bytes before |
//! | 44 | *s* | the payload |
//! | 44 + *s* | 4 | bytes of the whole block, 48 + *s*: for who comes from behind |
//!
//! A block is complete when all of it is there and both checksums are right. What is not complete does not count,
//! wherever it stands: a reader goes on at the next complete block and says what it left out.
//!
//! # Bases
//!
//! A *key* holds its sample whole and needs no other block. An *anchor* holds what differs from the key before it, a
//! *delta* what differs from the anchor before it, or from the key where no anchor lies between. So a sample takes
//! three blocks at most to read, a damaged delta costs only itself, and of a group (a key and what rests on it) nothing
//! is needed by another. A key's base is the key before it, which it does not need: by it the keys are found from the
//! end of the file, and with them any moment. Zero is no base: the first key of a file, and any key whose base is too
//! far. Distances and no places: files of whole groups may be joined by cat(1), as segments of a day are.
//!
//! The writer begins an anchor after 16 samples at most and a key after 128, and earlier where what rests on them has cost
//! as much as a new one does; and a key when it is started, after a reboot, and after an error of the disk. A reader relies
//! on none of it.
//!
//! # The payload
//!
//! A row of parts: a varint for the kind of part, a varint for its length in bytes, and so many bytes. A reader skips
//! parts of a kind that it does not know.
//!
//! *1, the schema.* In a key, as its first part: which tables there are and what their columns are called. A varint for
//! the number of tables; of each its name, a varint for the number of its key columns (0 to 2) and their names, a varint
//! for the number of columns, and of each the name, a byte for its kind and its unit. Names and units are text: a varint
//! for the length and so many bytes of UTF-8. Tables and columns are numbered from 0 in this order, by which all blocks
//! of the group call them. A reader takes those of the names and kinds that it knows; the others it skips and names.
//! A column that it knows and does not find was not recorded: it reads as unsupported.
//!
//! | kind of column | its cells |
//! | --- | --- |
//! | 0 number | an unsigned number |
//! | 1 signed | a signed number, in two's complement |
//! | 2 real | the 32 bits of an IEEE 754 single |
//! | 3 moment | milliseconds since boot; changes are counted from the sample's own moment, not from the old value |
//! | 4 text | the number of a text; 0 is the empty one |
//! | 5 state | how the reading went whose values follow, below |
//!
//! Every cell is a number of 64 bits. A column called `x?` is the state of the columns `x` or `x.…` after it, one called
//! `x@` the moment of that reading, one called `x!` is 1 where `x` is there and 0 where it is not. Where there is no
//! value its columns are 0 and mean nothing.
//!
//! | state | |
//! | --- | --- |
//! | 0 | a value, read at its moment |
//! | 1 + 256 *age* | a value that is so many milliseconds old |
//! | 2 | not read yet |
//! | 3 + 256 *why* | denied: *why* 0 for lack of ptrace access, 1 because it is root's |
//! | 4 | gone before it could be read |
//! | 5 + 256 *major* + 65536 *minor* | needs a newer kernel |
//! | 6 + 256 *what* | needs a feature: 0 PSI, 1 memory controller, 2 the line, 3 ZFS, 4 System V IPC, 5 not in the recording, 6 slab figures, 7 a balloon, 8 another mount below, 9 a limit, 10 /dev/shm, 11 a live machine, 12 control groups of version 2 |
//! | 7 | does not apply |
//! | 8 + 256 *what* | nothing to compare: 0 there is no limit, 1 no mark, 2 the mark has no such value |
//!
//! *2, texts.* Those that this block's rows use and that its bases do not hold. A varint for their number, then their
//! numbers, each as a varint of what it exceeds the one before by, then their lengths as varints, then their bytes.
//! A text is what the kernel gave, any bytes; it was redacted before it came here.
//!
//! *3, a table.* What changed of it since the base; in a key, since nothing: no rows.
//!
//! - A varint for the number of the table.
//! - A varint for how many rows ended, then their places in the base, as *gaps*: each a varint of what it exceeds the
//!   one before by, less 1; the first counts from -1.
//! - A varint for how many rows are new, then their keys: of the first key column a varint of what it exceeds the row
//!   before by, of the second the zigzag of the difference. Rows are in ascending order of their keys, so that the keys
//!   tell the places. All cells of a new row are 0 before the changes.
//! - Until the part ends, columns that changed: a varint for what the column's number exceeds the one before by, less 1,
//!   a varint for the length of the rest in bytes, then a byte *z*, then the places of the rows that changed, as a varint
//!   for the number of runs and two varints for each (the rows left out before it, its length less 1), then the changes:
//!   a varint each, the zigzag of new - old (wrapping), shifted right by *z*, with as many places in *z* as are zero in
//!   all of them. In a moment column: of the sample's moment - new.
//!
//! # What is recorded more seldom
//!
//! The tables `closer_look`, `slab_cache`, `tmpfs`, `segment`, `shm_file`, `setting`, `zone` and `cgroup` hold the closer look
//! that was the last at the sample's moment: it is made every minute, and its rows stay as they are until the next.
//! `closer_look` has a row where there is one, and tells of each part when it was read, how that went, how many rows it has
//! and how many were left out. The table `action` holds what was done since the sample before, mostly nothing.
//!
//! # Bounds
//!
//! A payload is at most [`MOST_PAYLOAD`] bytes, a table [`MOST_ROWS`] rows, a schema [`MOST_COLUMNS`] columns. A reader
//! refuses what is more before it takes memory for it.
//!
//! # What a newer version may do
//!
//! Add tables, columns, parts, states; write keys and anchors at any distance. All of that an older reader skips or
//! takes, and names. Anything else takes another version in the block's head.

use crate::model::reading::BootMs;

/// Here a block begins.
pub(super) const MAGIC: [u8; 4] = [0xf4, b'm', b't', b'r'];

/// The version that is written, and the only one that is read.
pub const VERSION: u8 = 1;

/// Bytes of a block before its payload.
pub(super) const HEAD: usize = 44;

/// Bytes of a block beside its payload.
pub(super) const FRAME: usize = HEAD + 4;

/// The most bytes of a payload, stored or not.
pub const MOST_PAYLOAD: usize = 32 << 20;

/// The most rows of a table.
pub const MOST_ROWS: usize = 1 << 17;

/// The most columns of all tables together.
pub const MOST_COLUMNS: usize = 4096;

/// What a block rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Nothing.
    Key,
    /// The key before it.
    Anchor,
    /// The anchor or key before it.
    Delta,
}

/// How a payload is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Zstd,
}

/// A block without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: BlockKind,
    pub(super) packing: Packing,
    /// Bytes of the payload as it is stored.
    pub(super) stored: u32,
    /// Bytes of the payload.
    pub(super) unpacked: u32,
    /// Bytes back to the base; zero where there is none.
    pub(super) back: u32,
    pub(super) at: BootMs,
    pub(super) wall_ms: i64,
    /// CRC-32C of the payload as it is stored.
    pub(super) checksum: u32,
}

/// Why bytes are no head of a block that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoHead {
    /// There is no block here, or a damaged one.
    Damaged,
    /// A block of this version, whose length is not known.
    Version(u8),
}

impl Head {
    /// Bytes of the whole block.
    pub(super) fn length(&self) -> u64 {
        u64::from(self.stored) + FRAME as u64
    }

    pub(super) fn encode(&self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[5] = match self.kind {
            BlockKind::Key => 0,
            BlockKind::Anchor => 1,
            BlockKind::Delta => 2,
        };
        bytes[6] = match self.packing {
            Packing::Plain => 0,
            Packing::Zstd => 1,
        };
        bytes[8..12].copy_from_slice(&self.stored.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.unpacked.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.back.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.at.0.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.wall_ms.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.checksum.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..40]);
        bytes[40..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEAD]) -> Result<Self, NoHead> {
        let four = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let eight = |at: usize| u64::from(four(at)) | u64::from(four(at + 4)) << 32;
        if bytes[..4] != MAGIC || four(40) != crc32c::crc32c(&bytes[..40]) {
            return Err(NoHead::Damaged);
        }
        if bytes[4] != VERSION {
            return Err(NoHead::Version(bytes[4]));
        }
        let kind = match bytes[5] {
            0 => BlockKind::Key,
            1 => BlockKind::Anchor,
            2 => BlockKind::Delta,
            _ => return Err(NoHead::Damaged),
        };
        let packing = match bytes[6] {
            0 => Packing::Plain,
            1 => Packing::Zstd,
            _ => return Err(NoHead::Damaged),
        };
        let head = Self {
            kind,
            packing,
            stored: four(8),
            unpacked: four(12),
            back: four(16),
            at: BootMs(eight(20)),
            wall_ms: eight(28) as i64,
            checksum: four(36),
        };
        let is_bounded = head.stored as usize <= MOST_PAYLOAD && head.unpacked as usize <= MOST_PAYLOAD;
        if is_bounded { Ok(head) } else { Err(NoHead::Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADED: Head = Head {
        kind: BlockKind::Anchor,
        packing: Packing::Zstd,
        stored: 7,
        unpacked: 70,
        back: 700,
        at: BootMs(1 << 40),
        wall_ms: -5,
        checksum: 0xdead_beef,
    };

    #[test]
    fn a_head_comes_back_as_it_was_written() {
        assert_eq!(Head::decode(&HEADED.encode()), Ok(HEADED));
        assert_eq!(HEADED.length(), 55);
    }

    #[test]
    fn no_bit_of_a_head_can_turn_unnoticed() {
        let whole = HEADED.encode();
        for bit in 0..HEAD * 8 {
            let mut bytes = whole;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Head::decode(&bytes), Err(NoHead::Damaged), "bit {bit}");
        }
    }

    #[test]
    fn another_version_is_named_and_a_length_beyond_bounds_is_none() {
        let sealed = |change: fn(&mut [u8; HEAD])| {
            let mut bytes = HEADED.encode();
            change(&mut bytes);
            let checksum = crc32c::crc32c(&bytes[..40]);
            bytes[40..].copy_from_slice(&checksum.to_le_bytes());
            Head::decode(&bytes)
        };
        assert_eq!(sealed(|bytes| bytes[4] = 2), Err(NoHead::Version(2)));
        assert_eq!(sealed(|bytes| bytes[11] = 0xff), Err(NoHead::Damaged));
        assert_eq!(sealed(|bytes| bytes[5] = 3), Err(NoHead::Damaged));
    }

    #[test]
    fn the_checksum_is_crc32c() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }
}
