//! .NET: the heap of its collector.
//!
//! DOTNET_GCHeapHardLimit and DOTNET_GCHeapHardLimitPercent are hexadecimal, and COMPlus_ is their older prefix; in a
//! control group with a limit the default is three quarters of it, 20 MiB at least
//! (learn.microsoft.com/dotnet/core/runtime-config/garbage-collector).

use super::Case;
use super::words::share;
use crate::model::runtime::{Keeping, KnownLimit, OwnLimit};
use crate::units::Bytes;

pub(super) fn limit(case: &Case<'_>) -> OwnLimit {
    let hex = |name: &str| {
        ["DOTNET_", "COMPlus_"].iter().find_map(|prefix| {
            let value = case.settings.get(&format!("{prefix}{name}"))?;
            let number = u64::from_str_radix(value.trim_start_matches("0x"), 16).ok().filter(|number| *number > 0)?;
            Some((number, format!("{prefix}{name}={value}")))
        })
    };
    let seen = case.room.seen();
    let told = hex("GCHeapHardLimit")
        .or_else(|| hex("GCHeapHardLimitPercent").map(|(part, source)| (share(seen, part.min(100) as f64), source)));
    let by_group = || {
        let group = case.room.group.filter(|group| *group < case.room.machine)?;
        let source = tr!("the default: three quarters of its control group's limit ({group})", group = Bytes(group));
        Some(((group / 4 * 3).max(20 << 20), source))
    };
    let is_told = told.is_some();
    match told.or_else(by_group) {
        Some((bytes, source)) => OwnLimit::Known(KnownLimit {
            bytes,
            of: tr!("heap"),
            source,
            then: tr!("it collects all it can, then throws OutOfMemoryException"),
            is_told,
            keeping: Keeping::Ends,
        }),
        None => OwnLimit::Unseen(
            tr!("none is set in its environment and its control group has none: its runtimeconfig.json may set \
             System.GC.HeapHardLimit")
            .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::runtime::own_limit;
    use crate::analyze::runtime::tests::{identity, known, room};
    use crate::model::process::Identity;
    use crate::model::runtime::Settings;

    #[test]
    fn the_hard_limit_is_hexadecimal_and_a_share_is_of_the_group() {
        let with =
            |settings: &'static [u8]| Identity { settings: Settings::new(settings), ..identity("dotnet app.dll") };
        assert_eq!(known(&with(b"DOTNET_GCHeapHardLimit=C800000\0"), room(1 << 31)).bytes, 200 << 20);
        assert_eq!(known(&with(b"COMPlus_GCHeapHardLimit=0xC800000\0"), room(1 << 31)).bytes, 200 << 20);
        assert_eq!(known(&with(b"DOTNET_GCHeapHardLimitPercent=32\0"), room(1 << 31)).bytes, 1 << 30);
        let grouped = crate::analyze::runtime::Room { group: Some(400 << 20), ..room(1 << 31) };
        assert_eq!(known(&with(b""), grouped).bytes, 300 << 20);
        assert!(matches!(own_limit(&with(b""), room(1 << 31)), Some(OwnLimit::Unseen(_))));
    }
}
