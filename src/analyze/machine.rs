//! The machine over time: what is used, and what grows in it that no process owns.

use super::judge::{Case, Scratch};
use super::layers::Layers;
use super::series::{JUDGED_TIERS, MACHINE_TIERS, Series};
use super::track::{Circumstances, kib, least_kib};
use super::watch::Watch;
use crate::model::account::Account;
use crate::model::judgement::{Judgement, Quantity};
use crate::model::reading::BootMs;
use crate::model::system::SystemSample;

/// The machine over time, in KiB.
#[derive(Clone, Default)]
pub(super) struct Machine {
    used: Option<Watch>,
    /// [`Quantity::OF_KERNEL`], in their order.
    kernel: [Option<Watch>; Quantity::OF_KERNEL.len()],
    layers: Layers,
}

impl Machine {
    pub(super) fn push(&mut self, about: &Circumstances<'_>, scratch: &mut Scratch) {
        let meminfo = &about.system.meminfo;
        let total = meminfo.mem_total.value().unwrap_or(u64::MAX);
        let available = meminfo.mem_available.value().unwrap_or(u64::MAX);
        let case =
            || Case { age_ms: about.at.0, is_kernel: true, ..Case::of_sum(least_kib(total), kib(available) as f32) };
        if let Some(used) = meminfo.used().value().map(kib) {
            let watch = self.used.get_or_insert_with(|| Watch::new(used, about.now));
            watch.push(used, about.now, MACHINE_TIERS, 0);
            watch.judge(about.now, case, scratch);
        }
        let account = Account::of(about.system);
        self.layers.push(account.as_ref(), about.system, about.now);
        let unaccounted = account.as_ref().and_then(|account| account.part("unaccounted")).map(|part| part.bytes);
        for (quantity, watch) in Quantity::OF_KERNEL.into_iter().zip(&mut self.kernel) {
            let value = if quantity == Quantity::Unaccounted { unaccounted } else { line(about.system, quantity) };
            let Some(value) = value.map(kib) else { continue };
            let watch = watch.get_or_insert_with(|| Watch::new(value, about.now));
            watch.push(value, about.now, JUDGED_TIERS, 0);
            watch.judge(about.now, case, scratch);
        }
    }

    /// Used memory, KiB.
    pub(super) fn used(&self) -> Option<&Series> {
        self.used.as_ref().map(|used| &used.series)
    }

    /// All of RAM by layer.
    pub(super) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The watch of one of the machine's quantities.
    pub(super) fn watch(&self, quantity: Quantity) -> Option<&Watch> {
        if quantity == Quantity::Used {
            return self.used.as_ref();
        }
        let place = Quantity::OF_KERNEL.iter().position(|other| *other == quantity)?;
        self.kernel[place].as_ref()
    }

    /// What is said of each quantity that was seen.
    pub(super) fn judgements(&self, now: BootMs) -> impl Iterator<Item = (Quantity, Judgement)> {
        let kernel = Quantity::OF_KERNEL.into_iter().zip(&self.kernel);
        kernel.filter_map(move |(quantity, watch)| Some((quantity, watch.as_ref()?.judgement(now))))
    }
}

fn line(system: &SystemSample, quantity: Quantity) -> Option<u64> {
    let meminfo = &system.meminfo;
    match quantity {
        Quantity::Shmem => meminfo.shmem,
        Quantity::SlabUnreclaimable => meminfo.s_unreclaim,
        Quantity::PageTables => meminfo.page_tables,
        Quantity::KernelStack => meminfo.kernel_stack,
        Quantity::Percpu => meminfo.percpu,
        Quantity::Vmalloc => meminfo.vmalloc(),
        _ => return None,
    }
    .value()
}
