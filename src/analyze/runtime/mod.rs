//! What runs a program, and the memory limit that it will really keep to. Each runtime's rules are a file: where it
//! looks for its limit, in which order, and what it does when nobody gave it one.
//!
//! [`own_limit`] answers from what every sample holds, for the judge; [`derive()`] from all that was read of one process,
//! and [`inspected`] from all of an inspection.

mod dotnet;
mod go;
mod jvm;
mod mysql;
mod node;
mod php;
mod postgres;
mod recognise;
mod store;
mod words;

use crate::model::cgroup::{CgroupLimit, CgroupVersion};
use crate::model::inspect::Inspection;
use crate::model::inspect::mapping::{MappingKind, Mappings};
use crate::model::inspect::memory::Memory;
use crate::model::inspect::overview::Overview;
use crate::model::process::Identity;
use crate::model::reading::Reading;
use crate::model::runtime::{Clues, InUse, Keeping, OwnLimit, Runtime, RuntimeKind, Settings};

/// What a program takes for the memory of its machine, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// MemTotal.
    pub machine: u64,
    /// The limit of the control group that the process is in itself; an ancestor's is seen by nobody.
    pub group: Option<u64>,
    /// The interface that the limit is read by: runtimes of before 2021 know the first one alone.
    pub version: CgroupVersion,
}

impl Room {
    /// The room of a process with this tightest limit.
    pub fn of(identity: &Identity, bound: Option<&CgroupLimit>, machine: u64) -> Self {
        let own = bound.filter(|bound| bound.path == identity.cgroup.memory);
        Self { machine, group: own.map(|bound| bound.limit), version: identity.cgroup.version }
    }

    /// What a program that looks at its control group goes by.
    fn seen(self) -> u64 {
        self.group.map_or(self.machine, |group| group.min(self.machine))
    }
}

/// What the rules of a runtime go by.
struct Case<'a> {
    /// The command line, escaped, in words.
    words: &'a [&'a str],
    settings: &'a Settings,
    room: Room,
    version: Option<&'a str>,
    clues: Option<&'a Clues>,
}

impl Case<'_> {
    /// The first number of the version.
    fn major(&self) -> Option<u32> {
        let version = self.version?;
        version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

/// The limit of its own that a process has, as far as a sample shows it; `None` where nothing is known to run it.
pub fn own_limit(identity: &Identity, room: Room) -> Option<OwnLimit> {
    let kind = identity.kind()?;
    let command = identity.command.escaped();
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    let case = Case { words: &words, settings: &identity.settings, room, version: None, clues: None };
    Some(limit(kind, &case))
}

/// What runs a process, by all that was read of it and the tightest limit of its control groups; `None` where nothing
/// known does.
pub fn derive(identity: &Identity, clues: &Clues, bound: Option<&CgroupLimit>) -> Option<Runtime> {
    let room = Room::of(identity, bound, clues.machine);
    let kind = recognise::kind(identity, clues)?;
    let version = recognise::version(kind, clues);
    let command = identity.command.escaped();
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    let none = Settings::default();
    let settings = clues.settings.as_ref().value().unwrap_or(&none);
    let case = Case { words: &words, settings, room, version: version.as_deref(), clues: Some(clues) };
    let mut facts = facts(kind, &case);
    if let Some(why) = clues.settings.explain().filter(|_| kind.has_settings() || kind == RuntimeKind::Go) {
        facts.push((tr!("environment"), tr!("not seen, and it may set a limit: {why}", why)));
    }
    let limit = limit(kind, &case);
    let counted = clues.jvm.as_ref().and_then(|jvm| jvm.as_ref().value());
    let used = counted.map(|jvm| InUse { bytes: jvm.used, source: tr!("by its own count, garbage included") });
    Some(Runtime { kind, version, limit, used, private: None, facts })
}

/// What runs a process that was looked at closely: what its heap has in use is in its mappings, where they were read.
pub fn inspected(inspection: &Inspection) -> Reading<Option<Runtime>> {
    let Overview { process, limit, .. } = &inspection.overview;
    inspection.runtime.as_ref().map(|clues| {
        let bound = limit.as_ref().value().and_then(Option::as_ref);
        let mut runtime = derive(&process.identity, clues, bound)?;
        let swap = process.status.reading.value().map(|status| status.swap);
        runtime.private = process.resident.value().map(|resident| resident.anon() + swap.unwrap_or(0));
        let mappings = inspection.mappings.as_ref().value();
        runtime.used = runtime.used.or_else(|| heap_in(mappings?, runtime.kind));
        Some(runtime)
    })
}

/// The heap of a runtime whose mappings are told by their shape.
fn heap_in(mappings: &Mappings, kind: RuntimeKind) -> Option<InUse> {
    let shape = match kind {
        RuntimeKind::Node => MappingKind::V8Heap,
        RuntimeKind::Go => MappingKind::GoHeap,
        _ => return None,
    };
    let group = mappings.groups.iter().find(|group| group.kind == shape && group.unread == 0)?;
    let Memory { rss, swap, .. } = group.memory;
    Some(InUse { bytes: rss + swap, source: tr!("in RAM and in swap, garbage included") })
}

fn limit(kind: RuntimeKind, case: &Case<'_>) -> OwnLimit {
    match kind {
        RuntimeKind::Node => node::limit(case),
        RuntimeKind::Jvm => jvm::limit(case),
        RuntimeKind::Go => go::limit(case),
        RuntimeKind::DotNet => dotnet::limit(case),
        RuntimeKind::Php => php::limit(case),
        RuntimeKind::Postgres => postgres::limit(case),
        RuntimeKind::Mysql => mysql::limit(case),
        RuntimeKind::Redis => store::redis(case),
        RuntimeKind::Memcached => store::memcached(case),
        RuntimeKind::Python | RuntimeKind::Ruby | RuntimeKind::Perl => {
            OwnLimit::Without(tr!("{kind} has no limit of its own", kind = kind.title()))
        }
        RuntimeKind::Nginx => OwnLimit::Without(tr!("its memory follows its connections and caches").into()),
    }
}

fn facts(kind: RuntimeKind, case: &Case<'_>) -> Vec<(&'static str, String)> {
    let mut facts = match kind {
        RuntimeKind::Node => node::facts(case),
        RuntimeKind::Jvm => jvm::facts(case),
        RuntimeKind::Go => go::facts(case),
        RuntimeKind::Postgres => postgres::facts(case),
        _ => Vec::new(),
    };
    if let Some(arenas) = case.settings.get("MALLOC_ARENA_MAX") {
        facts.push((tr!("arenas of malloc"), tr!("at most {arenas} (MALLOC_ARENA_MAX)", arenas)));
    }
    facts
}

/// The limit in one of the three ways that matter to a judge of growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitForJudge {
    /// It fills this much as it sees fit and then makes room itself: a cache, a collected heap.
    Given(u64),
    /// It is a store that may have been given a limit which can't be seen.
    Unseen,
    /// It ends when it needs more.
    Fatal(u64),
}

/// The limit of its own that the judge of a process's growth takes into account. A default at which it ends is not one:
/// it bounds the heap alone, and what grows may lie beside it, as Buffers do; who sets a limit knows better.
pub fn limit_for_judge(identity: &Identity, room: Room) -> Option<LimitForJudge> {
    match own_limit(identity, room)? {
        OwnLimit::Known(limit) => match limit.keeping {
            Keeping::Fills => Some(LimitForJudge::Given(limit.bytes)),
            Keeping::Ends if limit.is_told => Some(LimitForJudge::Fatal(limit.bytes)),
            Keeping::Ends | Keeping::Strains => None,
        },
        OwnLimit::Unseen(_) => identity.kind()?.is_store().then_some(LimitForJudge::Unseen),
        OwnLimit::Without(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::runtime::KnownLimit;

    /// A process with this command line.
    pub(super) fn identity(command: &str) -> Identity {
        Identity { command: command.into(), ..Identity::default() }
    }

    /// A machine of so many bytes, and no control group.
    pub(super) fn room(machine: u64) -> Room {
        Room { machine, group: None, version: CgroupVersion::V2 }
    }

    /// Nothing was seen, on a machine of 2 GiB.
    pub(super) fn clues() -> Clues {
        Clues {
            machine: 2 << 30,
            exe: Reading::Pending,
            settings: Reading::Pending,
            libraries: Reading::Pending,
            shared: None,
            go: None,
            release: None,
            config: None,
            jvm: None,
        }
    }

    /// The limit of a process of which it is known.
    pub(super) fn known(identity: &Identity, room: Room) -> KnownLimit {
        match own_limit(identity, room) {
            Some(OwnLimit::Known(limit)) => limit,
            other => panic!("{identity:?}: {other:?}"),
        }
    }

    #[test]
    fn a_judge_is_told_what_matters_to_it() {
        let of = |command| limit_for_judge(&identity(command), room(2 << 30));
        assert_eq!(of("java -Xmx512m A"), Some(LimitForJudge::Given(512 << 20)));
        assert_eq!(of("node --max-old-space-size=384 app.js"), Some(LimitForJudge::Fatal(408 << 20)));
        assert_eq!(of("node app.js"), None);
        assert_eq!(of("redis-server *:6379"), Some(LimitForJudge::Unseen));
        assert_eq!(of("php-fpm: pool www"), None);
        assert_eq!(of("python3 app.py"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn what_may_not_be_read_is_said() {
        use crate::model::reading::Denial;
        let of = |command, settings| derive(&identity(command), &Clues { settings, ..clues() }, None).unwrap();
        let denied = of("node app.js", Reading::Denied(Denial::Ptrace));
        let said = |runtime: &Runtime| runtime.facts.iter().any(|(_, text)| text.contains("CAP_SYS_PTRACE"));
        assert!(said(&denied) && matches!(denied.limit, OwnLimit::Known(_)), "{denied:?}");
        assert!(!said(&of("node app.js", Reading::Value(Settings::default()))));
        assert!(!said(&of("python3 app.py", Reading::Denied(Denial::Ptrace))));
    }

    #[test]
    fn only_the_limit_of_its_own_group_is_seen_by_a_program() {
        use crate::model::cgroup::Membership;
        let own = |path: &str| {
            let cgroup = Membership { memory: "/a/b".into(), ..Membership::default() };
            let identity = Identity { cgroup: std::sync::Arc::new(cgroup), ..Identity::default() };
            let bound = CgroupLimit {
                path: path.into(),
                limit: 512,
                usage: 0,
                inactive_file: 0,
                swap_limit: None,
                swap_usage: None,
                oom_kills: None,
            };
            Room::of(&identity, Some(&bound), 1024)
        };
        assert_eq!(own("/a/b").seen(), 512);
        assert_eq!(own("/a").seen(), 1024);
    }
}
