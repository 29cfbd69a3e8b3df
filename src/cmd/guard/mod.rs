//! `memtide guard`: rules kept on the live machine, or tried over a recording.

mod crew;
mod live;
mod lock;
mod recorded;
mod tell;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::Usage;
use crate::cli::{Common, Guard, Report};
use crate::guard::decision::Decision;
use crate::guard::file::{self, Rules};
use crate::guard::journal;

pub(super) fn run(args: &Guard, common: &Common) -> anyhow::Result<ExitCode> {
    let rules = rules(args)?;
    if args.check {
        let names: Vec<&str> = rules.rules.iter().map(|rule| rule.name.as_str()).collect();
        writeln!(io::stdout(), "{} rules are sound: {}", names.len(), names.join(", "))?;
        return Ok(ExitCode::SUCCESS);
    }
    match &args.recording {
        Some(path) => recorded::run(path, rules, args.format),
        None => live::run(args, rules, common),
    }
}

/// The rules that the flags say, or the file.
fn rules(args: &Guard) -> anyhow::Result<Rules> {
    match (args.said().map_err(Usage)?, &args.rules) {
        (_, Some(path)) => read(path),
        (Some(said), None) => {
            let rule = said.rule("inline").map_err(|why| Usage(format!("{why}; or rules in a file with -c FILE")))?;
            let interval = args.interval.map(|interval| interval.0);
            Ok(Rules { rules: vec![rule], interval })
        }
        (None, None) => Err(Usage("say rules by flags, or in a file with -c FILE".into()).into()),
    }
}

fn read(path: &Path) -> anyhow::Result<Rules> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    file::parse(&text).map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))
}

/// The longest time between two looks: by the flag, the file, or five seconds.
fn longest(args: &Guard, rules: &Rules) -> Duration {
    args.interval.map(|interval| interval.0).or(rules.interval).unwrap_or(Duration::from_secs(5))
}

/// A decision of a dry run.
fn show_dry(decision: &Decision, when: &str, format: Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if format == Report::Json {
        writeln!(out, "{}", journal::decision(decision, "would_fire"))?;
    } else {
        let steps: Vec<String> = decision.steps.iter().map(ToString::to_string).collect();
        writeln!(out, "{when}  {}: would {}", decision.sentence(), steps.join(", then "))?;
    }
    out.flush()
}
