//! What runs a process and what limits that: lines for people, an object for programs.

use serde_json::{Value as Json, json};

use crate::model::runtime::{InUse, Keeping, KnownLimit, OwnLimit, Runtime};
use crate::units::Bytes;

/// A name and what is said under it, in reading order.
pub fn lines(runtime: &Runtime) -> Vec<(&'static str, String)> {
    let version = runtime.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let mut lines = vec![(tr!("runtime"), format!("{}{version}", runtime.kind.title()))];
    match &runtime.limit {
        OwnLimit::Known(limit) => {
            lines.push((
                tr!("limit"),
                tr!("{bytes} of {of}: {source}", bytes = Bytes(limit.bytes), of = limit.of, source = limit.source),
            ));
            lines.extend(left(runtime, limit).map(|left| (tr!("left"), left)));
            lines.push((tr!("at the limit"), limit.then.to_owned()));
        }
        OwnLimit::Unseen(why) => lines.push((tr!("limit"), tr!("not seen: {why}", why))),
        OwnLimit::Without(why) => lines.push((tr!("limit"), tr!("none: {why}", why))),
    }
    lines.extend(runtime.facts.iter().cloned());
    lines
}

/// How far it is to the limit.
fn left(runtime: &Runtime, limit: &KnownLimit) -> Option<String> {
    let left = runtime.left(limit).map(Bytes);
    match (left, runtime.used, runtime.private.map(Bytes)) {
        (Some(left), Some(used), _) => {
            Some(tr!("{left}: {bytes} is in use ({source})", left, bytes = Bytes(used.bytes), source = used.source))
        }
        (Some(left), None, Some(private)) => {
            Some(tr!("{left} at least: its private memory is {private}", left, private))
        }
        (None, Some(used), _) => {
            let InUse { bytes, source } = used;
            Some(tr!(
                "not told: {bytes} is in use ({source}), so another limit applies that is not seen",
                bytes = Bytes(bytes),
                source
            ))
        }
        (None, None, Some(private)) => {
            Some(tr!("not told: its private memory, {private}, is more than the limit bounds", private))
        }
        _ => None,
    }
}

/// The same as an object, numbers in bytes.
pub fn json(runtime: &Runtime) -> Json {
    let limit = match &runtime.limit {
        OwnLimit::Known(limit) => json!({
            "bytes": limit.bytes,
            "of": limit.of,
            "source": limit.source,
            "is_default": !limit.is_told,
            "then": limit.then,
            "keeping": match limit.keeping {
                Keeping::Fills => "fills",
                Keeping::Ends => "ends",
                Keeping::Strains => "strains",
            },
            "left_bytes": runtime.left(limit),
        }),
        OwnLimit::Unseen(why) => json!({"unseen": why}),
        OwnLimit::Without(why) => json!({"none": why}),
    };
    json!({
        "kind": runtime.kind.key(),
        "name": runtime.kind.title(),
        "version": runtime.version,
        "limit": limit,
        "used_bytes": runtime.used.map(|used| used.bytes),
        "private_bytes": runtime.private,
        "facts": runtime.facts.iter().map(|(name, text)| json!({"name": name, "text": text})).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::runtime::RuntimeKind;

    /// Node.js that has so many MiB in use, and so many of private memory.
    fn node(used: Option<u64>, private: Option<u64>) -> Runtime {
        let limit = KnownLimit {
            bytes: 432 << 20,
            of: "heap",
            source: "--max-old-space-size=384 on the command line".into(),
            then: "it ends itself",
            is_told: true,
            keeping: Keeping::Ends,
        };
        Runtime {
            kind: RuntimeKind::Node,
            version: Some("20.20.2".into()),
            limit: OwnLimit::Known(limit),
            used: used.map(|mib| InUse { bytes: mib << 20, source: "in RAM" }),
            private: private.map(|mib| mib << 20),
            facts: vec![("old space", "at most 384M".into())],
        }
    }

    fn said(runtime: &Runtime) -> String {
        let lines: Vec<String> = lines(runtime).into_iter().map(|(name, text)| format!("{name} | {text}\n")).collect();
        lines.concat()
    }

    #[test]
    fn the_limit_its_source_and_the_distance_are_said() {
        assert_eq!(
            said(&node(None, Some(300))),
            "runtime | Node.js 20.20.2\n\
             limit | 432M of heap: --max-old-space-size=384 on the command line\n\
             left | 132M at least: its private memory is 300M\n\
             at the limit | it ends itself\n\
             old space | at most 384M\n"
        );
        assert!(said(&node(Some(400), Some(500))).contains("left | 32M: 400M is in use (in RAM)\n"));
        assert!(said(&node(Some(433), None)).contains("left | not told: 433M is in use (in RAM), so another limit"));
        assert!(said(&node(None, Some(500))).contains("left | not told: its private memory, 500M, is more"));
        assert!(!said(&node(None, None)).contains("left"));
    }

    #[test]
    fn a_limit_that_is_not_seen_is_no_number() {
        let runtime = Runtime { limit: OwnLimit::Unseen("ask it".into()), ..node(None, Some(1)) };
        assert!(said(&runtime).contains("limit | not seen: ask it\n"));
        assert_eq!(json(&runtime)["limit"], json!({"unseen": "ask it"}));
        let without = Runtime { limit: OwnLimit::Without("it has none".into()), version: None, ..node(None, None) };
        assert!(said(&without).starts_with("runtime | Node.js\nlimit | none: it has none\n"));
    }

    #[test]
    fn programs_get_the_numbers_unrounded() {
        let object = json(&node(None, Some(300)));
        assert_eq!((object["kind"].as_str(), object["version"].as_str()), (Some("node"), Some("20.20.2")));
        assert_eq!(object["limit"]["left_bytes"], json!(132u64 << 20));
        assert_eq!((&object["limit"]["is_default"], &object["limit"]["keeping"]), (&json!(false), &json!("ends")));
        assert_eq!(json(&node(None, Some(500)))["limit"]["left_bytes"], Json::Null);
        assert_eq!(json(&node(Some(432), Some(500)))["limit"]["left_bytes"], json!(0));
    }
}
