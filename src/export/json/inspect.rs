//! `memtide.inspect/1`: one process whole.

use serde_json::{Map, Value as Json, json};

use crate::analyze::runtime::inspected;
use crate::analyze::story::Story;
use crate::export::inspect::Report;
use crate::model::inspect::change;
use crate::model::inspect::descriptor::{Access, Descriptors, Target};
use crate::model::inspect::fdinfo::FdInfo;
use crate::model::inspect::mapping::{Mapping, MappingGroup, Mappings};
use crate::model::inspect::memory::{MEMORY_FIELDS, Memory};
use crate::model::inspect::overview::Overview;
use crate::model::inspect::socket::{Endpoint, Socket, SocketState};
use crate::model::inspect::thread::{Thread, Threads};
use crate::model::inspect::{Coverage, Part};
use crate::model::reading::Reading;
use crate::model::runtime::Runtime;

/// What is known, and why the rest is not.
#[derive(Default)]
struct Object {
    known: Map<String, Json>,
    unknown: Map<String, Json>,
}

impl Object {
    fn put(&mut self, key: &str, value: impl Into<Json>) {
        self.known.insert(key.into(), value.into());
    }

    /// Puts what was read; `null` and the reason where it was not.
    fn read<T>(&mut self, key: &str, reading: Reading<T>, show: impl FnOnce(T) -> Json) {
        if let Some(why) = reading.explain() {
            self.unknown.insert(key.into(), why.into());
        }
        self.put(key, reading.value().map_or(Json::Null, show));
    }

    fn finish(mut self) -> Map<String, Json> {
        if !self.unknown.is_empty() {
            self.known.insert("unknown".into(), self.unknown.into());
        }
        self.known
    }
}

/// The parts that the report has, and at most its `top` lines of each list.
pub fn inspect(report: &Report<'_>) -> Json {
    let inspection = report.inspection;
    let mut document = Object::default();
    document.put("schema", "memtide.inspect/1");
    document.put("wall_ms", inspection.wall_ms);
    document.put("pid", inspection.key.pid);
    document.put("start_time", inspection.key.start_time);
    document.put("took_us", inspection.took_us);
    if report.has_overview {
        document.put("overview", overview(&inspection.overview));
    }
    let before = report.before.map(|before| before.inspection);
    if let Some((mark, before)) = report.before.and_then(|before| Some((before.mark?, before.inspection))) {
        let age_ms = inspection.at.since(before.at);
        document.put("since", json!({"name": mark, "wall_ms": before.wall_ms, "age_ms": age_ms}));
    }
    if report.parts.contains(Part::Mappings) {
        let before = before.and_then(|before| before.mappings.as_ref().value());
        document.read("mappings", inspection.mappings.as_ref(), |now| mappings(now, before, report.top));
    }
    if report.parts.contains(Part::Descriptors) {
        let before = before.and_then(|before| before.descriptors.as_ref().value());
        document.read("descriptors", inspection.descriptors.as_ref(), |now| descriptors(now, before, report.top));
    }
    if report.parts.contains(Part::Threads) {
        document.read("threads", inspection.threads.as_ref(), |now| threads(now, report.top));
    }
    if report.parts.contains(Part::Runtime) {
        let show =
            |runtime: Option<Runtime>| runtime.map_or(Json::Null, |runtime| crate::export::runtime::json(&runtime));
        document.read("runtime", inspected(inspection), show);
    }
    if let Some(story) = report.story {
        document.put("growth", growth(story));
    }
    document.finish().into()
}

fn overview(overview: &Overview) -> Json {
    let Overview { process, user, age_ms, program, totals, limit, fd_limit, oom_score_adj } = overview;
    let identity = &process.identity;
    let mut object = Object::default();
    object.put("name", identity.comm.escaped());
    object.put("command", identity.shown_command());
    object.read("program", program.as_ref(), |program| program.escaped().into());
    object.put("user", user.escaped());
    object.put("uid", identity.uid);
    object.put("age_ms", *age_ms);
    object.put("cgroup", identity.cgroup.memory.escaped());
    object.put("unit", identity.cgroup.unit().map_or(Json::Null, Into::into));
    object.put("container", identity.cgroup.container().map_or(Json::Null, Into::into));
    let stat = process.stat.reading;
    object.read("state", stat, |stat| crate::model::inspect::thread::state_word(stat.state).into());
    object.read("ppid", stat, |stat| stat.ppid.into());
    object.read("threads", stat, |stat| stat.threads.into());
    object.read("major_faults", stat, |stat| stat.major_faults.into());
    let rollup = process.rollup.reading;
    object.read("footprint", rollup, |rollup| rollup.footprint().into());
    object.read("pss", rollup, |rollup| rollup.pss.into());
    object.read("uss", rollup, |rollup| rollup.uss.into());
    object.read("swap_pss", rollup, |rollup| rollup.swap_pss.into());
    object.read("anon_huge", rollup, |rollup| rollup.anon_huge.into());
    object.read("rss", process.resident, |resident| resident.rss.into());
    let status = process.status.reading;
    object.read("peak_rss", status, |status| status.peak_rss.into());
    object.read("swap", status, |status| status.swap.into());
    object.read("page_tables", status, |status| status.page_tables.into());
    object.read("locked", status, |status| status.locked.into());
    object.read("hugetlb", status, |status| status.hugetlb.into());
    object.read("size", *totals, |totals| totals.size.into());
    object.read("peak_size", *totals, |totals| totals.peak_size.into());
    object.read("pinned", *totals, |totals| totals.pinned.into());
    object.read("cgroup_limit", limit.as_ref(), |limit| {
        limit.as_ref().map_or(Json::Null, |limit| {
            json!({"path": limit.path.escaped(), "limit": limit.limit, "usage": limit.usage,
                   "inactive_file": limit.inactive_file, "swap_limit": limit.swap_limit,
                   "swap_usage": limit.swap_usage, "oom_kills": limit.oom_kills})
        })
    });
    object.read("fds", process.fds.reading, Into::into);
    object.read("fd_limit", *fd_limit, |limit| bounded(limit.soft));
    object.read("fd_limit_hard", *fd_limit, |limit| bounded(limit.hard));
    object.read("oom_score", process.oom_score.reading, Into::into);
    object.read("oom_score_adj", *oom_score_adj, Into::into);
    object.finish().into()
}

/// A limit; `null` for none.
fn bounded(limit: u64) -> Json {
    if limit == u64::MAX { Json::Null } else { limit.into() }
}

fn coverage(coverage: Coverage) -> Json {
    json!({"read": coverage.read, "of": coverage.of})
}

/// Every column, and by how much more that is than before, where there is a before.
fn memory(memory: &Memory, before: Option<&Memory>) -> Map<String, Json> {
    let mut object: Map<String, Json> =
        MEMORY_FIELDS.iter().map(|field| (field.key.to_owned(), (field.get)(memory).into())).collect();
    if let Some(before) = before {
        let change = MEMORY_FIELDS.iter().map(|field| {
            let change = ((field.get)(memory) as i64).saturating_sub((field.get)(before) as i64);
            (field.key.to_owned(), Json::from(change))
        });
        object.insert("change".into(), change.collect::<Map<_, _>>().into());
    }
    object
}

fn mappings(now: &Mappings, before: Option<&Mappings>, top: usize) -> Json {
    let nothing = Memory::default();
    let group = |line: &change::Changed<'_, MappingGroup>| {
        let of = |group: Option<&'_ MappingGroup>| group.map_or(nothing, |group| group.memory);
        let was = of(line.before);
        let mut object = memory(&of(line.now), before.is_some().then_some(&was));
        let group = line.line();
        if line.now.is_some_and(|now| now.unread == now.count) {
            // Of none of them anything is known but the addresses.
            for field in MEMORY_FIELDS.iter().filter(|field| field.key != "size") {
                object.insert(field.key.to_owned(), Json::Null);
            }
        }
        if !line.is_read() {
            object.remove("change");
        }
        object.insert("kind".into(), group.kind.key().into());
        object.insert("name".into(), group.name.escaped().into());
        object.insert("deleted".into(), group.is_deleted.into());
        object.insert("count".into(), line.now.map_or(0, |group| group.count).into());
        object.insert("unread".into(), line.now.map_or(0, |group| group.unread).into());
        Json::Object(object)
    };
    let one = |mapping: &Mapping| {
        let mut object = memory(&mapping.memory, None);
        object.insert("kind".into(), mapping.kind.key().into());
        object.insert("name".into(), mapping.name.escaped().into());
        object.insert("deleted".into(), mapping.is_deleted.into());
        // A script reads 64 bits of a number only where it takes care to.
        object.insert("start".into(), format!("{:x}", mapping.start).into());
        object.insert("end".into(), format!("{:x}", mapping.end).into());
        object.insert("permissions".into(), String::from_utf8_lossy(&mapping.permissions).into());
        object.insert("offset".into(), mapping.offset.into());
        Json::Object(object)
    };
    let lines = change::mappings(now, before);
    json!({
        "coverage": coverage(now.coverage),
        "total": memory(&now.total, before.map(|before| &before.total)),
        "groups": lines.iter().take(top).map(group).collect::<Vec<_>>(),
        "largest": now.largest.iter().take(top).map(one).collect::<Vec<_>>(),
    })
}

fn descriptors(now: &Descriptors, before: Option<&Descriptors>, top: usize) -> Json {
    let before = change::whole(now, before);
    let change = |object: &mut Json, change: i64| {
        if before.is_some() {
            object["change"] = change.into();
        }
    };
    let kinds = change::kinds(now, before);
    let kinds = kinds.iter().map(|line| {
        let mut object = json!({"kind": line.line().kind.key(), "count": line.now.map_or(0, |kind| kind.count)});
        change(&mut object, line.change(|kind| kind.count.into()));
        object
    });
    let targets = change::targets(now, before);
    let targets = targets.iter().take(top).map(|line| {
        let target: &Target = line.line();
        let mut object = json!({
            "kind": target.kind.key(),
            "name": target.name.escaped(),
            "deleted": target.is_deleted,
            "count": line.now.map_or(0, |target| target.count),
            "lowest": target.lowest,
            "highest": target.highest,
            "blocks": target.blocks,
        });
        if let Some(of) = &target.socket {
            object["socket"] = socket(of);
        }
        if let Some(info) = line.now.and_then(|target| target.info) {
            object["info"] = inside(info);
        }
        change(&mut object, line.change(|target| target.count.into()));
        object
    });
    let newest = now.newest.iter().take(top).map(|descriptor| {
        let mut object = json!({
            "fd": descriptor.fd,
            "kind": descriptor.kind.key(),
            "name": descriptor.name.escaped(),
            "deleted": descriptor.is_deleted,
            "access": match descriptor.access {
                Access::Read => "read",
                Access::Write => "write",
                Access::Both => "both",
                Access::Neither => "neither",
            },
        });
        if let Some(of) = &descriptor.socket {
            object["socket"] = socket(of);
        }
        if let Some(info) = descriptor.info {
            object["info"] = inside(info);
        }
        object
    });
    json!({
        "coverage": coverage(now.coverage),
        "kinds": kinds.collect::<Vec<_>>(),
        "targets": targets.collect::<Vec<_>>(),
        "newest": newest.collect::<Vec<_>>(),
        "deleted": {"files": now.deleted.files, "disk": now.deleted.disk, "ram": now.deleted.ram},
    })
}

/// What fdinfo says; flags in octal, as the kernel writes them.
fn inside(info: FdInfo) -> Json {
    let mut object = json!({"offset": info.offset, "flags": format!("{:#o}", info.flags).replace("0o", "0")});
    if let Some(held) = info.held {
        object["held"] = held.into();
        object["at_least"] = info.is_cut.into();
    }
    if let Some(size) = info.size {
        object["size"] = size.into();
    }
    object
}

fn socket(socket: &Socket) -> Json {
    let end = |end: &Endpoint| match end {
        Endpoint::None => Json::Null,
        Endpoint::Inet(address) => address.to_string().into(),
        end => end.to_string().into(),
    };
    let state = match socket.state {
        SocketState::Unknown => Json::Null,
        state => state.word().into(),
    };
    json!({"protocol": socket.protocol.word(), "state": state, "local": end(&socket.local), "peer": end(&socket.peer)})
}

fn threads(now: &Threads, top: usize) -> Json {
    let thread = |thread: &Thread| {
        let mut object = Object::default();
        object.put("tid", thread.tid);
        object.put("name", thread.comm.escaped());
        object.put("state", crate::model::inspect::thread::state_word(thread.state));
        object.put("cpu_ms", thread.cpu_ms);
        object.read("stack", thread.stack, |stack| json!({"size": stack.size, "rss": stack.rss, "swap": stack.swap}));
        Json::Object(object.finish())
    };
    json!({
        "coverage": coverage(now.coverage),
        "threads": now.threads.iter().take(top).map(thread).collect::<Vec<_>>(),
    })
}

/// The story of the watch, as `memtide.diagnose/1` tells it, without the machine.
fn growth(story: &Story) -> Json {
    let mut story = super::story(story);
    let mut take = |key: &str| story.get_mut(key).map_or(Json::Null, Json::take);
    json!({
        "watched_ms": take("watched_ms"),
        "samples": take("samples"),
        "outcome": take("outcome"),
        "needs_ms": take("needs_ms"),
        "headline": take("headline"),
        "findings": take("findings"),
    })
}
