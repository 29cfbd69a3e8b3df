//! What tells the runtime of a process, and the limit of that: its executable, its environment, the files it maps, a
//! version beside the executable, a configuration file that its command line names, the counters of a JVM.
//!
//! Every sample holds the executable's name and the settings in the environment (`read_program`), read once for each
//! program that a process executes; [`read_clues`] reads the rest, of one process that somebody looks at.

mod elf;
pub mod environ;
mod foreign;
pub mod hsperf;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use self::environ::parse_settings;
use self::foreign::Root;
use super::files::{Buffer, PidPath, open_at, reading_of_error};
use super::parse::{lines, parse_status, take_number};
use super::root::ProcRoot;
use crate::model::key::ProcessKey;
use crate::model::process::Identity;
use crate::model::reading::{Denial, Need, Reading};
use crate::model::runtime::{Clues, ConfigFile, JvmCounters, RuntimeKind, Settings};
use crate::model::text::Text;

/// Bytes of an environment that are looked at: it may be 2 MiB.
const MOST_ENVIRON: usize = 64 << 10;

/// Bytes of `maps` that are looked at: some hundred thousand mappings.
const MOST_MAPS: usize = 16 << 20;

/// Bytes of a configuration file.
const MOST_CONFIG: usize = 1 << 20;

/// Bytes of a file of counters: HotSpot makes it 32 KiB unless told otherwise.
const MOST_COUNTERS: usize = 1 << 20;

/// Bytes of an executable's path that are kept.
const MOST_PATH: usize = 512;

/// Reads all that tells the runtime of one process, on a machine of so much memory (bytes).
pub fn read_clues(root: &ProcRoot, key: ProcessKey, identity: &Identity, machine: u64) -> Clues {
    match open_process(root, key.pid) {
        Ok(folder) => read_clues_in(folder.as_fd(), key.pid, identity, machine),
        Err(error) => unread(error, machine),
    }
}

/// The same of the process whose folder in procfs this is.
pub(super) fn read_clues_in(folder: BorrowedFd<'_>, pid: u32, identity: &Identity, machine: u64) -> Clues {
    let mut buffer = Buffer::new();
    let exe = reading(read_exe(folder, c"exe"));
    let settings = reading(buffer.read_all(folder, c"environ", MOST_ENVIRON).map(parse_settings));
    let program =
        Identity { exe: exe.as_ref().value().map_or_else(Text::default, |exe| (*exe).clone()), ..identity.clone() };
    let by_name = program.kind();
    let (libraries, shared) = if by_name.is_some_and(is_told_by_name) {
        (Reading::Value(Vec::new()), None)
    } else {
        match buffer.read_all(folder, c"maps", MOST_MAPS).map(parse_maps) {
            Ok((libraries, shared)) => (Reading::Value(libraries), shared),
            Err(error) => (reading_of_error(error), None),
        }
    };
    // The executable of something known was not built by Go.
    let go = if by_name.is_none() {
        open_at(folder, c"exe").ok().and_then(|file| elf::read_go_release(&file))
    } else {
        None
    };
    let outside = Root::open(folder).ok();
    let release = outside.as_ref().and_then(|outside| read_release(outside, by_name, program.exe.as_bytes()));
    let config = config_path(by_name, &identity.command).map(|path| {
        let bytes = outside.as_ref().and_then(|outside| outside.read(path, MOST_CONFIG).ok());
        ConfigFile { path: Text::new(path), lines: bytes.map(|(bytes, _)| about_memory(&bytes)) }
    });
    let is_jvm = by_name == Some(RuntimeKind::Jvm)
        || libraries
            .as_ref()
            .value()
            .is_some_and(|all| all.iter().any(|path| path.as_bytes().ends_with(b"/libjvm.so")));
    let jvm = is_jvm.then(|| read_counters(folder, pid));
    Clues { machine, exe, settings, libraries, shared, go, release, config, jvm }
}

/// Reads the counters of a JVM anew: they move, all else about it stays until it executes something.
pub fn read_jvm_counters(root: &ProcRoot, key: ProcessKey) -> Reading<JvmCounters> {
    open_process(root, key.pid).map_or_else(reading_of_error, |folder| read_counters(folder.as_fd(), key.pid))
}

/// The executable, and the settings of a runtime that takes such, for a sample. What may not be read is empty.
pub(super) fn read_program(proc: impl AsFd, pid: u32, old: &Identity, new: &mut Identity, buffer: &mut Buffer) {
    new.exe = read_exe(&proc, PidPath::new(pid, "exe").as_c_str()).unwrap_or_default();
    let is_same = (&old.exe, &old.comm, &old.command) == (&new.exe, &new.comm, &new.command);
    if is_same {
        new.settings = old.settings.clone();
    } else if new.kind().is_some_and(RuntimeKind::has_settings) {
        let bytes = buffer.read_all(proc, PidPath::new(pid, "environ").as_c_str(), MOST_ENVIRON);
        new.settings = bytes.map(parse_settings).unwrap_or_default();
    }
}

fn open_process(root: &ProcRoot, pid: u32) -> Result<OwnedFd, Errno> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(root.proc.join(pid.to_string()), flags, rustix::fs::Mode::empty())
}

fn read_exe(folder: impl AsFd, path: &std::ffi::CStr) -> Result<Text, Errno> {
    let target = rustix::fs::readlinkat(folder, path, Vec::new())?;
    let bytes = target.as_bytes();
    Ok(Text::new(&bytes[..bytes.len().min(MOST_PATH)]))
}

fn reading<T>(result: Result<T, Errno>) -> Reading<T> {
    result.map_or_else(reading_of_error, Reading::Value)
}

/// Nothing, for one reason.
fn unread(error: Errno, machine: u64) -> Clues {
    Clues {
        machine,
        exe: reading_of_error(error),
        settings: reading_of_error::<Settings>(error),
        libraries: reading_of_error(error),
        shared: None,
        go: None,
        release: None,
        config: None,
        jvm: None,
    }
}

/// Whether the executable says all that the mappings would: of a process with many of them they take a while.
fn is_told_by_name(kind: RuntimeKind) -> bool {
    matches!(
        kind,
        RuntimeKind::Jvm | RuntimeKind::Mysql | RuntimeKind::Redis | RuntimeKind::Memcached | RuntimeKind::Nginx
    )
}

/// How the names of files begin that are mapped for a runtime.
const LIBRARIES: &[&[u8]] =
    &[b"libjvm.so", b"libcoreclr.so", b"libnode.so", b"libpython", b"libruby", b"libperl.so", b"libphp"];

/// The files of runtimes in `/proc/PID/maps` (proc_pid_maps(5)), each once, and the size of the largest shared mapping
/// without a file of its own.
pub fn parse_maps(bytes: &[u8]) -> (Vec<Text>, Option<u64>) {
    let mut libraries: Vec<Text> = Vec::new();
    let mut shared: Option<u64> = None;
    for line in lines(bytes) {
        // "7f00-7f10 rw-s 00000000 00:01 1234    /dev/zero (deleted)"
        let mut fields = line.splitn(6, |byte| *byte == b' ');
        let (Some(range), Some(rights)) = (fields.next(), fields.next()) else { continue };
        let Some(name) = fields.nth(3).map(<[u8]>::trim_ascii_start) else { continue };
        let is_nameless = name.starts_with(b"/dev/zero") || name.starts_with(b"/anon_hugepage");
        if is_nameless && rights.get(3) == Some(&b's') {
            shared = shared.max(length(range));
        }
        let file = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let is_of_runtime = LIBRARIES.iter().any(|library| file.starts_with(library));
        if is_of_runtime && !libraries.iter().any(|known| known.as_bytes() == name) {
            libraries.push(Text::new(name));
        }
    }
    (libraries, shared)
}

/// The length of `first-end` in hexadecimal.
fn length(range: &[u8]) -> Option<u64> {
    let (first, end) = std::str::from_utf8(range).ok()?.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    number(end)?.checked_sub(number(first)?)
}

/// The version that a file beside the executable tells: the headers that Node.js is installed with, the `release` file
/// of a JDK.
fn read_release(outside: &Root, kind: Option<RuntimeKind>, exe: &[u8]) -> Option<Text> {
    // `PREFIX/bin/node`.
    let mut parts = exe.rsplitn(3, |byte| *byte == b'/');
    let (_, _, prefix) = (parts.next()?, parts.next()?, parts.next()?);
    let read = |name: &[u8]| outside.read(&[prefix, name].concat(), 64 << 10).ok().map(|(bytes, _)| bytes);
    match kind? {
        RuntimeKind::Node => node_version(&read(b"/include/node/node_version.h")?),
        RuntimeKind::Jvm => {
            let bytes = read(b"/release")?;
            let line = lines(&bytes).find_map(|line| line.strip_prefix(b"JAVA_VERSION="))?;
            Some(Text::new(line.trim_ascii().strip_prefix(b"\"")?.strip_suffix(b"\"")?))
        }
        _ => None,
    }
}

fn node_version(header: &[u8]) -> Option<Text> {
    let number = |name: &[u8]| {
        let mut rest = lines(header).find_map(|line| line.strip_prefix(b"#define ")?.strip_prefix(name))?;
        take_number(&mut rest)
    };
    let (major, minor) = (number(b"NODE_MAJOR_VERSION ")?, number(b"NODE_MINOR_VERSION ")?);
    Some(Text::new(format!("{major}.{minor}.{}", number(b"NODE_PATCH_VERSION ")?).into_bytes()))
}

/// The configuration file that a command line names, by its whole path.
fn config_path(kind: Option<RuntimeKind>, command: &Text) -> Option<&[u8]> {
    let first = command.as_bytes().split(|byte| *byte == b' ').nth(1)?;
    (kind == Some(RuntimeKind::Redis) && first.starts_with(b"/")).then_some(first)
}

/// The lines of a configuration about memory: others hold passwords.
fn about_memory(bytes: &[u8]) -> Text {
    let kept: Vec<&[u8]> = lines(bytes).filter(|line| line.trim_ascii_start().starts_with(b"maxmemory")).collect();
    Text::new(kept.join(&b'\n'))
}

/// Looks for the counters of a JVM in every user's folder; the file has the process's number in its own namespace, and
/// must be its own user's: anybody may make such a folder.
fn read_counters(folder: BorrowedFd<'_>, pid: u32) -> Reading<JvmCounters> {
    let mut buffer = Buffer::new();
    let (owner, number) = match buffer.read_record(folder, c"status") {
        Ok(bytes) => (parse_status(bytes).0, number_inside(bytes).unwrap_or(u64::from(pid))),
        Err(error) => return reading_of_error(error),
    };
    let outside = match Root::open(folder) {
        Ok(outside) => outside,
        Err(error) => return reading_of_error(error),
    };
    let folders = outside.list(b"/tmp", b"hsperfdata_", 64).unwrap_or_default();
    let mut is_denied = false;
    for name in folders {
        let path = [b"/tmp/".as_slice(), &name, b"/", number.to_string().as_bytes()].concat();
        match outside.read(&path, MOST_COUNTERS) {
            Ok((bytes, uid)) if owner == Some(uid) => {
                if let Some(counters) = hsperf::parse_counters(&bytes) {
                    return Reading::Value(counters);
                }
            }
            Err(Errno::ACCESS | Errno::PERM) => is_denied = true,
            _ => {}
        }
    }
    if is_denied { Reading::Denied(Denial::Ptrace) } else { Reading::Unsupported(Need::NotApplicable) }
}

/// The process's number in the innermost namespace (`NSpid`, Linux 4.1).
fn number_inside(status: &[u8]) -> Option<u64> {
    let line = lines(status).find_map(|line| line.strip_prefix(b"NSpid:"))?;
    line.split(u8::is_ascii_whitespace).rev().find_map(|mut word| take_number(&mut word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_files_of_runtimes_are_found_among_the_mappings() {
        let maps = b"55d0-55d1 r-xp 00000000 08:01 12                  /usr/lib/jvm/bin/java\n\
            7f00-7f10 r--p 00000000 08:01 13                  /usr/lib/jvm/lib/server/libjvm.so\n\
            7f10-7f20 r-xp 00000000 08:01 13                  /usr/lib/jvm/lib/server/libjvm.so\n\
            7f20-7f30 rw-s 00000000 00:01 1024                /dev/zero (deleted)\n\
            7f30-7f80 rw-s 00000000 00:01 1025                /dev/zero (deleted)\n\
            7f80-7fff rw-p 00000000 00:00 0 \n\
            7fff-8fff rw-p 00000000 00:01 9                   /dev/zero (deleted)\n";
        let (libraries, shared) = parse_maps(maps);
        assert_eq!(libraries, ["/usr/lib/jvm/lib/server/libjvm.so".into()]);
        assert_eq!(shared, Some(0x50));
        assert_eq!(parse_maps(b""), (Vec::new(), None));
    }

    #[test]
    fn the_version_of_node_is_in_its_header() {
        let header = b"#define NODE_MAJOR_VERSION 20\n#define NODE_MINOR_VERSION 11\n#define NODE_PATCH_VERSION 1\n";
        assert_eq!(node_version(header), Some("20.11.1".into()));
        assert_eq!(node_version(b"#define NODE_MAJOR_VERSION 20\n"), None);
    }

    #[test]
    fn a_number_inside_a_container_is_the_last() {
        assert_eq!(number_inside(b"Name:\tjava\nNSpid:\t4711\t17\n"), Some(17));
        assert_eq!(number_inside(b"Name:\tjava\n"), None);
    }

    #[test]
    fn passwords_in_a_configuration_are_not_kept() {
        let lines =
            about_memory(b"requirepass hunter2\nmaxmemory 1gb\n # maxmemory 2gb\nmaxmemory-policy noeviction\n");
        assert_eq!(lines, "maxmemory 1gb\nmaxmemory-policy noeviction".into());
    }

    #[test]
    fn our_own_program_is_read_and_has_no_runtime() {
        let key = ProcessKey { pid: std::process::id(), start_time: 0 };
        let clues = read_clues(&ProcRoot::live(), key, &Identity::default(), 1);
        let exe = std::fs::read_link("/proc/self/exe").unwrap();
        assert_eq!(clues.exe.value().map(|exe| exe.escaped().into_owned()), exe.to_str().map(str::to_owned));
        assert_eq!((clues.libraries, clues.go, clues.jvm), (Reading::Value(Vec::new()), None, None));
    }

    proptest! {
        #[test]
        fn any_mappings_decode_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            parse_maps(&bytes);
            number_inside(&bytes);
            node_version(&bytes);
        }
    }
}
