//! System V shared memory: segments outlive the processes that made them, and no process's RSS has those that nobody
//! is attached to.

use rustix::io::Errno;

use super::files::Buffer;
use super::parse::{lines, parse_number};
use super::root::ProcRoot;
use crate::model::reading::{Denial, Feature, Need, Reading};
use crate::model::system::SysvShm;

/// Sums the segments of our IPC namespace.
pub(super) fn read_sysv_shm(root: &ProcRoot, buffer: &mut Buffer) -> Reading<SysvShm> {
    match buffer.read_path(&root.proc.join("sysvipc/shm")) {
        Ok(bytes) => Reading::Value(parse_sysv_shm(bytes)),
        Err(Errno::ACCESS | Errno::PERM) => Reading::Denied(Denial::Root),
        Err(_) => Reading::Unsupported(Need::Feature(Feature::SysvIpc)),
    }
}

/// Decodes `/proc/sysvipc/shm` (proc_sysvipc(5)): a head line that names the columns, then a segment a line. A line
/// that does not hold a segment is left out.
pub fn parse_sysv_shm(bytes: &[u8]) -> SysvShm {
    let words = |line| <[u8]>::split(line, u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut lines = lines(bytes);
    let titles: Vec<&[u8]> = lines.next().map(|line| words(line).collect()).unwrap_or_default();
    let column = |name: &[u8]| titles.iter().position(|title| *title == name);
    let (Some(size), Some(attached)) = (column(b"size"), column(b"nattch")) else { return SysvShm::default() };
    let in_use = column(b"rss").zip(column(b"swap"));
    let mut sum = SysvShm::default();
    for line in lines {
        let row: Vec<&[u8]> = words(line).collect();
        let number = |column: usize| row.get(column).copied().and_then(parse_number);
        let bytes = match in_use {
            Some((rss, swap)) => number(rss).zip(number(swap)).map(|(rss, swap)| rss.saturating_add(swap)),
            None => number(size),
        };
        let (Some(bytes), Some(attached)) = (bytes, number(attached)) else { continue };
        sum.segments += 1;
        sum.bytes = sum.bytes.saturating_add(bytes);
        if attached == 0 {
            sum.unattached_segments += 1;
            sum.unattached_bytes = sum.unattached_bytes.saturating_add(bytes);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      \
        atime      dtime      ctime                   rss                  swap\n";

    #[test]
    fn segments_count_by_what_they_hold_and_the_unattached_apart() {
        let text = format!(
            "{HEAD}         0          0  1600              1048576  4711  4711      0     0     0     0     0 \
             1764027000 1764027001 1764027000                 4096                  8192\n\
             -1234567        1   600                65536    17    18      2  1000  1000  1000  1000 \
             0          0          1764027000                65536                     0\n"
        );
        let expected = SysvShm { segments: 2, bytes: 77_824, unattached_segments: 1, unattached_bytes: 12_288 };
        assert_eq!(parse_sysv_shm(text.as_bytes()), expected);
    }

    #[test]
    fn a_kernel_that_does_not_tell_what_is_held_tells_the_size() {
        let text = b"key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime\n\
            0 0 1600 5000 4711 4711 0 0 0 0 0 1 2 3\n";
        let expected = SysvShm { segments: 1, bytes: 5000, unattached_segments: 1, unattached_bytes: 5000 };
        assert_eq!(parse_sysv_shm(text), expected);
    }

    #[test]
    fn no_segments_is_a_value_and_no_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot::recorded(folder.path());
        let absent = Reading::Unsupported(Need::Feature(Feature::SysvIpc));
        assert_eq!(read_sysv_shm(&root, &mut Buffer::new()), absent);
        std::fs::create_dir_all(root.proc.join("sysvipc")).unwrap();
        std::fs::write(root.proc.join("sysvipc/shm"), HEAD).unwrap();
        assert_eq!(read_sysv_shm(&root, &mut Buffer::new()), Reading::Value(SysvShm::default()));
    }

    proptest! {
        #[test]
        fn any_bytes_after_the_head_decode_without_panic(rest in proptest::collection::vec(any::<u8>(), 0..400)) {
            parse_sysv_shm(&rest);
            parse_sysv_shm(&[HEAD.as_bytes(), &rest].concat());
        }
    }
}
