//! Pure decoders of a process's files: bytes in, model out. Nothing here can fail on a kernel's own output; on
//! anything else the answer is `None` or the lines that make sense.

use crate::model::process::{Resident, Rollup, Stat, Status};
use crate::model::reading::{Need, Reading};

/// Decodes `/proc/PID/statm` (proc_pid_statm(5)).
pub fn parse_statm(bytes: &[u8], page_size: u64) -> Option<Resident> {
    let mut rest = bytes;
    let mut next = || take_number(&mut rest).map(|pages| pages.saturating_mul(page_size).min(MOST_BYTES));
    Some(Resident { size: next()?, rss: next()?, shared: next()?, text: next()? })
}

/// `/proc/PID/stat`: what tells a process from another, and the parts that move.
#[derive(Debug, PartialEq, Eq)]
pub struct StatLine<'a> {
    /// The task's name, which may hold any byte but NUL.
    pub comm: &'a [u8],
    /// Clock ticks since boot.
    pub start_time: u64,
    /// PF_KTHREAD is set.
    pub is_kernel_thread: bool,
    /// What moves.
    pub stat: Stat,
}

const PF_KTHREAD: u64 = 0x0020_0000;

/// Decodes `/proc/PID/stat` (proc_pid_stat(5)). The name lies between the first `(` and the last `)`.
pub fn parse_stat(bytes: &[u8]) -> Option<StatLine<'_>> {
    let open = bytes.iter().position(|byte| *byte == b'(')?;
    let close = bytes.iter().rposition(|byte| *byte == b')')?;
    let comm = bytes.get(open + 1..close)?;
    let mut rest = bytes.get(close + 2..)?;
    let state = *rest.first()?;
    rest = &rest[1..];
    // Fields 4 to 22 of the manual page.
    let mut fields = [0u64; 19];
    for field in &mut fields {
        *field = take_signed(&mut rest)?;
    }
    let field = |number: usize| fields[number - 4];
    Some(StatLine {
        comm,
        start_time: field(22),
        is_kernel_thread: field(9) & PF_KTHREAD != 0,
        stat: Stat {
            state,
            ppid: narrow(field(4)),
            threads: narrow(field(20)),
            major_faults: field(12),
            cpu_ticks: field(14).saturating_add(field(15)),
        },
    })
}

/// Decodes `/proc/PID/status` (proc_pid_status(5)): the effective uid and the memory lines. A kernel thread or
/// zombie has no memory lines.
pub fn parse_status(bytes: &[u8]) -> (Option<u32>, Status) {
    let old_kernel = Reading::Unsupported(Need::Kernel(4, 5));
    let mut status = Status {
        rss_anon: old_kernel,
        rss_file: old_kernel,
        rss_shmem: old_kernel,
        swap: 0,
        peak_rss: 0,
        page_tables: 0,
        locked: 0,
        hugetlb: 0,
    };
    let (mut uid, mut has_memory) = (None, false);
    for line in lines(bytes) {
        let Some((name, mut value)) = split_line(line) else { continue };
        match name {
            b"Uid" => {
                take_number(&mut value);
                uid = take_number(&mut value).map(narrow);
            }
            b"VmHWM" => (status.peak_rss, has_memory) = (kilobytes(value), true),
            b"VmLck" => status.locked = kilobytes(value),
            b"VmPTE" => status.page_tables = kilobytes(value),
            b"VmSwap" => status.swap = kilobytes(value),
            b"RssAnon" => status.rss_anon = Reading::Value(kilobytes(value)),
            b"RssFile" => status.rss_file = Reading::Value(kilobytes(value)),
            b"RssShmem" => status.rss_shmem = Reading::Value(kilobytes(value)),
            b"HugetlbPages" => status.hugetlb = kilobytes(value),
            _ => {}
        }
    }
    if !has_memory {
        let nothing = Reading::Value(0);
        (status.rss_anon, status.rss_file, status.rss_shmem) = (nothing, nothing, nothing);
    }
    (uid, status)
}

/// Sums the entries of `/proc/PID/smaps_rollup`, or of `/proc/PID/smaps`, which has the same lines once a mapping
/// (Documentation/filesystems/proc.rst). `None` where there is no mapping at all. Before Linux 4.3 there is no
/// SwapPss: Swap stands for it, which is what it would be if nothing in swap were shared.
pub fn parse_smaps(bytes: &[u8]) -> Option<Rollup> {
    let mut sum = Rollup::default();
    let mut parts: Option<[u64; 3]> = None;
    let mut swap_pss: Option<u64> = None;
    let mut has_mapping = false;
    for line in lines(bytes) {
        let Some((name, value)) = split_line(line) else { continue };
        let place = match name {
            b"Rss" => {
                has_mapping = true;
                &mut sum.rss
            }
            b"Pss" => &mut sum.pss,
            b"Pss_Anon" => &mut parts.get_or_insert_default()[0],
            b"Pss_File" => &mut parts.get_or_insert_default()[1],
            b"Pss_Shmem" => &mut parts.get_or_insert_default()[2],
            b"Private_Clean" | b"Private_Dirty" | b"Private_Hugetlb" => &mut sum.uss,
            b"Swap" => &mut sum.swap,
            b"SwapPss" => swap_pss.get_or_insert_default(),
            b"AnonHugePages" => &mut sum.anon_huge,
            _ => continue,
        };
        *place = (*place + kilobytes(value)).min(MOST_BYTES);
    }
    sum.pss_parts = parts;
    sum.swap_pss = swap_pss.unwrap_or(sum.swap);
    has_mapping.then_some(sum)
}

/// Decodes `/proc/PID/cmdline`: arguments joined by spaces, the NULs at the end cut, at most `limit` bytes.
pub fn parse_cmdline(bytes: &[u8], limit: usize) -> Vec<u8> {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes[..end.min(limit)].iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect()
}

/// Finds the soft limit of open files in `/proc/PID/limits`; `unlimited` is [`u64::MAX`].
pub fn parse_fd_limit(bytes: &[u8]) -> Option<u64> {
    let line = lines(bytes).find_map(|line| line.strip_prefix(b"Max open files"))?;
    let mut rest = line.trim_ascii_start();
    if rest.starts_with(b"unlimited") { Some(u64::MAX) } else { take_number(&mut rest) }
}

/// The first number of a file that holds one (`oom_score`, `memory.current`).
pub fn parse_number(bytes: &[u8]) -> Option<u64> {
    take_number(&mut &*bytes)
}

/// A number that the kernel keeps in 32 bits; what is larger is the largest.
pub(super) fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Lines without their newline.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n')
}

/// `Name:   value` into both halves.
pub(super) fn split_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], &line[colon + 1..]))
}

/// More bytes than any Linux can have: the address space of five-level page tables. What claims more is cut to it, so
/// that sums of a few values fit in 64 bits whatever a file says.
pub(super) const MOST_BYTES: u64 = 1 << 57;

/// A value in kB as bytes; zero for what is no number, which no kernel writes.
pub(super) fn kilobytes(mut value: &[u8]) -> u64 {
    take_number(&mut value).unwrap_or(0).saturating_mul(1024).min(MOST_BYTES)
}

/// Cuts the next number off as one of bytes.
pub(super) fn take_bytes(rest: &mut &[u8]) -> Option<u64> {
    take_number(rest).map(|bytes| bytes.min(MOST_BYTES))
}

/// Cuts the next number off, with the blanks before it. A number too large for 64 bits saturates.
pub(super) fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let text = rest.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    *rest = &text[digits..];
    Some(text[..digits].iter().fold(0u64, |n, digit| n.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

/// The same for fields that may be negative; a negative number counts as zero.
fn take_signed(rest: &mut &[u8]) -> Option<u64> {
    let text = rest.trim_ascii_start();
    if let Some(mut negative) = text.strip_prefix(b"-") {
        take_number(&mut negative)?;
        *rest = negative;
        return Some(0);
    }
    take_number(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAT: &[u8] = b"1234 (a) S 1 (b)\n) S 7 1234 1234 0 -1 4194304 10 0 3 0 250 50 0 0 20 -5 11 0 98765 1000 20 18446744073709551615 1 1 0\n";

    #[test]
    fn a_name_may_hold_parentheses_and_newlines() {
        let line = parse_stat(STAT).unwrap();
        assert_eq!(line.comm, b"a) S 1 (b)\n");
        assert_eq!((line.start_time, line.is_kernel_thread), (98765, false));
        assert_eq!(line.stat, Stat { state: b'S', ppid: 7, threads: 11, major_faults: 3, cpu_ticks: 300 });
    }

    #[test]
    fn kernel_threads_are_told_by_their_flag() {
        let line = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 3 0 0 20 0 1 0 5 0 0";
        assert!(parse_stat(line).unwrap().is_kernel_thread);
    }

    #[test]
    fn statm_counts_pages() {
        let resident = parse_statm(b"765 434 406 5 0 123 0\n", 4096).unwrap();
        assert_eq!(resident.rss, 434 * 4096);
        assert_eq!(resident.anon(), 28 * 4096);
        assert_eq!(parse_statm(b"", 4096), None);
    }

    #[test]
    fn status_before_4_5_has_no_split() {
        let (uid, status) = parse_status(b"Name:\tx\nUid:\t0\t1000\t0\t0\nVmHWM:\t  12 kB\nVmSwap:\t 8 kB\n");
        assert_eq!(uid, Some(1000));
        assert_eq!((status.peak_rss, status.swap), (12 * 1024, 8 * 1024));
        assert_eq!(status.rss_anon, Reading::Unsupported(Need::Kernel(4, 5)));
    }

    #[test]
    fn smaps_and_its_rollup_give_the_same_sum() {
        let rollup = b"00400000-7ffd [rollup]\nRss: 30 kB\nPss: 20 kB\nPrivate_Clean: 4 kB\nPrivate_Dirty: 8 kB\nSwapPss: 2 kB\n";
        let smaps = b"00400000-0041 r-xp 0 08:01 9 /bin/x: y\nRss: 10 kB\nPss: 5 kB\nPrivate_Clean: 4 kB\nPrivate_Dirty: 0 kB\nSwapPss: 0 kB\n\
            7ffd-7ffe rw-p 0 00:00 0 [stack]\nRss: 20 kB\nPss: 15 kB\nPrivate_Clean: 0 kB\nPrivate_Dirty: 8 kB\nSwapPss: 2 kB\n";
        assert_eq!(parse_smaps(rollup), parse_smaps(smaps));
        assert_eq!(parse_smaps(b""), None);
    }

    #[test]
    fn without_swap_pss_swap_stands_for_it() {
        let smaps = b"Rss: 10 kB\nPss: 5 kB\nSwap: 3 kB\nRss: 1 kB\nPss: 1 kB\nSwap: 4 kB\n";
        assert_eq!(parse_smaps(smaps).unwrap().swap_pss, 7 * 1024);
        assert_eq!(parse_smaps(b"Rss: 10 kB\nSwap: 3 kB\nSwapPss: 0 kB\n").unwrap().swap_pss, 0);
    }

    #[test]
    fn sums_of_huge_numbers_stay_at_the_largest() {
        let huge = b"Rss: 99999999999999999999 kB\nPss_Anon: 18446744073709551615 kB\n";
        let rollup = parse_smaps(huge).unwrap();
        assert_eq!((rollup.rss, rollup.pss_parts), (MOST_BYTES, Some([MOST_BYTES, 0, 0])));
        assert_eq!(parse_smaps(&huge.repeat(1000)).unwrap().rss, MOST_BYTES);
    }

    #[test]
    fn a_rewritten_command_line_loses_only_its_padding() {
        assert_eq!(parse_cmdline(b"nginx: worker\0\0\0\0", 99), b"nginx: worker");
        assert_eq!(parse_cmdline(b"node\0app.js\0", 99), b"node app.js");
        assert_eq!(parse_cmdline(b"\0\0", 99), b"");
    }

    #[test]
    fn the_fd_limit_is_the_soft_one() {
        let limits = b"Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files     \n";
        assert_eq!(parse_fd_limit(limits), Some(1024));
        assert_eq!(parse_fd_limit(b"Max open files            unlimited  unlimited  files"), Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            parse_stat(&bytes);
            parse_statm(&bytes, 4096);
            parse_status(&bytes);
            parse_smaps(&bytes);
            parse_cmdline(&bytes, 64);
            parse_fd_limit(&bytes);
        }

        #[test]
        fn any_name_is_found_again(name in proptest::collection::vec(1u8.., 0..16)) {
            let line = [b"1 (".as_slice(), &name, b") R 0 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 77 0"].concat();
            let parsed = parse_stat(&line).unwrap();
            prop_assert_eq!(parsed.comm, name.as_slice());
            prop_assert_eq!(parsed.start_time, 77);
        }
    }
}
