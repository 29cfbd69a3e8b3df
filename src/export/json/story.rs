//! `memtide.diagnose/1`: a story.

use serde_json::{Map, Value as Json, json};

use crate::analyze::story::{Advice, Amount, Sentence, Story};
use crate::model::judgement::{Finding, Meeting, Subject};

/// A story, with its numbers unrounded.
pub fn story(story: &Story) -> Json {
    let mut document = json!({
        "schema": "memtide.diagnose/1",
        "wall_ms": story.wall_ms[1],
        "host": story.host,
        "began_wall_ms": story.wall_ms[0],
        "watched_ms": story.watched_ms,
        "samples": story.samples,
        "processes": story.processes,
        "outcome": story.outcome.word(),
        "headline": sentence(&story.headline),
        "sentences": story.sentences.iter().map(sentence).collect::<Vec<_>>(),
        "advice": story.advice.iter().map(advice).collect::<Vec<_>>(),
        "findings": story.findings.iter().map(finding).collect::<Vec<_>>(),
    });
    if let Some(key) = story.asked {
        document["asked"] = json!({"pid": key.pid, "start_time": key.start_time});
    }
    if let Some(needs_ms) = story.outcome.needs_ms() {
        document["needs_ms"] = needs_ms.into();
    }
    document
}

fn sentence(sentence: &Sentence) -> Json {
    let fact = |fact: &crate::analyze::story::Fact| {
        let value = match &fact.amount {
            Amount::Text(text) => text.as_str().into(),
            amount => amount.number().map_or(Json::Null, number),
        };
        json!({"key": fact.key, "value": value, "unit": fact.amount.unit()})
    };
    let mut object = Map::new();
    object.insert("topic".into(), sentence.topic.key().into());
    object.insert("text".into(), sentence.text.clone().into());
    object.insert("facts".into(), sentence.facts.iter().map(fact).collect());
    if let Some(finding) = sentence.finding {
        object.insert("finding".into(), finding.into());
    }
    object.into()
}

fn advice(advice: &Advice) -> Json {
    let mut object = json!({"title": advice.title, "commands": advice.commands, "why": sentence(&advice.why)});
    if let Some(risk) = &advice.risk {
        object["risk"] = risk.as_str().into();
    }
    object
}

fn finding(finding: &Finding) -> Json {
    let judgement = &finding.judgement;
    let mut object = json!({
        "subject": match &finding.subject {
            Subject::Process(_) => "process",
            Subject::Group(_) => "group",
            Subject::Machine => "machine",
        },
        "name": finding.name,
        "quantity": finding.quantity.key(),
        "unit": if finding.quantity.is_bytes() { "bytes" } else { "count" },
        "verdict": judgement.verdict.word(),
        "confidence": f64::from(judgement.confidence),
        "rate": number(judgement.rate),
        "rate_low": number(judgement.rate_low),
        "rate_high": number(judgement.rate_high),
        "since_boot_ms": judgement.since.0,
        "from": number(judgement.from),
        "to": number(judgement.level),
        "needs_ms": judgement.needs_ms,
        "meetings": finding.meetings.iter().map(meeting).collect::<Vec<_>>(),
    });
    if let Subject::Process(key) = finding.subject {
        object["pid"] = key.pid.into();
        object["start_time"] = key.start_time.into();
    }
    object
}

fn meeting(meeting: &Meeting) -> Json {
    json!({
        "limit": meeting.limit.key(),
        "size": number(meeting.size),
        "left": number(meeting.left),
        "in_ms": number(meeting.in_ms),
        "earliest_ms": number(meeting.earliest_ms),
        "latest_ms": number(meeting.latest_ms),
        "is_end": meeting.is_end,
    })
}

/// A number; `null` for what never happens.
fn number(value: f64) -> Json {
    serde_json::Number::from_f64(value).map_or(Json::Null, Json::Number)
}
