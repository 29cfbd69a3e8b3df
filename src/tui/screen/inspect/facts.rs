//! The facts of a process in short, side by side: memory and its marks, limits, who and where it is.

use std::time::Duration;

use crate::model::inspect::Inspection;
use crate::model::process::{Resident, Rollup};
use crate::model::reading::Reading;
use crate::model::snapshot::Row;
use crate::tui::theme::{Role, Theme};
use crate::units::{Bytes, Percent, Span};

/// A fact: what it is called, what it is, how that looks.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) title: &'static str,
    pub(super) value: String,
    pub(super) role: Role,
    /// Why it is not known, where there is a reason.
    why: Option<String>,
}

/// What is known of a quantity.
fn fact(title: &'static str, reading: Reading<String>) -> Fact {
    let why = reading.explain().filter(|_| !matches!(reading, Reading::Pending));
    let (value, role) = match reading {
        Reading::Value(value) => (value, Role::Text),
        Reading::Stale(value, _) => (value, Role::Stale),
        _ => ("-".to_owned(), Role::Muted),
    };
    Fact { title, value, role, why }
}

fn plain(title: &'static str, value: impl Into<String>) -> Fact {
    Fact { title, value: value.into(), role: Role::Text, why: None }
}

fn bytes(reading: Reading<u64>) -> Reading<String> {
    reading.map(|bytes| Bytes(bytes).to_string())
}

/// Two amounts that belong together: `812M (peak 1.20G)`.
fn with(first: Reading<String>, word: &str, second: Reading<String>) -> Reading<String> {
    first.and_then(|first| {
        Reading::Value(match second.value() {
            Some(second) => format!("{first} ({word} {second})"),
            None => first,
        })
    })
}

/// The facts of a process: the limit that binds it, what stands side by side, what takes a line of its own.
pub(super) struct Facts {
    pub(super) limit: Option<Fact>,
    pub(super) short: Vec<Fact>,
    pub(super) long: Vec<Fact>,
}

/// What is known. What a sample holds is of the moment shown; what only an inspection reads, of the latest look.
pub(super) fn facts(row: &Row<'_>, look: Option<&Inspection>, theme: &Theme) -> Facts {
    let mut short = Vec::new();
    memory(row, look, &mut short);
    counts(row, look, &mut short);
    let mut long = reasons(&short);
    long.extend(identity(row, look, theme));
    Facts { limit: look.map(limit), short, long }
}

/// Why some are not known, each reason once: `PSS, USS: needs root`.
fn reasons(facts: &[Fact]) -> Vec<Fact> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for fact in facts {
        let Some(why) = fact.why.as_deref() else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, titles)) => titles.push(fact.title),
            None => reasons.push((why, vec![fact.title])),
        }
    }
    let told = |(why, titles): (&str, Vec<&str>)| Fact {
        role: Role::Warn,
        ..plain(tr!("not known"), tr!("{titles}: {why}", titles = titles.join(", "), why))
    };
    reasons.into_iter().map(told).collect()
}

fn memory(row: &Row<'_>, look: Option<&Inspection>, facts: &mut Vec<Fact>) {
    let process = row.process;
    let rollup = row.aged(&process.rollup);
    let status = row.aged(&process.status);
    let totals = look.map_or(Reading::Pending, |look| look.overview.totals);
    facts.push(fact("PSS", bytes(rollup.map(|rollup| rollup.pss))));
    let rss = bytes(process.resident.map(|resident| resident.rss));
    facts.push(fact("RSS", with(rss, tr!("peak"), bytes(status.map(|status| status.peak_rss)))));
    facts.push(fact("USS", bytes(rollup.map(|rollup| rollup.uss))));
    facts.push(fact(tr!("swap"), bytes(row.swap())));
    facts.push(fact(tr!("footprint"), bytes(rollup.map(Rollup::footprint))));
    let size = bytes(process.resident.map(|resident| resident.size));
    facts.push(fact(tr!("address space"), with(size, tr!("peak"), bytes(totals.map(|totals| totals.peak_size)))));
    facts.push(fact(tr!("anonymous"), bytes(process.resident.map(Resident::anon))));
    facts.push(fact(tr!("page tables"), bytes(status.map(|status| status.page_tables))));
    facts.push(fact(tr!("huge pages"), bytes(rollup.map(|rollup| rollup.anon_huge))));
    let locked = bytes(status.map(|status| status.locked));
    let pinned =
        totals.and_then(|totals| if totals.pinned > 0 { Reading::Value(totals.pinned) } else { Reading::Pending });
    facts.push(fact(tr!("locked"), with(locked, tr!("pinned"), bytes(pinned))));
}

fn counts(row: &Row<'_>, look: Option<&Inspection>, facts: &mut Vec<Fact>) {
    let process = row.process;
    let open = row.aged(&process.fds).map(|fds| fds.to_string());
    facts.push(fact(tr!("descriptors"), with(open, tr!("of"), process.fd_limit.reading.map(shown_limit))));
    let stat = row.aged(&process.stat);
    facts.push(fact(tr!("threads"), stat.map(|stat| stat.threads.to_string())));
    facts.push(fact(tr!("major faults"), stat.map(|stat| stat.major_faults.to_string())));
    let score = row.aged(&process.oom_score).map(|score| score.to_string());
    let adjusted = look.map_or(Reading::Pending, |look| look.overview.oom_score_adj);
    facts.push(fact(tr!("OOM score"), with(score, tr!("adjusted by"), adjusted.map(|by| by.to_string()))));
    facts.push(plain(tr!("user"), row.user()));
    let ticks = row.snapshot.sample.host.clock_ticks.max(1);
    let age = row.now().0.saturating_sub(process.key.start_time.saturating_mul(1000) / ticks);
    facts.push(plain(tr!("age"), Span(Duration::from_millis(age)).to_string()));
}

fn shown_limit(limit: u64) -> String {
    if limit == u64::MAX { tr!("no limit").into() } else { limit.to_string() }
}

/// The memory limit that binds the process, how much of it is used, and who sets it.
fn limit(look: &Inspection) -> Fact {
    let known = look.overview.limit.as_ref().map(|limit| {
        let Some(limit) = limit else { return tr!("none but the machine's").to_owned() };
        let used = limit.usage.saturating_sub(limit.inactive_file);
        let share = Percent(used as f64 * 100.0 / limit.limit.max(1) as f64);
        let swap = limit.swap_limit.map_or_else(String::new, |swap| tr!(", swap {swap}", swap = Bytes(swap)));
        let kills = match limit.oom_kills {
            None | Some(0) => String::new(),
            Some(1) => tr!(", 1 OOM kill").to_owned(),
            Some(kills) => tr!(", {kills} OOM kills", kills),
        };
        tr!(
            "{usage} of {limit} ({share}){swap}{kills}, set by {path}",
            usage = Bytes(limit.usage),
            limit = Bytes(limit.limit),
            share,
            swap,
            kills,
            path = limit.path.escaped()
        )
    });
    let why = known.explain();
    Fact { title: tr!("memory limit"), ..why.map_or_else(|| fact("", known), |why| plain("", format!("- ({why})"))) }
}

fn identity(row: &Row<'_>, look: Option<&Inspection>, theme: &Theme) -> Vec<Fact> {
    let process = row.process;
    let cgroup = &process.identity.cgroup;
    let mut facts = vec![plain(tr!("command"), process.identity.shown_command())];
    if let Some(look) = look {
        let program = look.overview.program.as_ref().map(|program| program.escaped().into_owned());
        let fact = fact(tr!("program"), program);
        facts.push(match fact.why {
            Some(why) => Fact { role: Role::Muted, ..plain(tr!("program"), format!("- ({why})")) },
            None => fact,
        });
    }
    facts.extend(cgroup.unit().map(|unit| plain(tr!("unit"), unit)));
    facts.extend(cgroup.container().map(|container| plain(tr!("container"), container)));
    facts.push(plain(tr!("control group"), cgroup.memory.escaped()));
    let dot = theme.pick("·", "-");
    facts.push(plain(
        tr!("started"),
        tr!(
            "pid {pid} {dot} tick {start_time} since boot",
            pid = process.key.pid,
            dot,
            start_time = process.key.start_time
        ),
    ));
    facts
}
