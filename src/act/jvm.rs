//! Requests to a HotSpot JVM through its attach mechanism, as jcmd makes them: a file `.attach_pidN` and SIGQUIT make
//! the JVM listen on the socket `/tmp/.java_pidN` in its own file system; a request is version, command and three
//! arguments, a NUL after each; the answer is a line with a number and then text
//! (`src/hotspot/os/posix/attachListener_posix.cpp`, OpenJDK).

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Gid, Uid};

use super::control::Control;
use super::effect::{Signal, Target};
use super::process::Held;
use super::words::who;
use crate::collect::root::ProcRoot;
use crate::units::Bytes;

/// How long a JVM may take to listen.
const LISTEN: Duration = Duration::from_secs(15);

/// How long a request may take: a collection of a large heap, a dump to a slow disk.
const ANSWER: Duration = Duration::from_mins(10);

/// How often it is looked whether there is news.
const STEP: Duration = Duration::from_millis(20);

/// The longest answer that is read.
const MOST: u64 = 64 << 10;

/// The longest histogram: a line of some hundred bytes for each of a million classes.
const MOST_CLASSES: u64 = 128 << 20;

/// SIGQUIT, and its bit in the masks of `/proc/PID/status`.
const QUIT: Signal = Signal(3);
const QUIT_BIT: u64 = 1 << 2;

/// What `/proc/PID/status` and `maps` say of a JVM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Jvm {
    /// Its pid in its own namespace.
    pid: u32,
    uid: u32,
    gid: u32,
}

/// Finds out whether a process is a JVM that takes requests. A process that does not handle SIGQUIT would end by it.
pub(super) fn recognise(held: &Held<'_>) -> Result<Jvm, String> {
    let maps = held.read("maps").map_err(|error| format!("its mappings can't be read ({error})"))?;
    let maps = String::from_utf8_lossy(&maps);
    let has =
        |library: &str| maps.lines().any(|line| line.ends_with(library) || line.contains(&format!("{library} (")));
    if !has("/libjvm.so") {
        return Err("it is no JVM: libjvm.so is not mapped".into());
    }
    if maps.contains("/libj9") {
        return Err("it is OpenJ9, which takes requests in another way".into());
    }
    let status = held.read("status").map_err(|error| format!("its status can't be read ({error})"))?;
    parse(&String::from_utf8_lossy(&status))
}

fn parse(status: &str) -> Result<Jvm, String> {
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or("");
    let caught = u64::from_str_radix(line("SigCgt").trim(), 16).unwrap_or(0);
    if caught & QUIT_BIT == 0 {
        return Err("it does not handle SIGQUIT (-Xrs), so it takes no requests and would end by it".into());
    }
    // The effective one is the second of four; the innermost namespace's pid is the last.
    let effective = |name: &str| line(name).split_whitespace().nth(1).and_then(|id| id.parse().ok());
    let pid = line("NSpid").split_whitespace().last().or_else(|| line("Pid").split_whitespace().last());
    let jvm = || Some(Jvm { pid: pid?.parse().ok()?, uid: effective("Uid")?, gid: effective("Gid")? });
    jvm().ok_or_else(|| "its status can't be understood".into())
}

/// A JVM that listens.
struct Attached<'a> {
    held: &'a Held<'a>,
    target: &'a Target,
    jvm: Jvm,
    /// Its `/tmp`.
    tmp: OwnedFd,
}

/// Asks for a full collection and says what it freed.
pub(super) fn collect_garbage(root: &ProcRoot, target: &Target, control: &Control) -> Result<String, String> {
    let told = |why: String| format!("{}: {why}", who(target));
    let held = Held::open(root, target.key).map_err(|missed| format!("{} {missed}", who(target)))?;
    let jvm = Attached::open(&held, target, control).map_err(told)?;
    let used = || jvm.ask(&["jcmd", "GC.heap_info"], control).ok().as_deref().and_then(heap_used);
    let before = used();
    jvm.ask(&["jcmd", "GC.run"], control).map_err(told)?;
    Ok(match before.zip(used()) {
        Some((before, after)) => {
            format!("{}: collected, {} of heap in use before and {} after", who(target), Bytes(before), Bytes(after))
        }
        None => format!("{}: collected", who(target)),
    })
}

/// Asks for a dump of the live objects.
pub(super) fn dump_heap(root: &ProcRoot, target: &Target, file: &str, control: &Control) -> Result<String, String> {
    let told = |why: String| format!("{}: {why}", who(target));
    let held = Held::open(root, target.key).map_err(|missed| format!("{} {missed}", who(target)))?;
    let jvm = Attached::open(&held, target, control).map_err(told)?;
    let answer = jvm.ask(&["dumpheap", file, "-live"], control).map_err(told)?;
    // "Dumping heap to … ...\nHeap dump file created [2093 bytes in 0.005 secs]", or why not.
    let last = answer.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("").to_owned();
    if last.contains("created") { Ok(told(format!("{file}: {last}"))) } else { Err(told(format!("{file}: {last}"))) }
}

/// Asks for the histogram of its classes: of live objects, which a full collection finds first, or of all.
pub(super) fn class_histogram(
    root: &ProcRoot,
    target: &Target,
    all: bool,
    deadline: Instant,
    control: &Control,
) -> Result<String, String> {
    let told = |why: String| format!("{}: {why}", who(target));
    let held = Held::open(root, target.key).map_err(|missed| format!("{} {missed}", who(target)))?;
    let jvm = Attached::open(&held, target, control).map_err(told)?;
    let command = if all { "GC.class_histogram -all" } else { "GC.class_histogram" };
    jvm.ask_for(&["jcmd", command], MOST_CLASSES, deadline, control).map_err(told)
}

/// Bytes in use in the answer of `GC.heap_info`: the sum of `total 12K, used 3K` over the lines of the heap. Metaspace
/// is none of it.
fn heap_used(answer: &str) -> Option<u64> {
    let heap = answer.lines().take_while(|line| !line.trim_start().starts_with("Metaspace"));
    let kib = |line: &str| {
        let (_, rest) = line.split_once(" used ")?;
        rest.split_once('K')?.0.parse::<u64>().ok()
    };
    let used: Vec<u64> = heap.filter_map(kib).collect();
    (!used.is_empty()).then(|| used.iter().sum::<u64>() << 10)
}

impl<'a> Attached<'a> {
    /// Makes the JVM listen, unless it does.
    fn open(held: &'a Held<'a>, target: &'a Target, control: &Control) -> Result<Self, String> {
        let jvm = recognise(held)?;
        let told = |error: Errno| format!("its /tmp can't be opened ({error})");
        let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(held.folder(), "root", folder, Mode::empty()).map_err(told)?;
        // Its file system is not ours: a link there could lead anywhere here.
        let tmp = openat(&root, "tmp", folder | OFlags::NOFOLLOW, Mode::empty()).map_err(told)?;
        let attached = Self { held, target, jvm, tmp };
        if attached.is_listening()? {
            return Ok(attached);
        }
        let trigger = format!(".attach_pid{}", jvm.pid);
        attached.make(&trigger)?;
        let heard = attached.wait_until_it_listens(control);
        // It is the JVM's to take notice of, and ours to remove.
        let _ = unlinkat(&attached.tmp, trigger.as_str(), AtFlags::empty());
        heard?;
        Ok(attached)
    }

    fn make(&self, trigger: &str) -> Result<(), String> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&self.tmp, trigger, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => {
                // JVMs before 9 want it to be their user's; who is neither that user nor root can't, and is refused.
                let (uid, gid) = (Uid::from_raw(self.jvm.uid), Gid::from_raw(self.jvm.gid));
                let _ = rustix::fs::fchown(file, Some(uid), Some(gid));
                Ok(())
            }
            // Somebody else asks as well.
            Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(format!("/tmp/{trigger} can't be made in its file system ({error})")),
        }
    }

    fn wait_until_it_listens(&self, control: &Control) -> Result<(), String> {
        self.held.send(QUIT).map_err(|missed| missed.to_string())?;
        let deadline = Instant::now() + LISTEN;
        while !self.is_listening()? {
            if control.wait(STEP) {
                return Err("stopped before it listened".into());
            }
            if deadline < Instant::now() {
                return Err(format!(
                    "it does not listen after {} s (-XX:+DisableAttachMechanism, stopped, or busy)",
                    LISTEN.as_secs()
                ));
            }
        }
        Ok(())
    }

    fn socket(&self) -> String {
        format!(".java_pid{}", self.jvm.pid)
    }

    /// Whether its socket is there, and its own.
    fn is_listening(&self) -> Result<bool, String> {
        match statat(&self.tmp, self.socket(), AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(format!("/tmp/{}: {error}", self.socket())),
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::Socket || stat.st_uid != self.jvm.uid => {
                Err(format!("/tmp/{} is not its own socket", self.socket()))
            }
            Ok(_) => Ok(true),
        }
    }

    /// Makes a request and gives the text of the answer.
    fn ask(&self, words: &[&str], control: &Control) -> Result<String, String> {
        self.ask_for(words, MOST, Instant::now() + ANSWER, control)
    }

    /// The same for an answer of up to `most` bytes until `deadline`.
    fn ask_for(&self, words: &[&str], most: u64, deadline: Instant, control: &Control) -> Result<String, String> {
        let path = format!("/proc/self/fd/{}/{}", std::os::fd::AsRawFd::as_raw_fd(&self.tmp), self.socket());
        let failed = |error: std::io::Error| format!("/tmp/{}: {error}", self.socket());
        let mut stream = UnixStream::connect(path).map_err(failed)?;
        // Whoever owns the folder could have put another one's socket there.
        let peer = socket_peercred(&stream).map_err(|error| failed(error.into()))?;
        if peer.pid.as_raw_pid() as u32 != self.target.key.pid {
            return Err(format!("/tmp/{} is another process's", self.socket()));
        }
        let mut request = b"1\0".to_vec();
        for nth in 0..4 {
            request.extend(words.get(nth).unwrap_or(&"").bytes());
            request.push(0);
        }
        stream.write_all(&request).map_err(failed)?;
        stream.set_read_timeout(Some(STEP)).map_err(failed)?;
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        loop {
            match stream.read(&mut part) {
                Ok(0) => break,
                Ok(count) => answer.extend(&part[..count]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                }
                Err(error) => return Err(failed(error)),
            }
            if answer.len() as u64 > most {
                break;
            }
            if control.is_cancelled() || deadline < Instant::now() {
                return Err("no longer waited for: it goes on by itself".into());
            }
        }
        split(&answer)
    }
}

/// The text of an answer, or why there is none.
fn split(answer: &[u8]) -> Result<String, String> {
    let text = crate::model::text::escape(answer).replace("\\n", "\n");
    let (code, rest) = text.split_once('\n').unwrap_or((&text, ""));
    if code.trim() == "0" { Ok(rest.to_owned()) } else { Err(format!("it refused: {} {}", code.trim(), rest.trim())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_by_the_signal_gets_none() {
        let status =
            |mask: &str| format!("Uid:\t0\t1000\t0\t0\nGid:\t0\t1001\t0\t0\nNSpid:\t4321\t7\nSigCgt:\t{mask}\n");
        assert_eq!(parse(&status("2000000181005ccf")), Ok(Jvm { pid: 7, uid: 1000, gid: 1001 }));
        assert!(parse(&status("2000000181005cc8")).unwrap_err().contains("SIGQUIT"));
        assert!(parse("").unwrap_err().contains("SIGQUIT"));
    }

    #[test]
    fn heap_in_use_is_that_of_all_generations_and_not_metaspace() {
        let g1 = " garbage-first heap   total 258048K, used 3072K [0x1, 0x2)\n  region size 1024K, 3 young (3072K)\n \
                  Metaspace       used 1022K, committed 1152K\n  class space    used 90K\n";
        assert_eq!(heap_used(g1), Some(3072 << 10));
        let serial = " def new generation   total 78656K, used 10K [0x1)\n  eden space 69952K,   1% used [0x1)\n \
                      tenured generation   total 174784K, used 90K [0x1)\n Metaspace       used 5K\n";
        assert_eq!(heap_used(serial), Some(100 << 10));
        assert_eq!(heap_used("nothing"), None);
    }

    #[test]
    fn an_answer_that_is_no_success_is_told() {
        assert_eq!(split(b"0\nCommand executed\n"), Ok("Command executed\n".into()));
        assert_eq!(split(b"101\nUnknown\x1b[2J"), Err("it refused: 101 Unknown\\x1b[2J".into()));
        assert!(split(b"").is_err());
    }
}
