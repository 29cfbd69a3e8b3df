//! What the link in `/proc/PID/fd` says of a descriptor (proc_pid_fd(5)).

use crate::model::inspect::descriptor::DescriptorKind;

/// What a link leads to, as far as its text tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link<'a> {
    /// A path: a file, a directory, a device or a named pipe; only a look at it tells which.
    Path(&'a [u8]),
    /// A socket, by its inode.
    Socket(u64),
    /// A file of RAM without a path, by the name it was given.
    Memfd(&'a [u8]),
    /// What has no path. The name is kept where the kind does not say all.
    Kernel(DescriptorKind, &'a [u8]),
}

/// Decodes the text of a link.
pub(super) fn parse_link(text: &[u8]) -> Link<'_> {
    if text.first() == Some(&b'/') {
        return match text.strip_prefix(b"/memfd:") {
            Some(name) => Link::Memfd(name.strip_suffix(b" (deleted)").unwrap_or(name)),
            None => Link::Path(text),
        };
    }
    if let Some(inode) = in_brackets(text, b"socket:").and_then(number) {
        return Link::Socket(inode);
    }
    if in_brackets(text, b"pipe:").is_some() {
        return Link::Kernel(DescriptorKind::Pipe, b"");
    }
    if in_brackets(text, b"pidfd:").is_some() {
        return Link::Kernel(DescriptorKind::Pidfd, b"");
    }
    let Some(name) = text.strip_prefix(b"anon_inode:") else {
        let is_namespace = NAMESPACES.iter().any(|kind| in_brackets(text, kind).is_some());
        return Link::Kernel(if is_namespace { DescriptorKind::Namespace } else { DescriptorKind::Other }, text);
    };
    let inner = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")).unwrap_or(name);
    let kind = match inner {
        b"eventpoll" => DescriptorKind::Epoll,
        b"eventfd" => DescriptorKind::Eventfd,
        b"timerfd" => DescriptorKind::Timerfd,
        b"signalfd" => DescriptorKind::Signalfd,
        b"inotify" => DescriptorKind::Inotify,
        b"fanotify" => DescriptorKind::Fanotify,
        b"io_uring" => DescriptorKind::IoUring,
        b"pidfd" => DescriptorKind::Pidfd,
        b"perf_event" => DescriptorKind::PerfEvent,
        b"userfaultfd" => DescriptorKind::Userfaultfd,
        _ if inner.starts_with(b"bpf") => return Link::Kernel(DescriptorKind::Bpf, inner),
        _ => return Link::Kernel(DescriptorKind::Other, inner),
    };
    Link::Kernel(kind, b"")
}

const NAMESPACES: [&[u8]; 8] = [b"cgroup:", b"ipc:", b"mnt:", b"net:", b"pid:", b"time:", b"user:", b"uts:"];

/// What stands in brackets behind `kind`.
fn in_brackets<'a>(text: &'a [u8], kind: &[u8]) -> Option<&'a [u8]> {
    text.strip_prefix(kind)?.strip_prefix(b"[")?.strip_suffix(b"]")
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn links_tell_what_they_lead_to() {
        use DescriptorKind as Kind;
        for (text, link) in [
            ("/var/log/app.log (deleted)", Link::Path(b"/var/log/app.log (deleted)")),
            ("/memfd:wayland (deleted)", Link::Memfd(b"wayland")),
            ("socket:[4711]", Link::Socket(4711)),
            ("pipe:[4711]", Link::Kernel(Kind::Pipe, b"")),
            ("anon_inode:[eventpoll]", Link::Kernel(Kind::Epoll, b"")),
            ("anon_inode:inotify", Link::Kernel(Kind::Inotify, b"")),
            ("anon_inode:[io_uring]", Link::Kernel(Kind::IoUring, b"")),
            ("anon_inode:bpf-map", Link::Kernel(Kind::Bpf, b"bpf-map")),
            ("anon_inode:kvm-vcpu:0", Link::Kernel(Kind::Other, b"kvm-vcpu:0")),
            ("pidfd:[77]", Link::Kernel(Kind::Pidfd, b"")),
            ("net:[4026531840]", Link::Kernel(Kind::Namespace, b"net:[4026531840]")),
            ("socket:[x]", Link::Kernel(Kind::Other, b"socket:[x]")),
            ("", Link::Kernel(Kind::Other, b"")),
        ] {
            assert_eq!(parse_link(text.as_bytes()), link, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse_link(&bytes);
        }
    }
}
