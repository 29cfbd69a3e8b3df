//! A command of somebody else's, run with facts: it may hang, flood or fail, and none of that holds up who runs it.

use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::model::text::escape;

/// A command line, what it is given, and how long it may take.
#[derive(Debug)]
pub struct Hook<'a> {
    /// For `sh -c`.
    pub command: &'a str,
    /// Added to our own environment.
    pub environment: &'a [(&'static str, String)],
    /// Its standard input.
    pub input: &'a [u8],
    /// After this time it is ended, with all that it started in its process group.
    pub timeout: Duration,
    /// The preference of the OOM killer that it gets: ours may be lowered, and is not to be handed down.
    pub oom_score_adj: i32,
}

/// So much of what it writes is kept; the rest is read and forgotten.
const KEPT: usize = 4096;

/// What writes more than this is read slowly: a flood must not take our time.
const FLOOD: usize = 1 << 20;

/// How long what was asked to end may take.
const LET_GO: Duration = Duration::from_secs(1);

/// Raising our own preference takes no right; where it fails, the hook is run all the same.
const SCRIPT: &str = "{ echo \"$1\" >/proc/self/oom_score_adj; } 2>/dev/null; exec sh -c \"$2\"";

/// Runs it to its end. `Ok` is the last line that it wrote, where it ended with 0.
pub fn run(hook: &Hook<'_>) -> Result<String, String> {
    let failed = |error: io::Error| format!("`{}`: {error}", hook.command);
    let began = Instant::now();
    let input = input(hook.input).map_err(failed)?;
    let (mut output, writer) = io::pipe().map_err(failed)?;
    rustix::io::ioctl_fionbio(&output, true).map_err(|error| failed(error.into()))?;
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "sh", &hook.oom_score_adj.to_string(), hook.command]);
    command.envs(hook.environment.iter().map(|(name, value)| (name, value.replace('\0', ""))));
    command.stdin(input).stdout(writer.try_clone().map_err(failed)?).stderr(writer).process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    // Our copies of the writing end are in it.
    drop(command);
    let deadline = began + hook.timeout;
    let mut kept = Kept::default();
    let ended = watch(&mut child, &mut output, deadline, &mut kept).map_err(failed)?;
    let Some(status) = ended else {
        end(&mut child, &mut output, &mut kept);
        let seconds = hook.timeout.as_secs_f64();
        return Err(format!("`{}`: ended after {seconds} s, it took longer than it may{}", hook.command, kept.told()));
    };
    if status.success() {
        Ok(kept.last_line())
    } else {
        Err(format!("`{}`: {}{}", hook.command, said(status), kept.told()))
    }
}

fn said(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// A file in memory: whether or not it is read, nobody waits for it.
fn input(bytes: &[u8]) -> io::Result<Stdio> {
    let mut file = std::fs::File::from(memfd_create(c"facts", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// Reads what the command writes until it has ended; `None` where its time is up before.
fn watch(
    child: &mut Child,
    output: &mut io::PipeReader,
    deadline: Instant,
    kept: &mut Kept,
) -> io::Result<Option<ExitStatus>> {
    /// How often a kernel without pidfds is asked.
    const STEP: Duration = Duration::from_millis(50);
    let pidfd: Option<OwnedFd> =
        Pid::from_raw(child.id() as i32).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let mut is_open = true;
    loop {
        if let Some(status) = child.try_wait()? {
            // What it started may write on, to nobody.
            kept.take(output);
            return Ok(Some(status));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let wait = if pidfd.is_some() { left } else { left.min(STEP) };
        let timeout = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        let mut fds: Vec<PollFd<'_>> = pidfd.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        if is_open {
            fds.push(PollFd::new(&*output, PollFlags::IN));
        }
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if is_open {
            is_open = kept.take(output);
        } else if pidfd.is_none() {
            std::thread::sleep(wait);
        }
        if kept.total > FLOOD {
            std::thread::sleep(Duration::from_millis(20).min(left));
        }
    }
}

/// Ends the command and all of its process group.
fn end(child: &mut Child, output: &mut io::PipeReader, kept: &mut Kept) {
    let group = Pid::from_raw(child.id() as i32);
    for signal in [Signal::TERM, Signal::KILL] {
        if let Some(group) = group {
            // It fails where all of it has ended.
            let _ = kill_process_group(group, signal);
        }
        if matches!(watch(child, output, Instant::now() + LET_GO, kept), Ok(Some(_))) && signal == Signal::TERM {
            // Who ignored it goes with the next one, whether or not the shell did.
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            return;
        }
    }
}

/// The end of what was written.
#[derive(Default)]
struct Kept {
    tail: Vec<u8>,
    total: usize,
}

impl Kept {
    /// Takes what is there now, up to a bound. False once nothing more can come.
    fn take(&mut self, output: &mut io::PipeReader) -> bool {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..4 {
            match output.read(&mut buffer) {
                Ok(0) => return false,
                Ok(length) => {
                    self.total = self.total.saturating_add(length);
                    self.tail.extend_from_slice(&buffer[..length]);
                    let beyond = self.tail.len().saturating_sub(KEPT);
                    self.tail.drain(..beyond);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }

    /// The last line, harmless and short.
    fn last_line(&self) -> String {
        let lines = self.tail.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let last = lines.rev().find(|line| !line.is_empty()).unwrap_or_default();
        escape(last).chars().take(200).collect()
    }

    fn told(&self) -> String {
        let line = self.last_line();
        if line.is_empty() { String::new() } else { format!(": {line}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(command: &str, timeout: Duration) -> Result<String, String> {
        let environment = [("MEMTIDE_RULE", "r".to_owned())];
        run(&Hook { command, environment: &environment, input: b"{\"facts\":1}\n", timeout, oom_score_adj: 0 })
    }

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn facts_come_in_the_environment_and_on_standard_input() {
        assert_eq!(hook("echo $MEMTIDE_RULE; cat", LONG), Ok("{\"facts\":1}".into()));
        assert_eq!(hook("true", LONG), Ok(String::new()));
    }

    #[test]
    fn a_failure_is_told_with_the_last_words() {
        assert_eq!(
            hook("echo no such app >&2; exit 3", LONG),
            Err("`echo no such app >&2; exit 3`: exit status 3: no such app".into())
        );
        assert!(hook("kill -9 $$", LONG).unwrap_err().contains("signal 9"));
        assert!(hook("/nonexistent/hook", LONG).unwrap_err().contains("exit status 127"));
    }

    #[test]
    fn who_hangs_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("trap '' TERM; sleep 1000 & echo $! >{}; wait", file.display());
        let why = hook(&script, Duration::from_millis(300)).unwrap_err();
        assert!(why.contains("it took longer than it may"), "{why}");
        let pid: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        let pid = Pid::from_raw(pid).unwrap();
        // It is gone, or a zombie that init is about to reap.
        for _ in 0..1000 {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it still runs");
    }

    #[test]
    fn a_flood_is_read_within_bounds() {
        let why = hook("yes flood", Duration::from_millis(500)).unwrap_err();
        assert!(why.ends_with("it took longer than it may: flood") && why.len() < 300, "{why}");
        let long = hook("head -c 300000 /dev/zero | tr '\\0' x; echo; echo end", LONG);
        assert_eq!(long, Ok("end".into()));
    }

    #[test]
    fn who_leaves_a_child_behind_is_not_waited_for() {
        let told = hook("sleep 5 & echo left $!", LONG).unwrap();
        let pid = told.strip_prefix("left ").unwrap().parse().ok().and_then(Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }
}
