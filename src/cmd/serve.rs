//! `memtide serve`: one session, whose latest update answers scrapes, fills EMF lines and is pushed.

#[cfg(feature = "otlp")]
mod otlp;
#[cfg(not(feature = "otlp"))]
#[path = "serve/no_otlp.rs"]
mod otlp;

use std::future::pending;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::stop::Stop;
use super::{Usage, root};
use crate::cli::{Common, Serve};
use crate::collect::demand::Demand;
use crate::export::emf;
use crate::export::metrics::choice::FIELDS;
use crate::export::metrics::{Choice, Wish, names};
use crate::model::field::process_field;
use crate::model::query::Query;
use crate::serve::address::{Address, Listener};
use crate::serve::token::Token;
use crate::serve::{Latest, Page, Site};
use crate::session::request::Request;
use crate::session::source::{FixtureSource, LiveSource, Source};
use crate::session::thread::{Published, SessionHandle};
use crate::session::update::Update;

pub(super) fn run(args: &Serve, common: &Common) -> anyhow::Result<ExitCode> {
    let collector = args.otlp.as_deref().map(otlp::address).transpose()?;
    let addresses = addresses(args)?;
    let wish = Arc::new(wish(args)?);
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let token = args.token_file.as_deref().map(|path| Token::read(path, credentials.as_deref())).transpose()?;
    if token.is_none() && !addresses.iter().all(Address::is_local) {
        tell("whoever reaches this address may read what runs here; --token-file asks for a secret");
    }
    let source: Box<dyn Source + Send> = match &common.root {
        Some(folder) => Box::new(FixtureSource::open(folder)),
        None => Box::new(LiveSource::open(root(common))?),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut stop = Stop::listen(&runtime)?;
    // Before there is any other thread: the umask is the whole process's.
    let listeners = runtime.block_on(listen(&addresses))?;
    let (publish, latest) = watch::channel(None);
    let session = SessionHandle::spawn(source, request(args, &wish), move |published| {
        publish.send_replace(Some(published));
    })?;
    let page = Page::new(latest.clone(), Arc::clone(&wish), common.root.is_none().then(std::process::id));
    let site = Arc::new(Site::new(page, token));
    let mut result = Ok(());
    let end = async {
        result = tokio::select! {
            () = stop.came() => Ok(()),
            result = failed(latest.clone()) => result,
            result = print_emf(args, latest.clone(), &wish), if args.emf => result,
            result = otlp::push(args, collector.unwrap_or_default(), latest, &wish), if args.otlp.is_some() => result,
        };
    };
    runtime.block_on(crate::serve::run(listeners, site, end));
    drop(session);
    result.map(|()| ExitCode::SUCCESS)
}

/// Where to listen; nowhere unless it is said where the numbers are printed or pushed.
fn addresses(args: &Serve) -> anyhow::Result<Vec<Address>> {
    if let Some(address) = args.listen.iter().find(|address| !address.is_local() && !args.allow_remote) {
        let why = format!("other machines could read {address}: say --allow-remote too if that is meant");
        return Err(Usage(why).into());
    }
    Ok(if args.listen.is_empty() && !args.emf && args.otlp.is_none() {
        vec![Address::default()]
    } else {
        args.listen.clone()
    })
}

fn wish(args: &Serve) -> anyhow::Result<Wish> {
    let fields = match &args.fields {
        Some(fields) => fields.iter().map(|field| field.0).collect(),
        None => FIELDS.into_iter().filter_map(process_field).collect::<Vec<_>>(),
    };
    if let Some(field) = fields.iter().find(|field| names::of_process(field).is_none()) {
        return Err(Usage(format!("`{}` is no number that a metric could have", field.key)).into());
    }
    let filter = args.filter.as_ref().map(|filter| Query::parse(&filter.to_string())).transpose()?;
    let group = args.group.and_then(|group| group.0);
    Ok(Wish { top: args.top.into(), group, fields, sort: args.sort.0, filter })
}

fn request(args: &Serve, wish: &Wish) -> Request {
    let is_by_pss = wish.sort.key == "pss" && wish.group.is_none();
    Request {
        demand: Demand {
            sources: wish.sources(),
            visible: Vec::new(),
            top_by_pss: if is_by_pss { wish.top } else { 0 },
            cgroups: false,
            budget: args.budget.map_or(Demand::BUDGET, |share| share.0),
        },
        series: Vec::new(),
        series_points: 0,
        series_span: Duration::ZERO,
        machine_points: 0,
        machine_span: Duration::ZERO,
        evidence: None,
        at: None,
        play: None,
        hunt: None,
        inspect: None,
        system: None,
        interval: args.interval.0,
    }
}

async fn listen(addresses: &[Address]) -> anyhow::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = Listener::bind(address).await.map_err(|error| anyhow::anyhow!("{address}: {error}"))?;
        tell(&format!("serving {}", listener.address()?));
        listeners.push(listener);
    }
    Ok(listeners)
}

/// A word on stderr. Nobody is the worse where it can't be said.
fn tell(word: &str) {
    let _ = writeln!(io::stderr(), "memtide: {word}");
}

/// Until there will be no further sample.
async fn failed(mut latest: Latest) -> anyhow::Result<()> {
    match latest.wait_for(|latest| matches!(latest, Some(Published::Failed(_)))).await.as_deref() {
        Ok(Some(Published::Failed(why))) => anyhow::bail!("{why}"),
        // The session has ended because we have.
        _ => pending().await,
    }
}

/// The latest update, once there is one.
async fn update(latest: &mut Latest) -> Arc<Update> {
    match latest.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(Published::Update(update))) => Arc::clone(update),
        // It is told elsewhere.
        _ => pending().await,
    }
}

/// A turn every so often, the first at once. After a suspended laptop wakes there is one, and not all that were missed.
fn turns(args: &Serve) -> Interval {
    let mut turns = interval(args.every.0);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turns
}

/// Prints lines every so often, the first as soon as there is a sample.
async fn print_emf(args: &Serve, mut latest: Latest, wish: &Wish) -> anyhow::Result<()> {
    let target = emf::Target { namespace: args.namespace.clone(), dimensions: args.dimensions.clone() };
    let mut choice = Choice::default();
    let mut turns = turns(args);
    loop {
        turns.tick().await;
        let update = update(&mut latest).await;
        choice = choice.renew(&update.snapshot, wish);
        let mut out = io::stdout().lock();
        for line in emf::lines(&update.snapshot, &choice, wish, &target) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
    }
}
