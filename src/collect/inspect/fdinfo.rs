//! Reading `/proc/PID/fdinfo/FD` (proc_pid_fdinfo(5)).

use std::os::fd::OwnedFd;
use std::time::Instant;

use crate::collect::files::open_at;
use crate::collect::parse::lines;
use crate::model::inspect::descriptor::DescriptorKind;
use crate::model::inspect::fdinfo::FdInfo;

/// An epoll or an inotify has a line for each thing that it waits for: so much of it is read, bytes.
const MOST: usize = 1 << 20;

/// Whether the file says more of a descriptor than its link does.
pub(super) fn is_telling(kind: DescriptorKind) -> bool {
    use DescriptorKind as Kind;
    matches!(kind, Kind::File | Kind::Directory | Kind::Epoll | Kind::Eventfd | Kind::Inotify | Kind::Fanotify)
}

/// Reads the file of a descriptor; `None` where it was closed, where it is denied, or after the deadline.
pub(super) fn read_fdinfo(folder: &OwnedFd, number: u32, deadline: Instant, buffer: &mut Vec<u8>) -> Option<FdInfo> {
    if Instant::now() >= deadline {
        return None;
    }
    let file = open_at(folder, rustix::path::DecInt::new(number).as_c_str()).ok()?;
    let mut length = 0;
    let is_cut = loop {
        if buffer.len() < length + 4096 {
            buffer.resize((buffer.len() * 2).max(64 << 10), 0);
        }
        match rustix::io::read(&file, &mut buffer[length..]).ok()? {
            0 => break false,
            read => length += read,
        }
        if length >= MOST || Instant::now() >= deadline {
            break true;
        }
    };
    Some(FdInfo { is_cut, ..parse_fdinfo(&buffer[..length]) })
}

/// Decodes the file.
fn parse_fdinfo(bytes: &[u8]) -> FdInfo {
    let mut info = FdInfo::default();
    for line in lines(bytes) {
        let value = |name: &[u8], radix: u32| {
            let value = std::str::from_utf8(line.strip_prefix(name)?).ok()?;
            u64::from_str_radix(value.trim(), radix).ok()
        };
        if let Some(offset) = value(b"pos:", 10) {
            info.offset = offset;
        } else if let Some(flags) = value(b"flags:", 8) {
            info.flags = u32::try_from(flags).unwrap_or(u32::MAX);
        } else if let Some(count) = value(b"eventfd-count:", 16) {
            info.held = Some(count);
        } else if let Some(size) = value(b"size:", 10) {
            info.size = Some(size);
        } else if [&b"inotify wd:"[..], b"fanotify ino:", b"fanotify mnt_id:", b"tfd:"]
            .iter()
            .any(|entry| line.starts_with(entry))
        {
            info.held = Some(info.held.unwrap_or(0) + 1);
        }
    }
    info
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_kind_of_descriptor_tells_what_it_holds() {
        let first = "pos:\t4711\nflags:\t02100001\nmnt_id:\t15\nino:\t7\n";
        let parse = |more: &str| parse_fdinfo(format!("{first}{more}").as_bytes());
        let plain = FdInfo { offset: 4711, flags: 0o2_100_001, ..FdInfo::default() };
        let held = |held| FdInfo { held: Some(held), ..plain };
        assert_eq!(parse(""), plain);
        assert_eq!(parse("eventfd-count:               1a\neventfd-id: 3\n"), held(26));
        let watch = "inotify wd:1 ino:192627 sdev:800001 mask:100 ignored_mask:0 fhandle-bytes:8 fhandle-type:1\n";
        assert_eq!(parse(&watch.repeat(3)), held(3));
        let entry = "tfd:       10 events:       1d data: 7ffc  pos:0 ino:4bf sdev:6\n";
        assert_eq!(parse(&entry.repeat(2)), held(2));
        assert_eq!(parse("size:\t8192\ncount:\t2\nexp_name:\tsystem\n"), FdInfo { size: Some(8192), ..plain });
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_fdinfo(&bytes);
        }
    }
}
