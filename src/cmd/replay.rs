//! `memtide replay`: the live view over a recording.

use std::process::ExitCode;

use anyhow::Context as _;
use jiff::tz::TimeZone;

use super::live::{Publish, Wishes, show};
use crate::cli::{Common, Replay};
use crate::collect::root::ProcRoot;
use crate::config::said::Said;
use crate::model::reading::BootMs;
use crate::record::reader::Reader;
use crate::session::replay::ReplayHandle;
use crate::session::request::Request;

pub(super) fn run(args: &Replay, flags: Said, common: &Common) -> anyhow::Result<ExitCode> {
    let readers = [Reader::open(&args.path)?, Reader::open(&args.path)?];
    let [oldest, newest] = readers[0].span().context("the recording holds no sample that can be read")?;
    let at = args.at.map_or(oldest, |at| at.of_span([oldest, newest], &TimeZone::system()));
    // Moments of a replay are counted from its beginning.
    let at = BootMs(at.abs_diff(oldest) + 1);
    let start = |first: Request, publish: Publish| {
        let replay = ReplayHandle::spawn(readers, first, publish)?;
        // What is recorded already is not recorded again: the face offers no such thing.
        Ok(Wishes {
            request: Box::new(move |request| replay.request(request)),
            record: Box::new(|_| {}),
            session: None,
        })
    };
    let prepare = |app: &mut crate::tui::app::App| {
        app.begin_at(at);
        if let Some(speed) = args.speed {
            app.play_at(speed);
        }
    };
    // Nothing can be done to who is recorded.
    show(flags, common, ProcRoot::recorded(&args.path), prepare, start)
}
