//! Decisions as JSON: for the journal, for hooks and webhooks, for a dry run; and as the environment of a hook.

use serde_json::{Value, json};

use super::decision::{Aim, Decision, Note};
use super::step::Step;

/// The name and version of the form.
pub const SCHEMA: &str = "memtide.guard/1";

/// A decision with all its facts. `event` is `fired`, `resumed` or `would_fire`.
pub fn decision(decision: &Decision, event: &str) -> Value {
    json!({
        "schema": SCHEMA,
        "event": event,
        "id": decision.id,
        "time_ms": decision.wall_ms,
        "rule": decision.rule,
        "subject": decision.subject,
        "tests": decision.facts.iter().map(|fact| json!({
            "test": fact.test, "measure": fact.measure, "value": number(fact.value), "limit": number(fact.limit),
        })).collect::<Vec<_>>(),
        "held_ms": decision.held.as_millis() as u64,
        "attempt": decision.attempt,
        "targets": decision.targets.iter().map(target).collect::<Vec<_>>(),
        "steps": decision.steps.iter().map(Step::to_string).collect::<Vec<_>>(),
    })
}

/// JSON has no infinity.
fn number(value: f64) -> Value {
    if value.is_finite() { value.into() } else { Value::Null }
}

fn target(aim: &Aim) -> Value {
    json!({
        "pid": aim.target.key.pid,
        "start_time": aim.target.key.start_time,
        "name": aim.name,
        "user": aim.target.user,
        "uid": aim.target.uid,
        "command": aim.target.command,
        "rss": aim.rss,
        "unit": aim.cgroup.unit(),
        "cgroup": aim.cgroup.memory.escaped(),
    })
}

/// What came of a step.
pub fn step(decision: &Decision, index: usize, result: &Result<String, String>, took_ms: u64, wall_ms: i64) -> Value {
    let (is_done, text) = match result {
        Ok(text) => (true, text),
        Err(text) => (false, text),
    };
    json!({
        "schema": SCHEMA,
        "event": "step",
        "id": decision.id,
        "time_ms": wall_ms,
        "rule": decision.rule,
        "subject": decision.subject,
        "step": decision.steps.get(index).map(Step::to_string),
        "ok": is_done,
        "text": text,
        "took_ms": took_ms,
    })
}

/// A note.
pub fn note(note: &Note, wall_ms: i64) -> Value {
    json!({"schema": SCHEMA, "event": note.kind.word(), "time_ms": wall_ms, "rule": note.rule, "text": note.text})
}

/// Something about the guard itself: `started`, `reloaded`, `stopped`, `failed`.
pub fn word(event: &str, text: &str, wall_ms: i64) -> Value {
    json!({"schema": SCHEMA, "event": event, "time_ms": wall_ms, "text": text})
}

/// The facts as a hook finds them in its environment.
pub fn environment(decision: &Decision) -> Vec<(&'static str, String)> {
    let first = decision.targets.first();
    let fact = decision.facts.first();
    let of_first = |get: &dyn Fn(&Aim) -> String| first.map(get).unwrap_or_default();
    let pids: Vec<String> = decision.targets.iter().map(|aim| aim.target.key.pid.to_string()).collect();
    vec![
        ("MEMTIDE_RULE", decision.rule.clone()),
        ("MEMTIDE_SUBJECT", decision.subject.clone()),
        ("MEMTIDE_TEST", fact.map(|fact| fact.test.clone()).unwrap_or_default()),
        ("MEMTIDE_VALUE", fact.map(|fact| fact.value.to_string()).unwrap_or_default()),
        ("MEMTIDE_LIMIT", fact.map(|fact| fact.limit.to_string()).unwrap_or_default()),
        ("MEMTIDE_PID", of_first(&|aim| aim.target.key.pid.to_string())),
        ("MEMTIDE_PIDS", pids.join(" ")),
        ("MEMTIDE_NAME", of_first(&|aim| aim.name.clone())),
        ("MEMTIDE_COMMAND", of_first(&|aim| aim.target.command.clone())),
        ("MEMTIDE_USER", of_first(&|aim| aim.target.user.clone())),
        ("MEMTIDE_UNIT", of_first(&|aim| aim.cgroup.unit().unwrap_or_default().into_owned())),
        ("MEMTIDE_CGROUP", of_first(&|aim| aim.cgroup.memory.escaped().into_owned())),
    ]
}
