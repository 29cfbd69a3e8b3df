//! Numbers pushed to an OpenTelemetry collector: OTLP over HTTP by OpenTelemetry's own exporter, which also obeys the
//! variables `OTEL_EXPORTER_OTLP_*` and `OTEL_RESOURCE_ATTRIBUTES`.
//!
//! Every metric there can be is declared once; what is known of it at the moment is handed over when it is collected.
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter, MeterProvider as _};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};

use crate::export::metrics::catalogue;
use crate::export::metrics::otel::{OtelKind, OtelMetric, metrics};

/// What is known of each metric, by name.
type Known = Arc<Mutex<BTreeMap<String, OtelMetric>>>;

/// The way to a collector. Making, using and dropping it blocks.
pub struct Push {
    provider: SdkMeterProvider,
    known: Known,
}

/// When to send is said by who has something to send.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

impl Push {
    /// To the collector at this URL; without one to where the environment says, else <http://localhost:4318>. Nothing is
    /// sent yet.
    pub fn new(url: Option<&str>, host: &str) -> Result<Self, ExporterBuildError> {
        let exporter = MetricExporter::builder().with_http();
        let exporter = match url {
            Some(url) => exporter.with_endpoint(endpoint(url)).build()?,
            None => exporter.build()?,
        };
        let resource = Resource::builder()
            .with_service_name("memtide")
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("host.name", host.to_owned()),
                KeyValue::new("os.type", "linux"),
            ])
            .build();
        let reader = PeriodicReader::builder(exporter).with_interval(NEVER).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build();
        let known = Known::default();
        let meter = provider.meter("memtide");
        for (name, metric) in metrics(&catalogue()) {
            declare(&meter, name, metric, &known);
        }
        Ok(Self { provider, known })
    }

    /// Sends these and waits for the collector's answer.
    pub fn send(&self, metrics: BTreeMap<String, OtelMetric>) -> OTelSdkResult {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = metrics;
        self.provider.force_flush()
    }
}

/// A collector's address has the signal's path behind it, unless it says one itself.
fn endpoint(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    match rest.split_once('/') {
        Some((_, path)) if !path.is_empty() => url.to_owned(),
        _ => format!("{}/v1/metrics", url.trim_end_matches('/')),
    }
}

fn declare(meter: &Meter, name: String, metric: OtelMetric, known: &Known) {
    let observe = {
        let (name, known) = (name.clone(), Arc::clone(known));
        move |instrument: &dyn AsyncInstrument<f64>| {
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            for (value, attributes) in known.get(&name).into_iter().flat_map(|metric| &metric.points) {
                instrument.observe(*value, &key_values(attributes));
            }
        }
    };
    let OtelMetric { kind, unit, help, .. } = metric;
    match kind {
        OtelKind::Counter => {
            meter.f64_observable_counter(name).with_unit(unit).with_description(help).with_callback(observe).build();
        }
        OtelKind::UpDownCounter => {
            let builder = meter.f64_observable_up_down_counter(name);
            builder.with_unit(unit).with_description(help).with_callback(observe).build();
        }
        OtelKind::Gauge => {
            meter.f64_observable_gauge(name).with_unit(unit).with_description(help).with_callback(observe).build();
        }
    }
}

fn key_values(attributes: &[(&'static str, String)]) -> Vec<KeyValue> {
    let key_value = |(name, value): &(&'static str, String)| match value.parse::<i64>() {
        Ok(pid) if *name == "process.pid" => KeyValue::new(*name, pid),
        _ => KeyValue::new(*name, value.clone()),
    };
    attributes.iter().map(key_value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_without_a_path_gets_that_of_metrics() {
        assert_eq!(endpoint("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/metrics");
        assert_eq!(endpoint("http://127.0.0.1:4318/"), "http://127.0.0.1:4318/v1/metrics");
        assert_eq!(endpoint("http://host/otlp/v1/metrics"), "http://host/otlp/v1/metrics");
    }

    #[test]
    fn where_nobody_listens_it_says_so() {
        let push = Push::new(Some("http://127.0.0.1:1"), "host").unwrap();
        let metrics = metrics(&[crate::export::metrics::tests::gauge("memtide_mem_used_bytes", 1.0)]);
        assert!(push.send(metrics).is_err());
    }
}
