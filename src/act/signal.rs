//! The signals of Linux, by name (signal(7)).

use std::borrow::Cow;

use rustix_libc_wrappers::process::SignalExt as _;

use super::effect::Signal;

/// A signal and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The signal.
    pub signal: Signal,
    /// Its name without `SIG`.
    pub name: Cow<'static, str>,
    /// What it is for.
    pub help: &'static str,
}

/// Asks a process to end.
pub const TERM: Signal = Signal(15);
/// Ends a process: it can't be caught.
pub const KILL: Signal = Signal(9);

/// Every signal with a name: those that people send first, then by number. The numbers are those of x86 and Arm.
const NAMED: [(i32, &str, &str); 31] = [
    (15, "TERM", key!("asks to end")),
    (9, "KILL", key!("ends at once; it can't be caught, nothing is saved")),
    (2, "INT", key!("as Ctrl-C")),
    (1, "HUP", key!("terminal gone; many servers read their configuration again")),
    (19, "STOP", key!("stops until CONT; it can't be caught")),
    (18, "CONT", key!("goes on after STOP")),
    (10, "USR1", key!("the program's own; Node opens its inspector")),
    (12, "USR2", key!("the program's own")),
    (3, "QUIT", key!("as Ctrl-\\: core dump; the JVM prints its threads")),
    (6, "ABRT", key!("ends with a core dump")),
    (4, "ILL", key!("illegal instruction")),
    (5, "TRAP", key!("trace or breakpoint trap")),
    (7, "BUS", key!("bus error")),
    (8, "FPE", key!("arithmetic error")),
    (11, "SEGV", key!("invalid memory reference")),
    (13, "PIPE", key!("nobody reads the pipe")),
    (14, "ALRM", key!("timer of alarm(2)")),
    (16, "STKFLT", key!("unused")),
    (17, "CHLD", key!("a child ended; makes a parent look for zombies")),
    (20, "TSTP", key!("as Ctrl-Z")),
    (21, "TTIN", key!("background read from the terminal")),
    (22, "TTOU", key!("background write to the terminal")),
    (23, "URG", key!("urgent data on a socket")),
    (24, "XCPU", key!("CPU time limit exceeded")),
    (25, "XFSZ", key!("file size limit exceeded")),
    (26, "VTALRM", key!("virtual timer")),
    (27, "PROF", key!("profiling timer")),
    (28, "WINCH", key!("terminal resized")),
    (29, "IO", key!("I/O possible")),
    (30, "PWR", key!("power failure")),
    (31, "SYS", key!("bad system call")),
];

/// All signals that can be sent, as a menu lists them.
pub fn menu() -> impl Iterator<Item = Known> {
    let named =
        NAMED.iter().map(|(number, name, help)| Known { signal: Signal(*number), name: Cow::Borrowed(name), help });
    let real_time = (32..=64).map(Signal).filter(|signal| native(*signal).is_some()).map(|signal| Known {
        signal,
        name: name(signal),
        help: "real-time: the program's own",
    });
    named.chain(real_time)
}

/// The signal's name without `SIG`: `TERM`, `RTMIN+3`.
pub fn name(signal: Signal) -> Cow<'static, str> {
    match NAMED.iter().find(|(number, ..)| *number == signal.0) {
        Some((_, name, _)) => Cow::Borrowed(name),
        None => Cow::Owned(format!("RTMIN+{}", signal.0 - 34)),
    }
}

/// Whether a process that does not handle it ends by it (signal(7), "Standard signals").
pub fn is_fatal(signal: Signal) -> bool {
    !matches!(signal.0, 17..=23 | 28)
}

/// The form that system calls take; `None` for numbers that are no signal or that the C library keeps for itself.
pub(super) fn native(signal: Signal) -> Option<rustix::process::Signal> {
    // 32 and 33 are the C library's own, for threads and timers; musl keeps 34 too.
    rustix::process::Signal::from_raw(signal.0).filter(|_| !matches!(signal.0, 32 | 33))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_menu_begins_with_term_and_has_every_signal_once() {
        let numbers: Vec<i32> = menu().map(|known| known.signal.0).collect();
        assert_eq!(numbers[0], TERM.0);
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), numbers.len());
        assert!((1..=31).all(|number| numbers.contains(&number)));
        assert!(numbers.contains(&64) && !numbers.contains(&32));
    }

    #[test]
    fn names_are_those_of_the_kernel() {
        assert_eq!(name(TERM), "TERM");
        assert_eq!(name(Signal(37)), "RTMIN+3");
        // rustix spells some names out; the letters of ours are in theirs in the same order.
        for (number, ours, _) in NAMED {
            let theirs = format!("{:?}", native(Signal(number)).unwrap()).to_uppercase();
            let mut letters = theirs.chars();
            assert!(ours.chars().all(|ours| letters.any(|theirs| theirs == ours)), "{number}: {ours} is not {theirs}");
        }
    }

    #[test]
    fn signals_that_do_not_end_a_process_are_known() {
        assert!(is_fatal(TERM) && is_fatal(KILL) && is_fatal(Signal(10)) && is_fatal(Signal(40)));
        assert!(!is_fatal(Signal(18)) && !is_fatal(Signal(19)) && !is_fatal(Signal(28)));
    }
}
