//! `memtide serve --otlp`: what is known goes to a collector, every so often.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::task::spawn_blocking;

use super::{tell, turns, update};
use crate::cli::Serve;
use crate::cmd::Usage;
use crate::export::metrics::otel::metrics;
use crate::export::metrics::{Choice, Wish, families};
use crate::serve::Latest;
use crate::serve::push::Push;

/// A collector; without a URL the one that the environment names.
#[derive(Default)]
pub(super) struct Address(Option<String>);

pub(super) fn address(url: &str) -> Result<Address, Usage> {
    match url {
        "" => Ok(Address(None)),
        url if url.starts_with("http://") => Ok(Address(Some(url.to_owned()))),
        url => Err(Usage(format!(
            "`{url}` is no address of a collector: http://127.0.0.1:4318; TLS is for the collector on this machine"
        ))),
    }
}

/// Pushes until the end. A collector that can't be reached is told once, and tried again each time.
pub(super) async fn push(args: &Serve, to: Address, mut latest: Latest, wish: &Wish) -> anyhow::Result<()> {
    let host = update(&mut latest).await.snapshot.sample.host.name.escaped().into_owned();
    // What blocks may not be made, nor dropped, on the thread of the runtime.
    let push = spawn_blocking(move || Push::new(to.0.as_deref(), &host)).await?.context("OTLP")?;
    let push = Arc::new(push);
    let mut choice = Choice::default();
    let mut failed = false;
    let mut turns = turns(args);
    loop {
        turns.tick().await;
        let update = update(&mut latest).await;
        choice = choice.renew(&update.snapshot, wish);
        let metrics = metrics(&families(&update.snapshot, &choice, wish, None));
        let push = Arc::clone(&push);
        let result = spawn_blocking(move || push.send(metrics)).await?;
        match &result {
            Err(why) if !failed => tell(&format!("the collector can't be reached, and is tried again: {why}")),
            Ok(()) if failed => tell("the collector is reached again"),
            _ => {}
        }
        failed = result.is_err();
    }
}
