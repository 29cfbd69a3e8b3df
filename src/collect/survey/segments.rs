//! System V shared memory, segment by segment.

use std::sync::Arc;

use rustix::io::Errno;

use crate::collect::files::Buffer;
use crate::collect::parse::{lines, narrow, parse_number, parse_stat, take_number};
use crate::collect::root::ProcRoot;
use crate::model::reading::{Denial, Feature, Need, Reading};
use crate::model::survey::{Holders, Segment};

/// Reads the segments of our IPC namespace, the largest first. Where /proc hides processes, who made one can't be told.
pub(super) fn read_segments(root: &ProcRoot, buffer: &mut Buffer, is_hiding: bool) -> Reading<Arc<[Segment]>> {
    let mut segments = match buffer.read_path(&root.proc.join("sysvipc/shm")) {
        Ok(bytes) => parse_segments(bytes),
        Err(Errno::ACCESS | Errno::PERM) => return Reading::Denied(Denial::Root),
        Err(_) => return Reading::Unsupported(Need::Feature(Feature::SysvIpc)),
    };
    let boot_s = buffer.read_path(&root.proc.join("stat")).ok().and_then(boot_time);
    for segment in &mut segments {
        if segment.creator != 0 && !is_hiding {
            segment.is_creator_alive = is_creator_alive(root, buffer, segment, boot_s);
        }
    }
    segments.sort_by_key(|segment| (std::cmp::Reverse(segment.held()), segment.id));
    Reading::Value(segments.into())
}

/// Whether the maker lives: a process of its pid that started after the segment last changed is another.
fn is_creator_alive(root: &ProcRoot, buffer: &mut Buffer, segment: &Segment, boot_s: Option<u64>) -> Option<bool> {
    let path = root.proc.join(segment.creator.to_string()).join("stat");
    let started = match buffer.read_path(&path) {
        Ok(bytes) => parse_stat(bytes)?.start_time / root.clock_ticks.max(1),
        Err(Errno::NOENT | Errno::SRCH) => return Some(false),
        Err(_) => return None,
    };
    // Both are cut to seconds, and the clock may have been set by a little since.
    Some(boot_s?.saturating_add(started) <= segment.changed_s.saturating_add(2))
}

fn boot_time(bytes: &[u8]) -> Option<u64> {
    let mut rest = lines(bytes).find_map(|line| line.strip_prefix(b"btime "))?;
    take_number(&mut rest)
}

/// Decodes `/proc/sysvipc/shm` (proc_sysvipc(5)): a head line that names the columns, then a segment a line. A line that
/// does not hold a segment is left out.
pub fn parse_segments(bytes: &[u8]) -> Vec<Segment> {
    let mut lines = lines(bytes);
    let titles = lines.next().map(words).unwrap_or_default();
    let column = |name: &str| titles.iter().position(|title| *title == name.as_bytes());
    let segment = |line: &[u8]| {
        let row = words(line);
        let word = |name: &str| row.get(column(name)?).copied();
        let number = |name: &str| parse_number(word(name)?);
        Some(Segment {
            key: key(word("key")?)?,
            id: narrow(number("shmid")?),
            uid: narrow(number("uid")?),
            mode: u32::from_str_radix(std::str::from_utf8(word("perms")?).ok()?, 8).ok()?,
            size: number("size")?,
            rss: number("rss").into(),
            swap: number("swap").into(),
            attached: number("nattch")?,
            creator: narrow(number("cpid")?),
            is_creator_alive: None,
            last: narrow(number("lpid")?),
            holders: Holders::default(),
            detached_s: number("dtime")?,
            changed_s: number("ctime")?,
        })
    };
    lines.filter_map(segment).collect()
}

fn words(line: &[u8]) -> Vec<&[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect()
}

/// The kernel writes the key as a signed number.
fn key(word: &[u8]) -> Option<u32> {
    std::str::from_utf8(word).ok()?.parse::<i32>().ok().map(i32::cast_unsigned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::survey::Standing::{Idle, InUse, Leaked};

    const HEAD: &str = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      \
        atime      dtime      ctime                   rss                  swap\n";

    #[test]
    fn every_column_is_found_by_its_name() {
        let text = format!(
            "{HEAD}-1234567          5  1640              1048576  4711  4712      0  1000    33     0     0 \
             1764027000 1764027001 1764026000                 4096                  8192\nbroken 1\n"
        );
        let expected = Segment {
            key: 0xffed_2979,
            id: 5,
            uid: 1000,
            mode: 0o1640,
            size: 1 << 20,
            rss: Reading::Value(4096),
            swap: Reading::Value(8192),
            attached: 0,
            creator: 4711,
            is_creator_alive: None,
            last: 4712,
            holders: Holders::default(),
            detached_s: 1_764_027_001,
            changed_s: 1_764_026_000,
        };
        let segments = parse_segments(text.as_bytes());
        assert_eq!(segments, [expected]);
        assert_eq!((segments[0].held(), segments[0].is_destroyed()), (12_288, true));
        let old = b"key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime\n0 0 600 5000 1 1 1 0 0 0 0 1 2 3\n";
        assert_eq!(parse_segments(old)[0].held(), 5000, "before Linux 2.6.38 the size stands for what is held");
    }

    #[test]
    fn a_segment_is_leaked_where_nobody_is_attached_and_its_maker_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let root = ProcRoot::recorded(folder.path());
        std::fs::create_dir_all(root.proc.join("sysvipc")).unwrap();
        std::fs::write(root.proc.join("stat"), "btime 1000000\n").unwrap();
        // Pids 7 and 8 run, since 50 s and since 900 s after the boot; the segments are of 100 s after it.
        for (pid, started) in [(7, 5_000), (8, 90_000)] {
            let process = root.proc.join(pid.to_string());
            std::fs::create_dir_all(&process).unwrap();
            let stat = format!("{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {started} 0 0");
            std::fs::write(process.join("stat"), stat).unwrap();
        }
        let line = |id: u32, creator: u32, attached: u32| {
            format!("0 {id} 600 {} {creator} 0 {attached} 0 0 0 0 0 0 1000100 {} 0\n", 10 - id, 10 - id)
        };
        let text =
            [HEAD.to_owned(), line(0, 7, 1), line(1, 7, 0), line(2, 8, 0), line(3, 9, 0), line(4, 0, 0)].concat();
        std::fs::write(root.proc.join("sysvipc/shm"), text).unwrap();
        let standings = |is_hiding| {
            let segments = read_segments(&root, &mut Buffer::new(), is_hiding).value().unwrap();
            segments.iter().map(Segment::standing).collect::<Vec<_>>()
        };
        assert_eq!(standings(false), [InUse, Idle, Leaked, Leaked, Idle], "pid 8 is another by now, 0 is elsewhere");
        assert_eq!(standings(true), [InUse, Idle, Idle, Idle, Idle]);
    }

    proptest! {
        #[test]
        fn any_bytes_after_the_head_decode_without_panic(rest in proptest::collection::vec(any::<u8>(), 0..400)) {
            parse_segments(&rest);
            parse_segments(&[HEAD.as_bytes(), &rest].concat());
        }
    }
}
