//! `memtide heap show`: what a V8 heap snapshot holds.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::{Usage, terminal_width};
use super::open;
use crate::cli::{Format, HeapOrder, HeapShow, HeapWhat};
use crate::export::heap::{self, ClassOrder, Sheet};
use crate::heap::explorer::{Explorer, NodeOrder};
use crate::model::text::escape;
use crate::units::Bytes;

pub(super) fn run(args: &HeapShow) -> anyhow::Result<ExitCode> {
    if args.object.is_some() && args.format == Format::Csv {
        return Err(Usage("one object has several lists: --format table or json".into()).into());
    }
    let explorer = open::explorer(&args.file, args.force)?;
    let mut out = BufWriter::new(io::stdout().lock());
    if let Some(id) = args.object {
        object(args, &explorer, id, &mut out)?;
    } else {
        let sheets = sheets(args, &explorer)?;
        print(args, &explorer, &sheets, &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn object(args: &HeapShow, explorer: &Explorer, id: u64, out: &mut dyn Write) -> anyhow::Result<()> {
    let node = u32::try_from(id).ok().and_then(|id| explorer.graph().node_of_id(id));
    let Some(node) = node else { anyhow::bail!("{} has no object @{id}", args.file.display()) };
    if args.format == Format::Json {
        let mut document = heap::head(explorer, &args.file.to_string_lossy());
        document.extend(heap::object_json(explorer, node, args.top)?);
        writeln!(out, "{:#}", Value::Object(document))?;
    } else {
        heap::write_object(explorer, node, args.top, args.bytes, terminal_width(), out)?;
    }
    Ok(())
}

/// The lists that were asked for.
fn sheets(args: &HeapShow, explorer: &Explorer) -> anyhow::Result<Vec<Sheet>> {
    let top = args.top;
    let order = if args.by == HeapOrder::Shallow { NodeOrder::Shallow } else { NodeOrder::Retained };
    let class_order = match args.by {
        HeapOrder::Retained => ClassOrder::Retained,
        HeapOrder::Shallow => ClassOrder::Shallow,
        HeapOrder::Count => ClassOrder::Count,
    };
    let word = args.search.as_deref().unwrap_or_default().to_lowercase();
    if let Some(name) = &args.class {
        let classes = explorer.classes().all().iter().enumerate();
        let named: Vec<u32> = classes
            .filter(|(_, class)| escape(&class.name) == name.as_str() || class.name == name.as_bytes())
            .map(|(number, _)| number as u32)
            .collect();
        anyhow::ensure!(
            !named.is_empty(),
            "{} has no class {}: --search finds part of a name",
            args.file.display(),
            escape(name.as_bytes())
        );
        return Ok(vec![heap::objects(explorer, &named, order, top)]);
    }
    let sheet = match args.what {
        HeapWhat::Classes => heap::classes(explorer, class_order, &word, top),
        HeapWhat::Strings => heap::strings(explorer, &word, top),
        HeapWhat::Collections => heap::collections(explorer, top)?,
        HeapWhat::Closures => heap::closures(explorer, &word, top)?,
        HeapWhat::Detached => heap::detached(explorer, top),
        HeapWhat::Biggest => heap::biggest(explorer, order, top),
        HeapWhat::Dominators => heap::dominated(explorer, explorer.graph().root(), top)?,
    };
    let mut sheets = vec![sheet];
    if args.what == HeapWhat::Classes && !word.is_empty() {
        sheets.push(heap::found(explorer, &word, top)?);
    }
    Ok(sheets)
}

fn print(args: &HeapShow, explorer: &Explorer, sheets: &[Sheet], out: &mut dyn Write) -> anyhow::Result<()> {
    match args.format {
        Format::Json => {
            let mut document = heap::head(explorer, &args.file.to_string_lossy());
            for (place, sheet) in sheets.iter().enumerate() {
                document.insert(sheet.name.into(), sheet.json());
                let of = if place == 0 { "of".into() } else { format!("{}_of", sheet.name) };
                document.insert(of, json!(sheet.of));
            }
            writeln!(out, "{:#}", Value::Object(document))?;
        }
        Format::Csv => sheets[0].write_csv(out)?,
        Format::Table => {
            let graph = explorer.graph();
            let total = explorer.total();
            let total = if args.bytes { total.to_string() } else { Bytes(total).to_string() };
            writeln!(out, "{total} in {} nodes and {} edges", count(graph.node_count()), count(graph.edge_count()))?;
            for sheet in sheets {
                writeln!(out)?;
                if sheet.rows.is_empty() {
                    writeln!(out, "no {}", sheet.name)?;
                } else {
                    sheet.write(out, args.bytes, terminal_width())?;
                }
            }
            tell_held(args, explorer, out)?;
        }
    }
    Ok(())
}

/// Who holds the objects of the class that was asked for.
fn tell_held(args: &HeapShow, explorer: &Explorer, out: &mut dyn Write) -> anyhow::Result<()> {
    let Some(name) = &args.class else { return Ok(()) };
    for (number, class) in explorer.classes().all().iter().enumerate() {
        if class.name != name.as_bytes() && escape(&class.name) != name.as_str() {
            continue;
        }
        let nodes: Vec<u32> = explorer.classes().nodes(number as u32).collect();
        writeln!(out)?;
        for held in explorer.held(&nodes, Some(number as u32))?.iter().take(HELD) {
            writeln!(out, "{}", explorer.held_text(held, &escape(&class.name)))?;
        }
    }
    Ok(())
}

/// Ways of holding that are told.
const HELD: usize = 5;

fn count(number: usize) -> String {
    crate::heap::holders::grouped(number as u64)
}
