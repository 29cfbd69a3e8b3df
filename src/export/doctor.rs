//! What memtide can see and do here: text for people, JSON for programs.

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::wrap::{clamp, wrap};
use crate::model::power::{Extent, Kind, Power};
use crate::model::sample::Host;

/// Columns of the name in text.
const NAME: usize = 38;

/// `memtide.doctor/1`: `{schema, host, kernel, distribution, powers: [{kind: "sees"|"does"|"shows", name,
/// extent: "yes"|"part"|"no", found, grant?}]}`.
pub fn json(host: &Host, powers: &[Power]) -> Json {
    let powers = powers.iter().map(|power| {
        let mut line = json!({
            "kind": power.kind.word(),
            "name": power.name,
            "extent": power.extent.word(),
            "found": power.found,
        });
        if let (Some(grant), Some(line)) = (&power.grant, line.as_object_mut()) {
            line.insert("grant".into(), grant.as_str().into());
        }
        line
    });
    json!({
        "schema": "memtide.doctor/1",
        "host": host.name.escaped(),
        "kernel": host.kernel.escaped(),
        "distribution": host.distribution.escaped(),
        "powers": powers.collect::<Vec<_>>(),
    })
}

/// Lines for people, on a terminal of so many columns.
pub fn text(out: &mut dyn Write, host: &Host, powers: &[Power], width: Option<usize>) -> io::Result<()> {
    let width = clamp(width);
    let of = [&host.name, &host.distribution, &host.kernel].map(|text| text.escaped());
    wrap(out, &format!("{}: {}, kernel {}", of[0], of[1], of[2]), "", "  ", width)?;
    let is_narrow = width < NAME + 30;
    for kind in Kind::ALL {
        writeln!(out, "\nmemtide {}", kind.word())?;
        for power in powers.iter().filter(|power| power.kind == kind) {
            let head = format!("  {:<4}  {}", power.extent.word(), power.name);
            let indent = if is_narrow { " ".repeat(10) } else { " ".repeat(NAME + 8) };
            if is_narrow {
                writeln!(out, "{head}")?;
                wrap(out, &power.found, &indent, &indent, width)?;
            } else {
                wrap(out, &power.found, &format!("{head:<pad$}", pad = NAME + 8), &indent, width)?;
            }
            if let Some(grant) = &power.grant {
                wrap(out, grant, &format!("{indent}-> "), &format!("{indent}   "), width)?;
            }
        }
    }
    let missing = powers.iter().filter(|power| power.extent != Extent::Whole).count();
    let end = match missing {
        0 => "Nothing is missing.".into(),
        1 => "One is missing or there in part; -> says what would grant it.".into(),
        _ => format!("{missing} are missing or there in part; -> says what would grant them."),
    };
    writeln!(out)?;
    wrap(out, &end, "", "", width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn powers() -> Vec<Power> {
        vec![
            Power::whole(Kind::Sees, "processes", "12, and 90 of the kernel's"),
            Power::missing(Kind::Does, "drop caches", "not permitted", "needs root"),
        ]
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_each_grant_is_there() {
        for width in [40, 60, 80, 200] {
            let mut text = Vec::new();
            super::text(&mut text, &Host::default(), &powers(), Some(width)).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(text.lines().all(|line| line.len() <= width.max(40)), "{width}: {text}");
            assert!(text.contains("-> needs root") && text.contains("One is missing"), "{text}");
            assert!(!text.contains("Nothing is missing"), "{text}");
        }
    }

    #[test]
    fn a_grant_is_in_the_json_only_where_something_is_missing() {
        let json = json(&Host::default(), &powers());
        assert!(json["powers"][0].get("grant").is_none());
        assert_eq!(json["powers"][1]["grant"], "needs root");
    }
}
