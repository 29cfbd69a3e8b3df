//! The threads, those that worked most first.

use std::io::{self, Write};
use std::time::Duration;

use super::{Report, counted, left, right};
use crate::export::table::Table;
use crate::export::wrap::{clamp, wrap};
use crate::model::inspect::thread::{Thread, Threads, state_word};
use crate::model::reading::Reading;

pub(super) fn write(
    report: &Report<'_>,
    threads: &Threads,
    out: &mut dyn Write,
    width: Option<usize>,
) -> io::Result<()> {
    let text_width = clamp(width);
    let states: Vec<String> =
        threads.states().iter().map(|(state, count)| format!("{count} {}", state_word(*state))).collect();
    let text = format!("{}: {}", counted(threads.coverage.of, "thread"), states.join(", "));
    wrap(out, &text, "  ", "  ", text_width)?;
    if !threads.coverage.is_whole() {
        let text = format!("{} were looked at, those with the lowest ids", threads.coverage.read);
        wrap(out, &text, "  ", "  ", text_width)?;
    }
    let refused = threads.threads.iter().find_map(|thread| match thread.stack {
        Reading::Denied(why) => Some(why.grant()),
        _ => None,
    });
    if let Some(why) = refused {
        wrap(out, &format!("stacks are not shown: {why}"), "  ", "  ", text_width)?;
    }
    table(report, threads).write(out, true, width)
}

fn table(report: &Report<'_>, threads: &Threads) -> Table {
    let mut order: Vec<&Thread> = threads.threads.iter().collect();
    order.sort_by_key(|thread| (std::cmp::Reverse(thread.cpu_ms), thread.tid));
    let row = |thread: &&Thread| {
        let stack = thread.stack.value();
        let of_stack = |bytes: fn(&crate::model::inspect::thread::Stack) -> u64| {
            stack.as_ref().map_or_else(|| "-".to_owned(), |stack| report.size(bytes(stack)))
        };
        vec![
            thread.tid.to_string(),
            char::from(if thread.state.is_ascii_alphabetic() { thread.state } else { b'?' }).to_string(),
            cpu(thread.cpu_ms),
            of_stack(|stack| stack.size),
            of_stack(|stack| stack.rss),
            thread.comm.escaped().into_owned(),
        ]
    };
    let mut rows: Vec<Vec<String>> = order.iter().take(report.top).map(row).collect();
    let rest = order.len().saturating_sub(report.top);
    if rest > 0 {
        let mut row = vec![String::new(); 5];
        row.push(format!("({rest} more)"));
        rows.push(row);
    }
    let columns = vec![right("TID"), left("S"), right("CPU"), right("STACK"), right("IN RAM"), left("NAME")];
    Table { columns, rows, total: None }
}

/// CPU time: `0.05s`, `12s`, `3m`.
fn cpu(ms: u64) -> String {
    if ms < 10_000 {
        format!("{}.{:02}s", ms / 1000, ms % 1000 / 10)
    } else {
        crate::units::Span(Duration::from_millis(ms)).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_cpu_times_have_hundredths() {
        assert_eq!((cpu(50), cpu(9_999), cpu(12_345)), ("0.05s".into(), "9.99s".into(), "12s".into()));
    }
}
