//! `memtide export`: a recording as rows or metrics that other programs read.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::tz::TimeZone;

use super::Usage;
use crate::cli::{Export, ExportFormat};
use crate::export::metrics;
use crate::export::metrics::past::Past;
use crate::export::rows::{Csv, Encoder, JsonLines, Of};
use crate::model::field::{PROCESS_FIELDS, ProcessField, Source};
use crate::model::judgement::Analysis;
use crate::model::query::Query;
use crate::model::sample::Sample;
use crate::model::snapshot::Snapshot;
use crate::record::reader::Reader;
use crate::session::Session;
use crate::tui::moment::Moment;

pub(super) fn run(args: &Export) -> anyhow::Result<ExitCode> {
    let of = of(args)?;
    if args.format == ExportFormat::Parquet && args.output.is_none() && io::stdout().is_terminal() {
        return Err(Usage("Parquet is not for a terminal: say --output FILE".into()).into());
    }
    if args.format == ExportFormat::Openmetrics && args.actions {
        return Err(Usage("actions are rows and no metrics: use csv, jsonl or parquet".into()).into());
    }
    let mut reader = Reader::open(&args.path)?;
    let [first, last] = reader.span().context("the recording is empty")?;
    let of_span = |moment: Moment| moment.of_span([first, last], &TimeZone::system());
    let from = args.from.map_or(first, of_span);
    let to = args.to.map_or(i64::MAX, of_span);
    let mut derived = Derived::new(&of);
    if derived.session.is_none() {
        reader.seek(from);
    }
    let out = output(args.output.as_deref())?;
    let mut sink = Sink::new(args.format, out, &of)?;
    while let Some(sample) = reader.next() {
        if sample.wall_ms > to {
            break;
        }
        let is_before = sample.wall_ms < from;
        let snapshot = derived.snapshot(sample);
        if !is_before {
            sink.take(&snapshot, &of)?;
        }
    }
    sink.end()?;
    super::verify::warn(&reader);
    Ok(ExitCode::SUCCESS)
}

/// What is exported.
fn of(args: &Export) -> anyhow::Result<Of> {
    let filter = args.filter().map_err(Usage)?;
    let filter = filter.map(|filter| Query::parse(&filter.to_string())).transpose()?;
    if args.machine {
        return Ok(Of::Machine);
    }
    if args.actions {
        return Ok(Of::Deeds);
    }
    // A line of a table is no value, and what a history adds is there when it is asked for.
    let is_usual = |field: &&ProcessField| !matches!(field.source, Source::History | Source::Mark);
    let fields: Vec<&'static ProcessField> = match &args.fields {
        Some(fields) => fields.iter().map(|field| field.0).collect(),
        None => PROCESS_FIELDS.iter().filter(is_usual).collect(),
    };
    Ok(Of::Processes(fields, filter))
}

/// The file, which must not be there yet, or stdout.
fn output(path: Option<&Path>) -> anyhow::Result<Box<dyn Write + Send>> {
    Ok(match path {
        None => Box::new(BufWriter::new(io::stdout())),
        Some(path) => Box::new(BufWriter::new(File::create_new(path).with_context(|| format!("{}", path.display()))?)),
    })
}

/// Makes snapshots of samples, with what a history adds where somebody asks for it: then all before counts too.
struct Derived {
    session: Option<Session>,
    before: Option<Arc<Sample>>,
}

impl Derived {
    fn new(of: &Of) -> Self {
        let needs_history = match of {
            Of::Machine | Of::Deeds => false,
            Of::Processes(fields, filter) => {
                fields.iter().any(|field| field.source == Source::History)
                    || filter.as_ref().is_some_and(|filter| filter.sources().contains(Source::History))
            }
        };
        Self { session: needs_history.then(Session::default), before: None }
    }

    fn snapshot(&mut self, sample: Sample) -> Arc<Snapshot> {
        if let Some(session) = &mut self.session {
            session.ingest(sample.clone());
            if let Some(snapshot) = session.latest() {
                return Arc::clone(snapshot);
            }
        }
        let sample = Arc::new(sample);
        let snapshot = Snapshot::derive(self.before.as_deref(), Arc::clone(&sample), Analysis::default());
        self.before = Some(sample);
        Arc::new(snapshot)
    }
}

/// Where snapshots go.
enum Sink {
    Rows(Box<dyn Encoder>),
    Metrics(Past, Box<dyn Write + Send>),
}

impl Sink {
    fn new(format: ExportFormat, out: Box<dyn Write + Send>, of: &Of) -> anyhow::Result<Self> {
        let columns = of.columns();
        Ok(match format {
            ExportFormat::Csv => Self::Rows(Box::new(Csv::new(out, &columns)?)),
            ExportFormat::Jsonl => Self::Rows(Box::new(JsonLines::new(out, &columns))),
            ExportFormat::Openmetrics => Self::Metrics(Past::default(), out),
            #[cfg(feature = "parquet")]
            ExportFormat::Parquet => Self::Rows(Box::new(crate::export::rows::Parquet::new(out, &columns)?)),
            #[cfg(not(feature = "parquet"))]
            ExportFormat::Parquet => {
                let why = "this memtide was built without Parquet: `cargo install --path . --features parquet`";
                return Err(Usage(why.into()).into());
            }
        })
    }

    fn take(&mut self, snapshot: &Snapshot, of: &Of) -> io::Result<()> {
        match self {
            Self::Rows(encoder) => of.write(snapshot, &mut **encoder),
            Self::Metrics(past, _) => {
                let families = match of {
                    Of::Processes(fields, filter) => metrics::of_all(snapshot, fields, filter.as_ref()),
                    Of::Machine => metrics::of_machine(snapshot),
                    // They are told before the first row: actions are no metrics.
                    Of::Deeds => Vec::new(),
                };
                past.push(snapshot.sample.wall_ms, families);
                Ok(())
            }
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Rows(encoder) => encoder.end(),
            Self::Metrics(past, mut out) => past.write(&mut out),
        }
    }
}
