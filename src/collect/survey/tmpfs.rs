//! File systems in RAM: which are mounted, and how full they are.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{makedev, stat, statfs};
use rustix::io::Errno;

use crate::collect::files::Buffer;
use crate::collect::parse::{MOST_BYTES, lines, narrow, take_number};
use crate::collect::root::ProcRoot;
use crate::model::reading::{Denial, Feature, Need, Reading};
use crate::model::survey::{Tmpfs, TmpfsUse};
use crate::model::text::Text;

/// A mount that is a file system in RAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RamMount {
    /// Where.
    pub path: Vec<u8>,
    /// `tmpfs`, `devtmpfs`, `ramfs`.
    pub kind: Vec<u8>,
    /// Device number.
    pub device: u64,
}

/// Reads what is mounted and how full it is, the fullest first.
pub(super) fn read_tmpfs(root: &ProcRoot, buffer: &mut Buffer) -> Reading<Arc<[Tmpfs]>> {
    let mounts = match buffer.read_path(&root.proc.join("self/mountinfo")) {
        Ok(bytes) => parse_mountinfo(bytes),
        Err(Errno::ACCESS | Errno::PERM) => return Reading::Denied(Denial::Root),
        Err(_) => return Reading::Unsupported(Need::Feature(Feature::Live)),
    };
    let mut found: Vec<Tmpfs> = Vec::new();
    for mount in mounts {
        let usage = if root.is_live { usage(&mount) } else { Reading::Unsupported(Need::Feature(Feature::Live)) };
        let known = found.iter_mut().find(|known| known.device == mount.device);
        match known {
            // The path that is shown is the shortest of those that lead there.
            Some(known) => {
                let is_better = (usage.value().is_some(), std::cmp::Reverse(mount.path.len()))
                    > (known.usage.value().is_some(), std::cmp::Reverse(known.path.as_bytes().len()));
                if is_better {
                    (known.path, known.usage) = (Text::new(mount.path), usage);
                }
            }
            None => found.push(Tmpfs {
                path: Text::new(mount.path),
                kind: Text::new(mount.kind),
                device: mount.device,
                usage,
            }),
        }
    }
    let used = |tmpfs: &Tmpfs| tmpfs.usage.value().map(|usage| usage.used);
    found.sort_by(|a, b| used(b).cmp(&used(a)).then_with(|| a.path.cmp(&b.path)));
    Reading::Value(found.into())
}

/// How full a mount is. Another may be mounted over it: then its path leads elsewhere.
fn usage(mount: &RamMount) -> Reading<TmpfsUse> {
    let path = Path::new(std::ffi::OsStr::from_bytes(&mount.path));
    let denied = |error| match error {
        Errno::ACCESS | Errno::PERM => Reading::Denied(Denial::Root),
        _ => Reading::Unsupported(Need::Feature(Feature::Covered)),
    };
    match stat(path) {
        Ok(stat) if stat.st_dev == mount.device => {}
        Ok(_) => return Reading::Unsupported(Need::Feature(Feature::Covered)),
        Err(error) => return denied(error),
    }
    match statfs(path) {
        Ok(found) if found.f_blocks == 0 => Reading::Unsupported(Need::Feature(Feature::Limit)),
        Ok(found) => {
            let bytes = |blocks: u64| blocks.saturating_mul(found.f_bsize as u64).min(MOST_BYTES);
            Reading::Value(TmpfsUse {
                used: bytes(found.f_blocks.saturating_sub(found.f_bfree)),
                size: bytes(found.f_blocks),
                inodes: found.f_files.saturating_sub(found.f_ffree),
            })
        }
        Err(error) => denied(error),
    }
}

/// Decodes `/proc/self/mountinfo` (proc_pid_mountinfo(5)): mounts of tmpfs, devtmpfs and ramfs.
pub fn parse_mountinfo(bytes: &[u8]) -> Vec<RamMount> {
    let mount = |line: &[u8]| {
        let mut words = line.split(|byte| *byte == b' ');
        let device = words.nth(2)?;
        let path = words.nth(1)?;
        // Optional fields, then a dash.
        words.find(|word| *word == b"-")?;
        let kind = words.next()?;
        if !matches!(kind, b"tmpfs" | b"devtmpfs" | b"ramfs") {
            return None;
        }
        Some(RamMount { path: unescape(path), kind: kind.to_vec(), device: parse_device(device, 10)? })
    };
    lines(bytes).filter_map(mount).collect()
}

/// `major:minor`, decimal in mountinfo and hexadecimal in maps.
pub(super) fn parse_device(word: &[u8], radix: u32) -> Option<u64> {
    let word = std::str::from_utf8(word).ok()?;
    let (major, minor) = word.split_once(':')?;
    Some(makedev(u32::from_str_radix(major, radix).ok()?, u32::from_str_radix(minor, radix).ok()?))
}

/// Blanks, tabs, newlines and backslashes are written as three octal digits, by mountinfo and by swaps alike.
pub(in crate::collect) fn unescape(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|digits| *byte == b'\\' && digits.iter().all(|d| (b'0'..b'8').contains(d)));
        if let Some(digits) = octal {
            let code = digits.iter().fold(0u64, |code, digit| code * 8 + take_number(&mut &[*digit][..]).unwrap_or(0));
            out.push(narrow(code) as u8);
            rest = &after[3..];
        } else {
            out.push(*byte);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_file_systems_in_ram_are_found_and_their_paths_are_plain() {
        let text = b"22 1 254:0 / / rw - ext4 /dev/root rw\n\
            25 24 0:23 / /dev/shm rw,relatime shared:7 master:2 - tmpfs tmpfs rw,size=4k\n\
            26 24 0:6 / /dev rw - devtmpfs devtmpfs rw\n\
            27 1 0:30 /sub /mnt/a\\040b\\134c rw - ramfs none rw\nbroken\n";
        let mounts = parse_mountinfo(text);
        let shown: Vec<_> = mounts.iter().map(|mount| String::from_utf8_lossy(&mount.path).into_owned()).collect();
        assert_eq!(shown, ["/dev/shm", "/dev", "/mnt/a b\\c"]);
        assert_eq!((mounts[0].device, mounts[2].kind.as_slice()), (makedev(0, 23), &b"ramfs"[..]));
    }

    #[test]
    fn a_mount_under_another_has_no_figures_of_the_other() {
        let mount = RamMount { path: b"/proc".to_vec(), kind: b"tmpfs".to_vec(), device: makedev(0, 65_000) };
        assert_eq!(usage(&mount), Reading::Unsupported(Need::Feature(Feature::Covered)));
    }

    #[test]
    fn a_recorded_tree_tells_mounts_but_not_how_full_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot::recorded(folder.path());
        std::fs::create_dir_all(root.proc.join("self")).unwrap();
        std::fs::write(root.proc.join("self/mountinfo"), "25 24 0:23 / /dev/shm rw - tmpfs tmpfs rw\n").unwrap();
        let mounts = read_tmpfs(&root, &mut Buffer::new()).value().unwrap();
        assert_eq!((mounts.len(), mounts[0].usage.value()), (1, None));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            parse_mountinfo(&bytes);
            parse_device(&bytes, 16);
            let text = [b"1 2 0:3 / ", &bytes[..], b" rw - tmpfs x y"].concat();
            parse_mountinfo(&text);
        }
    }
}
