//! Whether an executable was built by Go, and by which release: its section `.go.buildinfo`, which is read without the
//! rest of the file. 64-bit little-endian files alone: what Linux servers run.

use std::os::fd::OwnedFd;

use crate::model::text::Text;

/// The ELF header (elf(5)).
const HEADER: usize = 64;
/// A section header.
const SECTION: usize = 64;
/// More sections than a linker makes.
const MOST_SECTIONS: usize = 512;
/// More bytes of section names than those have.
const MOST_NAMES: usize = 64 << 10;

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// A flag of the build information: the version follows it in place (Go 1.18).
const IN_PLACE: u8 = 2;

/// The release of Go that built this executable, as `go1.22.1`, or `go` where only that is told.
pub(super) fn read_go_release(file: &OwnedFd) -> Option<Text> {
    let read = |at: u64, length: usize| {
        let mut bytes = vec![0; length];
        let count = rustix::io::pread(file, &mut bytes[..], at).ok()?;
        bytes.truncate(count);
        Some(bytes)
    };
    let header = read(0, HEADER)?;
    if header.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (sections_at, count, names) = (long(&header, 40)?, short(&header, 60)?, short(&header, 62)?);
    let sections = read(sections_at, usize::from(count).min(MOST_SECTIONS) * SECTION)?;
    let section = |index: usize| sections.get(index * SECTION..(index + 1) * SECTION);
    let place = |section: &[u8]| Some((long(section, 24)?, long(section, 32)?));
    let (names_at, names_size) = place(section(usize::from(names))?)?;
    let names = read(names_at, usize::try_from(names_size).ok()?.min(MOST_NAMES))?;
    let is_wanted = |section: &&[u8]| {
        let name = word(section, 0).and_then(|at| names.get(at as usize..));
        name.is_some_and(|name| name.starts_with(b".go.buildinfo\0"))
    };
    let found = (0..usize::from(count).min(MOST_SECTIONS)).filter_map(section).find(is_wanted)?;
    let (at, size) = place(found)?;
    parse_build_info(&read(at, usize::try_from(size).ok()?.min(256))?)
}

/// Decodes the build information (debug/buildinfo).
fn parse_build_info(bytes: &[u8]) -> Option<Text> {
    let rest = bytes.strip_prefix(MAGIC)?;
    if rest.get(1)? & IN_PLACE == 0 {
        return Some("go".into());
    }
    let version = bytes.get(32..)?;
    // A length below 128 is one byte of a varint; no version is longer.
    let (length, text) = version.split_first()?;
    text.get(..usize::from(*length)).filter(|text| text.starts_with(b"go")).map(Text::new)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// An executable of three sections, the second of which is this.
    fn executable(name: &[u8], content: &[u8]) -> Vec<u8> {
        let names = [b"\0".as_slice(), name, b"\0.shstrtab\0"].concat();
        let content_at = HEADER as u64;
        let names_at = content_at + content.len() as u64;
        let sections_at = names_at + names.len() as u64;
        let mut header = vec![0; HEADER];
        header[..6].copy_from_slice(b"\x7fELF\x02\x01");
        header[40..48].copy_from_slice(&sections_at.to_le_bytes());
        header[60..62].copy_from_slice(&3u16.to_le_bytes());
        header[62..64].copy_from_slice(&2u16.to_le_bytes());
        let section = |name: u32, at: u64, size: usize| {
            let mut section = vec![0; SECTION];
            section[..4].copy_from_slice(&name.to_le_bytes());
            section[24..32].copy_from_slice(&at.to_le_bytes());
            section[32..40].copy_from_slice(&(size as u64).to_le_bytes());
            section
        };
        let second = section(1, content_at, content.len());
        let third = section(2 + name.len() as u32, names_at, names.len());
        [header, content.to_vec(), names.clone(), vec![0; SECTION], second, third].concat()
    }

    fn release(bytes: &[u8]) -> Option<Text> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read_go_release(&file.into())
    }

    fn build_info(flags: u8, version: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 32];
        bytes[..14].copy_from_slice(MAGIC);
        bytes[14] = 8;
        bytes[15] = flags;
        bytes.push(version.len() as u8);
        bytes.extend_from_slice(version);
        bytes
    }

    #[test]
    fn what_go_built_says_by_which_release() {
        let built = executable(b".go.buildinfo", &build_info(IN_PLACE, b"go1.22.1"));
        assert_eq!(release(&built), Some("go1.22.1".into()));
        let old = executable(b".go.buildinfo", &build_info(0, b""));
        assert_eq!(release(&old), Some("go".into()));
    }

    #[test]
    fn what_something_else_built_says_nothing() {
        assert_eq!(release(&executable(b".note.gnu", &build_info(IN_PLACE, b"go1.22.1"))), None);
        assert_eq!(release(b"#!/bin/sh\n"), None);
        let own = std::fs::File::open("/proc/self/exe").unwrap();
        assert_eq!(read_go_release(&own.into()), None);
    }

    proptest! {
        #[test]
        fn a_damaged_executable_is_no_panic(at in 0usize..300, byte in any::<u8>(), cut in 0usize..400) {
            let mut bytes = executable(b".go.buildinfo", &build_info(IN_PLACE, b"go1.22.1"));
            let place = at % bytes.len();
            bytes[place] = byte;
            bytes.truncate(bytes.len().saturating_sub(cut % 64));
            release(&bytes);
        }
    }
}
