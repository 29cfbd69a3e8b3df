//! `memtide doctor`.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::{root, terminal_width};
use crate::act::reach::reach;
use crate::analyze::sight::sight;
use crate::cli::{Common, Doctor, Report};
use crate::collect::once::{Once, read_once};
use crate::collect::survey::Surveyor;
use crate::config::{Environment, file, resolve};
use crate::export::doctor;
use crate::model::field::Source;
use crate::model::power::{Kind, Power};

/// What is read of each process.
const SOURCES: [Source; 4] = [Source::Identity, Source::Rollup, Source::Fds, Source::Limits];

pub(super) fn run(args: &Doctor, common: &Common) -> anyhow::Result<ExitCode> {
    let root = root(common);
    let sample = read_once(&root, &Once { sources: SOURCES.into_iter().collect(), top_by_pss: None })?;
    let is_root = rustix::process::geteuid().is_root();
    let mut powers = sight(&sample, Surveyor::new(root.clone()).look_at_all(), is_root);
    powers.extend(reach(&root));
    powers.extend(face(common));
    let mut out = io::stdout().lock();
    match args.format {
        Report::Json => writeln!(out, "{:#}", doctor::json(&sample.host, &powers))?,
        Report::Text => doctor::text(&mut out, &sample.host, &powers, terminal_width())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What the terminal and the settings give the live view.
fn face(common: &Common) -> [Power; 3] {
    let environment = Environment::of_process();
    let path = common.config.clone().or_else(file::default_path);
    let (settings, said) = match (path, file::settings(common.config.as_deref())) {
        (_, Err(error)) => {
            let mend = "mend the line, or see `memtide config --print-default`";
            (Power::missing(Kind::Shows, "settings", error.to_string(), mend), None)
        }
        (None, Ok(said)) => {
            let mend = "set HOME or XDG_CONFIG_HOME";
            (Power::missing(Kind::Shows, "settings", "there is no home to keep them in", mend), Some(said))
        }
        (Some(path), Ok(said)) => {
            let path = crate::model::text::escape(path.as_os_str().as_encoded_bytes()).into_owned();
            let below = common.config.is_none() && Path::new(file::SYSTEM).exists();
            let path = if below { format!("{path}, below it {}", file::SYSTEM) } else { path };
            (Power::whole(Kind::Shows, "settings", path), Some(said))
        }
    };
    let options = resolve(said.unwrap_or_default(), &environment);
    let colours = Power::whole(Kind::Shows, "colours", options.depth.words());
    let glyphs = if options.is_ascii {
        Power::missing(
            Kind::Shows,
            "graphs",
            "in ASCII: the locale or the console has no more",
            "LC_ALL=C.UTF-8 memtide, or --ascii=false",
        )
    } else {
        Power::whole(Kind::Shows, "graphs", "in Unicode blocks and braille")
    };
    [colours, glyphs, settings]
}
