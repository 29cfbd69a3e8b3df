//! Slab by cache.

use super::{About, Sheet, SheetRow, Tone, column, counted, percent};

/// Every cache of the slab allocator, the largest first.
pub fn slab(about: &About<'_>) -> Sheet {
    let columns = vec![
        column(key!("CACHE"), false, 0),
        column(key!("SIZE"), true, 0),
        column(key!("SHARE"), true, 3),
        column(key!("IDLE"), true, 2),
        column(key!("OBJECTS"), true, 1),
        column(key!("IN USE"), true, 4),
        column(key!("EACH"), true, 5),
        column(key!("KIND"), false, 1),
    ];
    let mut sheet = Sheet::new(tr!("Slab by cache"), columns);
    let meminfo = &about.snapshot.sample.system.meminfo;
    let Some(caches) = about.part(&mut sheet, |survey| &survey.slab) else {
        let (kept, reclaimable) = (&meminfo.s_unreclaim, &meminfo.s_reclaimable);
        let parts = tr!(
            "Of all caches together: {reclaimable} reclaimable, {kept} kept.",
            reclaimable = about.known(reclaimable),
            kept = about.known(kept)
        );
        sheet.note(parts, Tone::Plain);
        return sheet;
    };
    let sum = caches.iter().fold(0u64, |sum, cache| sum.saturating_add(cache.bytes));
    let idle = caches.iter().fold(0u64, |sum, cache| sum.saturating_add(cache.idle()));
    let count = counted(caches.len(), tr!("cache" => "counted"), tr!("caches" => "counted"));
    let used = tr!(
        "{sum} in {count}, {idle} of it in objects that nobody uses.",
        sum = about.size(sum),
        count,
        idle = about.size(idle)
    );
    let mut lead = vec![used];
    if let Some(all) = meminfo.slab.value() {
        let rest = i128::from(all) - i128::from(sum);
        lead.push(tr!(
            "Slab of /proc/meminfo is {all}: {rest} beside the caches (blocks over 8 KiB, empty slabs).",
            all = about.size(all),
            rest = about.signed(rest)
        ));
    }
    sheet.note(lead.join(" "), Tone::Plain);
    // A cache that holds nothing says nothing.
    let held: Vec<_> = caches.iter().filter(|cache| cache.bytes > 0).collect();
    sheet.fill(held.into_iter().map(|cache| {
        let kind = match cache.is_reclaimable {
            Some(true) => tr!("reclaimable"),
            Some(false) => tr!("kept"),
            None => "-",
        };
        let cells = vec![
            cache.name.escaped().into_owned(),
            about.size(cache.bytes),
            percent(cache.bytes, sum),
            percent(cache.idle(), cache.bytes),
            cache.objects.to_string(),
            cache.active.to_string(),
            about.size(cache.object_size),
            kind.to_owned(),
        ];
        SheetRow::new(cells, Tone::Plain)
    }));
    sheet
}

#[cfg(test)]
mod tests {
    use super::super::testing::{about, text};
    use super::*;
    use crate::model::reading::{BootMs, Reading};
    use crate::model::survey::{SlabCache, Survey, Surveyed};
    use crate::model::testing::snapshot;

    #[test]
    fn what_is_in_no_cache_is_told() {
        let cache = |name: &str, mib: u64, active| SlabCache {
            name: name.into(),
            active,
            objects: 200,
            object_size: 4096,
            bytes: mib << 20,
            is_reclaimable: Some(true),
        };
        let caches = [cache("dentry", 40, 100), cache("empty", 0, 0)];
        let slabs = Surveyed { reading: Reading::Value(caches.into()), at: BootMs(0), cost_us: 0, left_out: 0 };
        let survey = Survey { slab: slabs, ..Survey::default() };
        let snapshot = snapshot(Vec::new());
        let shown = text(&slab(&about(&snapshot, Some(&survey))));
        assert!(shown.contains("Slab of /proc/meminfo is 61M: 21M beside"), "{shown}");
        assert!(shown.contains("dentry | 40M | 100.0% | 99.0% | 200 | 100 | 4K | reclaimable"), "{shown}");
        assert!(!shown.contains("empty |"), "{shown}");
    }
}
