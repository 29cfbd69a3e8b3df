//! Where OTLP is not built in: it says how to have it.

use std::convert::Infallible;

use crate::cli::Serve;
use crate::cmd::Usage;
use crate::export::metrics::Wish;
use crate::serve::Latest;

/// There is no way to a collector.
#[derive(Default)]
pub(super) struct Address;

pub(super) fn address(_: &str) -> Result<Address, Usage> {
    Err(Usage("this memtide was built without OTLP: `cargo install --path . --features otlp`".into()))
}

pub(super) async fn push(_: &Serve, _: Address, _: Latest, _: &Wish) -> anyhow::Result<()> {
    Ok(std::future::pending::<Infallible>().await).map(|never: Infallible| match never {})
}
