//! Facts of the machine that change seldom: names, users, page size.

use std::collections::BTreeMap;

use sysinfo::{System, Users};

use super::parse::lines;
use super::root::ProcRoot;
use crate::model::sample::Host;
use crate::model::text::{Text, escape};

/// Reads the host's facts: through sysinfo on the running system, from the tree's own files otherwise.
pub(super) fn read_host(root: &ProcRoot) -> Host {
    let common = Host { page_size: root.page_size, clock_ticks: root.clock_ticks, ..Host::default() };
    if root.is_live {
        let users = Users::new_with_refreshed_list().ok();
        Host {
            name: text(System::host_name()),
            kernel: text(System::kernel_version()),
            distribution: text(System::long_os_version()),
            cpus: std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32),
            users: users
                .iter()
                .flat_map(|users| users.iter())
                .map(|user| (**user.id(), Text::from(user.name())))
                .collect(),
            ..common
        }
    } else {
        Host {
            name: first_line(root, "sys/kernel/hostname"),
            kernel: first_line(root, "sys/kernel/osrelease"),
            distribution: os_release(&read(&root.etc.join("os-release"))),
            cpus: 1,
            users: parse_passwd(&read(&root.etc.join("passwd"))),
            ..common
        }
    }
}

/// The kernel's name of a process, escaped; `None` where there is none of this pid.
pub fn name_of(pid: u32) -> Option<String> {
    let comm = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(escape(comm.trim_ascii_end()).into_owned())
}

/// Whether SIGHUP was ignored when we were started, as nohup(1) has it (`/proc/self/status`, SigIgn).
pub fn ignores_hangup() -> bool {
    std::fs::read("/proc/self/status").is_ok_and(|status| parse_ignored(&status) & 1 != 0)
}

/// The set of ignored signals: bit 0 is signal 1, SIGHUP.
fn parse_ignored(status: &[u8]) -> u64 {
    let line = lines(status).find_map(|line| line.strip_prefix(b"SigIgn:"));
    let digits = line.and_then(|line| std::str::from_utf8(line.trim_ascii()).ok());
    digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

fn text<E>(name: Result<String, E>) -> Text {
    name.map_or_else(|_| Text::default(), |name| Text::from(name.as_str()))
}

fn read(path: &std::path::Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_default()
}

fn first_line(root: &ProcRoot, name: &str) -> Text {
    Text::new(read(&root.proc.join(name)).trim_ascii())
}

fn os_release(bytes: &[u8]) -> Text {
    let line = lines(bytes).find_map(|line| line.strip_prefix(b"PRETTY_NAME="));
    line.map_or_else(Text::default, |name| {
        Text::new(name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name))
    })
}

/// Names by uid from a passwd(5) file.
fn parse_passwd(bytes: &[u8]) -> BTreeMap<u32, Text> {
    let user = |line: &[u8]| {
        let mut parts = line.split(|byte| *byte == b':');
        let name = parts.next()?;
        let uid = std::str::from_utf8(parts.nth(1)?).ok()?.parse().ok()?;
        Some((uid, Text::new(name)))
    };
    lines(bytes).filter_map(user).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_that_nohup_has_us_ignore_is_the_lowest_bit() {
        assert_eq!(parse_ignored(b"SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"), 0x1001);
        assert_eq!(parse_ignored(b"Name:\tx\n"), 0);
    }

    #[test]
    fn passwd_lines_name_users() {
        let users = parse_passwd(b"root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:1000::/:/bin/sh\n");
        assert_eq!(users.len(), 2);
        assert_eq!(users[&1000].as_bytes(), b"app");
    }
}
