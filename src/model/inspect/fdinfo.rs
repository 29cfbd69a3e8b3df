//! What `/proc/PID/fdinfo/FD` says of a descriptor (proc_pid_fdinfo(5)).

use serde::{Deserialize, Serialize};

use super::descriptor::DescriptorKind;
use crate::units::Bytes;

/// A descriptor from inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FdInfo {
    /// Where the next read or write begins, bytes.
    pub offset: u64,
    /// Access mode and status flags of open(2), and O_CLOEXEC.
    pub flags: u32,
    /// Watches of an inotify or fanotify, descriptors that an epoll waits for, the counter of an eventfd.
    pub held: Option<u64>,
    /// Not all was read: `held` is at least so many.
    pub is_cut: bool,
    /// Bytes of a buffer that devices share (dma-buf).
    pub size: Option<u64>,
}

/// O_APPEND on every architecture of Linux but alpha.
const APPEND: u32 = 0o2000;

impl FdInfo {
    /// In words: `at 1.2M, append`, `312 watches`; empty where there is nothing to be said.
    pub fn words(&self, kind: DescriptorKind) -> String {
        if let Some(held) = self.held {
            let least = if self.is_cut { tr!("at least ") } else { "" };
            let (one, many) = match kind {
                DescriptorKind::Epoll => (tr!("entry"), tr!("entries")),
                DescriptorKind::Eventfd => return tr!("counts {held}", held),
                _ => (tr!("watch"), tr!("watches")),
            };
            return format!("{least}{held} {}", if held == 1 { one } else { many });
        }
        if let Some(size) = self.size {
            return Bytes(size).to_string();
        }
        let mut words = Vec::new();
        if kind == DescriptorKind::File {
            words.extend((self.offset > 0).then(|| tr!("at {place}", place = Bytes(self.offset))));
            words.extend((self.flags & APPEND != 0).then(|| tr!("append").to_owned()));
        }
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_what_matters_of_each_kind() {
        let file = FdInfo { offset: 3 << 20, flags: 0o102_001, ..FdInfo::default() };
        let held = |held, is_cut| FdInfo { held: Some(held), is_cut, ..FdInfo::default() };
        for (info, kind, words) in [
            (file, DescriptorKind::File, "at 3.0M, append"),
            (FdInfo::default(), DescriptorKind::File, ""),
            (file, DescriptorKind::Directory, ""),
            (held(1, false), DescriptorKind::Inotify, "1 watch"),
            (held(8000, true), DescriptorKind::Epoll, "at least 8000 entries"),
            (held(0, false), DescriptorKind::Eventfd, "counts 0"),
            (FdInfo { size: Some(4096), ..file }, DescriptorKind::File, "4K"),
        ] {
            assert_eq!(info.words(kind), words);
        }
    }
}
