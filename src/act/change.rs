//! CHANGES: every change that can be asked for, declared once. The menu, the palette, `memtide act` and the table of
//! `assets/docs/act.md` are made from it.

use std::fmt::Write as _;
use std::time::Duration;

use super::effect::{Advice, DropLevel, Effect, GroupTarget, Knob, Resource, Signal, Target};
use super::heap::Options;
use super::signal;
use crate::units::parse_bytes;

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "CHANGES has the title and the help of each")]
pub enum Change {
    Signal,
    OomScoreAdj,
    OpenFiles,
    AddressSpace,
    PageOut,
    Cold,
    CollectGarbage,
    DumpHeap,
    HeapSnapshot,
    Reclaim,
    MemoryHigh,
    MemoryMax,
    DropCaches,
    RecycleSwap,
}

/// Whom a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// A process.
    Process,
    /// The control group of a process.
    Group,
    /// The machine.
    Machine,
}

impl On {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Group => "group",
            Self::Machine => "machine",
        }
    }
}

/// A row of the table.
#[derive(Debug)]
pub struct ChangeSpec {
    /// The change.
    pub change: Change,
    /// Its word in the palette and in `memtide act`.
    pub word: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does, in one sentence.
    pub help: &'static str,
    /// Whom it is about.
    pub on: On,
    /// What value it takes, with an example; `None` where it takes none.
    pub value: Option<&'static str>,
}

macro_rules! changes {
    ($($on:ident $change:ident $word:literal $title:literal [$($value:literal)?] $help:literal;)*) => {
        /// Every change.
        pub const CHANGES: &[ChangeSpec] = &[$(ChangeSpec {
            change: Change::$change, word: $word, title: $title, help: $help, on: On::$on, value: optional!($($value)?),
        },)*];
    };
}

macro_rules! optional {
    () => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

changes! {
    Process Signal "signal" "Send a signal …" ["TERM, KILL, 10 or TERM+KILL"] "Sends a signal through its pidfd; TERM+KILL ends after 5 s who is still there.";
    Process OomScoreAdj "oom_score_adj" "Preference of the OOM killer …" ["-1000 (never) to 1000 (first)"] "Says how readily the OOM killer chooses it.";
    Process OpenFiles "nofile" "Limit of open files …" ["65536, unlimited or SOFT:HARD"] "Changes RLIMIT_NOFILE of the running process.";
    Process AddressSpace "address_space" "Limit of address space …" ["4G, unlimited or SOFT:HARD"] "Changes RLIMIT_AS of the running process.";
    Process PageOut "pageout" "Page out" [] "Moves what it has in RAM to swap, and drops what is in files; each page returns as it is used.";
    Process Cold "cold" "Take for cold" [] "Makes its memory the first to go once the machine needs some.";
    Process CollectGarbage "gc" "Collect garbage (JVM)" [] "Asks a JVM for a full collection, as jcmd GC.run does.";
    Process DumpHeap "heap_dump" "Dump the heap (JVM) …" ["/var/tmp/app.hprof"] "Asks a JVM to write its live objects to a new file.";
    Process HeapSnapshot "heap_snapshot" "Heap snapshot (Node.js) …" ["/var/tmp/app.heapsnapshot"] "Writes the live objects of a Node.js process to a new file; its inspector is opened for that and closed again.";
    Group Reclaim "reclaim" "Reclaim memory …" ["100M or all; on cgroup v1 all"] "Takes cache away, and memory to swap, without a limit.";
    Group MemoryHigh "memory.high" "Set memory.high …" ["400M or max"] "Slows the group down above it; kills nobody.";
    Group MemoryMax "memory.max" "Set memory.max …" ["500M or max"] "Lets the group have no more; kills in it where it must.";
    Machine DropCaches "drop_caches" "Drop caches …" ["1 (page cache), 2 (dentries and inodes) or 3 (both)"] "Gives clean caches back.";
    Machine RecycleSwap "recycle_swap" "Recycle swap" [] "Brings back into RAM what lies in swap, where that covers it.";
}

/// Who was chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subject {
    /// Processes.
    pub targets: Vec<Target>,
    /// The control group of all of them, or why there is not one.
    pub group: Option<GroupTarget>,
}

/// How long TERM has before KILL.
pub const GRACE: Duration = Duration::from_secs(5);

impl Change {
    /// Its row.
    pub fn spec(self) -> &'static ChangeSpec {
        // A test holds the table to one row a change.
        CHANGES.iter().find(|spec| spec.change == self).unwrap_or(&CHANGES[0])
    }

    /// The change of a word; a hyphen is as good as an underline.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.replace('-', "_");
        CHANGES.iter().find(|spec| spec.word == word).map(|spec| spec.change)
    }

    /// The effect with a value, on who was chosen.
    pub fn effect(self, value: &str, subject: &Subject) -> Result<Effect, String> {
        let value = value.trim();
        let spec = self.spec();
        if let (Some(form), "") = (spec.value, value) {
            return Err(tr!("{word}: it takes a value: {form}", word = spec.word, form));
        }
        if spec.value.is_none() && !value.is_empty() {
            return Err(tr!("{word}: it takes no value", word = spec.word));
        }
        let wrong = || {
            tr!(
                "{word}: `{value}` is no value: write {form}",
                word = spec.word,
                value,
                form = spec.value.unwrap_or_default()
            )
        };
        let target = || match subject.targets.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(tr!("{word}: of which process?", word = spec.word)),
            many => Err(tr!("{word}: one process at a time, and not {many}", word = spec.word, many = many.len())),
        };
        let group = || {
            subject.group.clone().ok_or_else(|| tr!("{word}: of which control group? One at a time", word = spec.word))
        };
        Ok(match self {
            Self::Signal => {
                let (signal, escalate) = parse_signal(value).ok_or_else(wrong)?;
                if subject.targets.is_empty() {
                    return Err(tr!("{word}: to which process?", word = spec.word));
                }
                Effect::Signal { targets: subject.targets.clone(), signal, escalate }
            }
            Self::OomScoreAdj => {
                let to = value.parse().ok().filter(|to| (-1000..=1000).contains(to)).ok_or_else(wrong)?;
                Effect::OomScoreAdj { target: target()?, to }
            }
            Self::OpenFiles => {
                let (soft, hard) = parse_limits(value, |text| text.parse().ok()).ok_or_else(wrong)?;
                Effect::Limit { target: target()?, resource: Resource::OpenFiles, soft, hard }
            }
            Self::AddressSpace => {
                let bytes = |text: &str| parse_bytes(text).ok().map(|bytes| bytes.0);
                let (soft, hard) = parse_limits(value, bytes).ok_or_else(wrong)?;
                Effect::Limit { target: target()?, resource: Resource::AddressSpace, soft, hard }
            }
            Self::PageOut => Effect::Advise { target: target()?, advice: Advice::PageOut },
            Self::Cold => Effect::Advise { target: target()?, advice: Advice::Cold },
            Self::CollectGarbage => Effect::CollectGarbage(target()?),
            Self::DumpHeap | Self::HeapSnapshot => {
                if !value.starts_with('/') || value.contains(['\0', '\n']) {
                    let example = spec.value.unwrap_or_default();
                    return Err(tr!(
                        "{word}: `{value}` is no absolute path, as in {example}",
                        word = spec.word,
                        value,
                        example
                    ));
                }
                let (target, file) = (target()?, value.to_owned());
                if self == Self::DumpHeap {
                    Effect::DumpHeap { target, file }
                } else {
                    Effect::HeapSnapshot { target, file, options: Options::default() }
                }
            }
            Self::Reclaim => {
                let amount = if value == "all" { None } else { Some(at_least_a_byte(value).ok_or_else(wrong)?) };
                Effect::Reclaim { group: group()?, amount }
            }
            Self::MemoryHigh | Self::MemoryMax => {
                let to = if value == "max" { None } else { Some(at_least_a_byte(value).ok_or_else(wrong)?) };
                let knob = if self == Self::MemoryHigh { Knob::High } else { Knob::Max };
                Effect::Bound { group: group()?, knob, to }
            }
            Self::DropCaches => Effect::DropCaches(match value {
                "1" => DropLevel::PageCache,
                "2" => DropLevel::Slab,
                "3" => DropLevel::Both,
                _ => return Err(wrong()),
            }),
            Self::RecycleSwap => Effect::RecycleSwap,
        })
    }
}

fn at_least_a_byte(text: &str) -> Option<u64> {
    parse_bytes(text).ok().map(|bytes| bytes.0).filter(|bytes| *bytes > 0)
}

/// `TERM`, `SIGTERM`, `15`, and with `+KILL` what happens to who is still there.
fn parse_signal(text: &str) -> Option<(Signal, Option<Duration>)> {
    let upper = text.to_ascii_uppercase();
    let (first, escalate) = match upper.strip_suffix("+KILL").or_else(|| upper.strip_suffix("+SIGKILL")) {
        Some(first) => (first, Some(GRACE)),
        None => (upper.as_str(), None),
    };
    let name = first.strip_prefix("SIG").unwrap_or(first);
    let number = name.parse().ok();
    let known = signal::menu().find(|known| known.name == name || Some(known.signal.0) == number)?;
    Some((known.signal, escalate))
}

/// `SOFT` or `SOFT:HARD`; `unlimited` for none.
fn parse_limits(text: &str, one: impl Fn(&str) -> Option<u64>) -> Option<(Option<u64>, Option<u64>)> {
    let limit = |text: &str| if text == "unlimited" { Some(None) } else { one(text).map(Some) };
    match text.split_once(':') {
        // A hard limit is named to be lowered or to be raised: without end it is by the soft one alone.
        Some((soft, hard)) => {
            let (soft, hard) = (limit(soft)?, one(hard)?);
            soft.is_some_and(|soft| soft <= hard).then_some((soft, Some(hard)))
        }
        None => Some((limit(text)?, None)),
    }
}

/// The table of changes for `assets/docs/act.md`.
pub fn changes_markdown() -> String {
    let mut table = String::from("| word | value | on | what it does |\n| --- | --- | --- | --- |\n");
    for spec in CHANGES {
        let value = spec.value.unwrap_or("");
        // Writing into a String can't fail.
        let _ = writeln!(table, "| `{}` | {value} | {} | {} |", spec.word, spec.on.word(), spec.help);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::words;
    use crate::model::cgroup::CgroupVersion;
    use crate::model::key::ProcessKey;
    use crate::model::text::Text;

    fn subject() -> Subject {
        let target = Target {
            key: ProcessKey { pid: 1234, start_time: 9 },
            uid: 0,
            user: "app".into(),
            command: "node app.js".into(),
        };
        let group = GroupTarget { path: Text::from("/a b"), version: CgroupVersion::V2, via: None };
        Subject { targets: vec![target], group: Some(group) }
    }

    #[test]
    fn every_change_is_in_the_table_once_with_one_word() {
        for (nth, spec) in CHANGES.iter().enumerate() {
            // The variants' numbers are the places of their rows.
            assert_eq!(spec.change as usize, nth, "{}", spec.word);
            assert!(CHANGES[..nth].iter().all(|other| other.word != spec.word), "{} twice", spec.word);
            assert!(spec.help.ends_with('.') && spec.change.spec().word == spec.word);
            assert_eq!(Change::parse(spec.word), Some(spec.change));
        }
        assert_eq!(Change::RecycleSwap as usize + 1, CHANGES.len());
        assert_eq!(Change::parse("oom-score-adj"), Some(Change::OomScoreAdj));
        assert_eq!(Change::parse("sort"), None);
    }

    /// The command that the log shows asks for the very same.
    #[test]
    fn what_a_command_line_says_is_the_effect_that_it_was_made_of() {
        for (change, values) in [
            (Change::Signal, &["TERM", "9", "TERM+KILL", "sigusr1", "64"][..]),
            (Change::OomScoreAdj, &["-1000", "0", "1000"]),
            (Change::OpenFiles, &["1024", "unlimited", "1024:4096"]),
            (Change::AddressSpace, &["4G", "unlimited"]),
            (Change::PageOut, &[""]),
            (Change::Cold, &[""]),
            (Change::CollectGarbage, &[""]),
            (Change::DumpHeap, &["/var/tmp/x.hprof"]),
            (Change::HeapSnapshot, &["/var/tmp/x.heapsnapshot"]),
            (Change::Reclaim, &["100M", "all"]),
            (Change::MemoryHigh, &["400M", "max"]),
            (Change::MemoryMax, &["1.5GiB", "max"]),
            (Change::DropCaches, &["1", "2", "3"]),
            (Change::RecycleSwap, &[""]),
        ] {
            for value in values {
                let effect = change.effect(value, &subject()).unwrap();
                let line = words::command(&effect);
                let said = line.strip_prefix("memtide act ").unwrap();
                let (said, on) = said.split_once(" --").map_or((said, ""), |(said, on)| (said, on));
                let (word, again) = said.split_once(' ').unwrap_or((said, ""));
                assert_eq!(Change::parse(word), Some(change), "{line}");
                assert_eq!(change.effect(again, &subject()), Ok(effect), "{line}");
                let expected = match change.spec().on {
                    On::Process => "pid 1234",
                    On::Group => "cgroup '/a b'",
                    On::Machine => "",
                };
                assert_eq!(on, expected, "{line}");
            }
        }
    }

    #[test]
    fn wrong_values_name_the_right_ones() {
        for (change, value) in [
            (Change::Signal, "TREM"),
            (Change::Signal, "0"),
            (Change::Signal, "33"),
            (Change::OomScoreAdj, "1001"),
            (Change::OpenFiles, "many"),
            (Change::OpenFiles, "5000:4096"),
            (Change::AddressSpace, "4X"),
            (Change::Reclaim, "0"),
            (Change::MemoryHigh, "none"),
            (Change::DropCaches, "4"),
        ] {
            let error = change.effect(value, &subject()).unwrap_err();
            assert!(error.contains(change.spec().value.unwrap()), "{error}");
        }
        assert!(Change::DumpHeap.effect("x.hprof", &subject()).unwrap_err().contains("absolute"));
        assert!(Change::HeapSnapshot.effect("x", &subject()).unwrap_err().contains("app.heapsnapshot"));
        assert!(Change::RecycleSwap.effect("1", &subject()).unwrap_err().contains("takes no value"));
        assert!(Change::Reclaim.effect("", &subject()).unwrap_err().contains("100M or all"));
    }

    #[test]
    fn one_process_and_one_group_at_a_time() {
        let nobody = Subject::default();
        assert!(Change::CollectGarbage.effect("", &nobody).unwrap_err().contains("which process"));
        assert!(Change::Signal.effect("TERM", &nobody).unwrap_err().contains("which process"));
        assert!(Change::Reclaim.effect("all", &nobody).unwrap_err().contains("which control group"));
        let mut two = subject();
        two.targets.push(two.targets[0].clone());
        assert!(Change::OpenFiles.effect("5", &two).unwrap_err().contains("one process at a time"));
        assert!(Change::Signal.effect("TERM", &two).is_ok());
    }
}
