//! Advice about all memory of one process (process_madvise(2), Linux 5.10): page it out, or take it for cold.
//!
//! There is no safe way to the system call itself, so a program makes it, as for swap: Perl, or else Python. Its standard
//! input is the pidfd that is held here: what is advised is the process that was chosen, or nobody.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};

use rustix::io::Errno;

use super::control::Control;
use super::effect::{Advice, Target};
use super::process::{Held, Missed};
use super::words::who;
use crate::collect::root::ProcRoot;
use crate::units::Bytes;

/// So much of what is in RAM is advised at once, bytes: between two pieces it can be stopped.
const PIECE: u64 = 64 << 20;

/// Ranges in one go: the kernel takes 1024 (IOV_MAX), and what they say has to fit into a command line.
const MOST_RANGES: usize = 512;

/// Pieces of a mapping begin at whole huge pages, bytes.
const HUGE: u64 = 2 << 20;

/// What the programs run: advice, then start and length of each range. The number of the system call is 440 on every
/// architecture that Rust knows but MIPS. What the kernel refuses is left out, and the rest goes on; printed are the
/// ranges that were refused and the last error.
const PERL: &str = r#"my ($advice, @r) = @ARGV; my ($left, $why) = (0, 0);
while (@r) {
    my $got = syscall(440, 0, pack("Q*", @r), @r / 2, $advice + 0, 0);
    if ($got > 0) { while ($got > 0 and @r) { $got -= $r[1]; splice(@r, 0, 2); } next; }
    $why = $! + 0; $left += 1; splice(@r, 0, 2);
    last if $why == 1 or $why == 3 or $why == 38;
}
print "$left $why\n";"#;

/// The same.
const PYTHON: &str = r#"import ctypes, struct, sys
call = ctypes.CDLL(None, use_errno=True).syscall
advice, r, left, why = int(sys.argv[1]), [int(word) for word in sys.argv[2:]], 0, 0
while r:
    ranges = struct.pack("Q" * len(r), *r)
    got = call(ctypes.c_long(440), ctypes.c_long(0), ranges, ctypes.c_long(len(r) // 2), ctypes.c_long(advice), ctypes.c_long(0))
    if got > 0:
        while got > 0 and r:
            got -= r[1]
            del r[:2]
        continue
    why, left = ctypes.get_errno(), left + 1
    del r[:2]
    if why in (1, 3, 38):
        break
print(left, why)"#;

/// Programs that make the call, the leaner one first.
const PROGRAMS: [(&str, [&str; 2]); 2] = [("perl", ["-e", PERL]), ("python3", ["-c", PYTHON])];

/// What to say where neither is there.
pub(super) const NO_PROGRAM: &str = key!("there is neither perl nor python3 to make the system call (process_madvise)");

/// Whether one of the programs is there.
pub(super) fn has_program() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    PROGRAMS.iter().any(|(name, _)| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}

/// Advises all that the process has in RAM, a piece at a time; `tell` hears how far it is.
pub(super) fn advise(
    root: &ProcRoot,
    target: &Target,
    advice: Advice,
    control: &Control,
    mut tell: impl FnMut(String),
) -> Result<String, String> {
    let missed = |missed: Missed| format!("{} {missed}", who(target));
    let held = Held::open(root, target.key).map_err(missed)?;
    let pidfd = held.pidfd().ok_or_else(|| format!("{}: {}", who(target), explain(Errno::NOSYS)))?;
    let smaps = held.file("smaps").map_err(|error| format!("{}: {}", who(target), explain(error)))?;
    let mut caller = Caller { pidfd, advice, ranges: Vec::new(), pending: 0, done: Done::default() };
    let mut maps = Ranges::new(BufReader::new(File::from(smaps)));
    let mut end = "";
    while let Some(range) = maps.next().map_err(|error| format!("{}: {error}", who(target)))? {
        if control.is_cancelled() {
            end = ", stopped";
            break;
        }
        for piece in range.pieces() {
            if !caller.add(&piece).map_err(|why| format!("{}: {why}", who(target)))? {
                continue;
            }
            tell(format!("{}: {} looked at", who(target), Bytes(caller.done.bytes)));
            if control.is_cancelled() {
                break;
            }
        }
    }
    if end.is_empty() {
        caller.call().map_err(|why| format!("{}: {why}", who(target)))?;
    }
    let done = caller.done;
    let refused = if done.refused == 0 {
        String::new()
    } else {
        format!(" (the kernel refused {} of {} mappings, locked or special ones)", done.refused, done.ranges)
    };
    let what = match advice {
        Advice::PageOut => "asked to go",
        Advice::Cold => "taken for cold",
    };
    Ok(format!("{}: {} {what}{refused}{end}", who(target), Bytes(done.bytes)))
}

/// What has been advised.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    /// Bytes that were in RAM.
    bytes: u64,
    ranges: usize,
    refused: usize,
}

/// Collects ranges until they are worth a call.
struct Caller {
    pidfd: OwnedFd,
    advice: Advice,
    ranges: Vec<u64>,
    /// Bytes in RAM of those.
    pending: u64,
    done: Done,
}

impl Caller {
    /// Takes a range, and whether that led to a call.
    fn add(&mut self, range: &Range) -> Result<bool, String> {
        self.ranges.extend([range.start, range.end - range.start]);
        self.pending += range.rss;
        let is_due = self.pending >= PIECE || self.ranges.len() >= 2 * MOST_RANGES;
        if is_due {
            self.call()?;
        }
        Ok(is_due)
    }

    /// Advises what has been collected.
    fn call(&mut self) -> Result<(), String> {
        if self.ranges.is_empty() {
            return Ok(());
        }
        let output = self.run()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut words = text.split_whitespace().map(str::parse::<i32>);
        let (Some(Ok(refused)), Some(Ok(why))) = (words.next(), words.next()) else {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("the program that makes the call failed: {}", said.lines().last().unwrap_or_default()));
        };
        let error = (why > 0).then(|| Errno::from_raw_os_error(why));
        if let Some(error @ (Errno::PERM | Errno::SRCH | Errno::NOSYS)) = error {
            return Err(explain(error));
        }
        self.done.bytes += self.pending;
        self.done.ranges += self.ranges.len() / 2;
        self.done.refused += refused as usize;
        self.pending = 0;
        self.ranges.clear();
        Ok(())
    }

    fn run(&self) -> Result<Output, String> {
        let number = match self.advice {
            Advice::Cold => "20",
            Advice::PageOut => "21",
        };
        for (name, script) in PROGRAMS {
            let mut command = Command::new(name);
            command.args(script).arg(number).args(self.ranges.iter().map(u64::to_string));
            let pidfd = self.pidfd.try_clone().map_err(|error| error.to_string())?;
            match command.stdin(Stdio::from(pidfd)).output() {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                other => return other.map_err(|error| format!("{name}: {error}")),
            }
        }
        Err(NO_PROGRAM.into())
    }
}

/// Why the kernel refuses.
fn explain(error: Errno) -> String {
    match error {
        Errno::PERM | Errno::ACCESS => {
            "not permitted: it takes CAP_SYS_NICE and the right to ptrace it: root in most cases".into()
        }
        Errno::SRCH => Missed::Ended.to_string(),
        Errno::NOSYS => "this kernel has no process_madvise (Linux 5.10)".into(),
        other => other.to_string(),
    }
}

/// A mapping, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: u64,
    end: u64,
    /// Bytes in RAM; of a part of a mapping its even share.
    rss: u64,
}

impl Range {
    /// Parts of about a piece each.
    fn pieces(self) -> impl Iterator<Item = Self> {
        let count = self.rss.div_ceil(PIECE).max(1);
        let length = (self.end - self.start).div_ceil(count).next_multiple_of(HUGE);
        let starts = (self.start..self.end).step_by(length as usize);
        starts.map(move |start| Self { start, end: start.saturating_add(length).min(self.end), rss: self.rss / count })
    }
}

/// Mappings of `smaps` that have something in RAM, read line by line: of a large process the file is as well.
struct Ranges<R> {
    lines: R,
    line: Vec<u8>,
    /// The mapping whose lines are being read.
    begun: Option<Range>,
}

impl<R: BufRead> Ranges<R> {
    fn new(lines: R) -> Self {
        Self { lines, line: Vec::new(), begun: None }
    }

    fn next(&mut self) -> std::io::Result<Option<Range>> {
        loop {
            self.line.clear();
            let is_end = self.lines.read_until(b'\n', &mut self.line)? == 0;
            let header = parse_header(&self.line);
            if let Some(kib) = parse_rss(&self.line)
                && let Some(begun) = &mut self.begun
            {
                begun.rss = kib << 10;
            }
            if is_end || header.is_some() {
                let whole = std::mem::replace(&mut self.begun, header).filter(|range| range.rss > 0);
                if is_end || whole.is_some() {
                    return Ok(whole);
                }
            }
        }
    }
}

/// `7f00-7fff rw-p …`.
fn parse_header(line: &[u8]) -> Option<Range> {
    let range = std::str::from_utf8(line.split(|byte| *byte == b' ').next()?).ok()?;
    let (start, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some(Range { start: number(start)?, end: number(end)?, rss: 0 }).filter(|range| range.start < range.end)
}

/// `Rss:      12 kB`.
fn parse_rss(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line.strip_prefix(b"Rss:")?).ok()?;
    text.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &[u8] =
        b"00400000-00500000 r-xp 00000000 08:01 5 /bin/a-b c\nSize: 1024 kB\nRss: 8 kB\nVmFlags: rd ex\n\
        7f0000000000-7f0010000000 rw-p 00000000 00:00 0 \nRss: 196608 kB\nVmFlags: rd wr\n\
        7ffe00000000-7ffe00001000 ---p 00000000 00:00 0\nRss: 0 kB\n";

    #[test]
    fn mappings_with_something_in_ram_are_found() {
        let mut ranges = Ranges::new(SMAPS);
        assert_eq!(ranges.next().unwrap(), Some(Range { start: 0x40_0000, end: 0x50_0000, rss: 8 << 10 }));
        let large = ranges.next().unwrap().unwrap();
        assert_eq!((large.start, large.rss), (0x7f00_0000_0000, 192 << 20));
        assert_eq!((ranges.next().unwrap(), ranges.next().unwrap()), (None, None));
    }

    #[test]
    fn a_large_mapping_is_advised_in_pieces_that_are_all_of_it() {
        let large = Range { start: 0x7f00_0000_1000, end: 0x7f00_1000_0000, rss: 192 << 20 };
        let pieces: Vec<Range> = large.pieces().collect();
        assert_eq!(pieces.len(), 3);
        assert_eq!((pieces[0].start, pieces[2].end), (large.start, large.end));
        assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start), "{pieces:?}");
        let small = Range { rss: 4096, ..large };
        assert_eq!(small.pieces().collect::<Vec<_>>(), [small]);
    }
}
