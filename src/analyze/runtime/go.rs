//! Go: GOGC and GOMEMLIMIT (runtime/debug.SetGCPercent and SetMemoryLimit, Go 1.19). A program may set both itself.

use super::Case;
use super::words::size;
use crate::model::runtime::{Keeping, KnownLimit, OwnLimit};

pub(super) fn limit(case: &Case<'_>) -> OwnLimit {
    let told = case.settings.get("GOMEMLIMIT");
    let is_collected = case.settings.get("GOGC").as_deref() != Some("off");
    match told.as_deref().and_then(size) {
        Some(bytes) => OwnLimit::Known(KnownLimit {
            bytes,
            of: tr!("memory of the Go runtime"),
            source: format!("GOMEMLIMIT={}", told.unwrap_or_default()),
            then: tr!("it collects ever more often, and goes beyond if it must"),
            is_told: true,
            keeping: if is_collected { Keeping::Strains } else { Keeping::Fills },
        }),
        None => OwnLimit::Without(tr!("Go has none unless GOMEMLIMIT or the program sets one").into()),
    }
}

pub(super) fn facts(case: &Case<'_>) -> Vec<(&'static str, String)> {
    let gogc = case.settings.get("GOGC");
    let value = gogc.as_deref().unwrap_or("100");
    let source = if gogc.is_some() { "GOGC" } else { tr!("the default") };
    let text = match value {
        "off" => tr!("only at the limit (GOGC=off)").to_owned(),
        value => tr!("when the heap has grown by {value}% since the last ({source})", value, source),
    };
    vec![(tr!("collection"), text)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::runtime::tests::{clues, identity, room};
    use crate::analyze::runtime::{LimitForJudge, derive, limit_for_judge};
    use crate::model::process::Identity;
    use crate::model::reading::Reading;
    use crate::model::runtime::{Clues, Settings};

    fn runtime(settings: &'static [u8]) -> crate::model::runtime::Runtime {
        let settings = Reading::Value(Settings::new(settings));
        let clues = Clues { go: Some("go1.22.1".into()), settings, ..clues() };
        derive(&identity("/opt/app/server"), &clues, None).unwrap()
    }

    #[test]
    fn the_limit_is_a_wish_that_the_environment_tells() {
        let told = runtime(b"GOMEMLIMIT=512MiB\0GOGC=200\0");
        assert_eq!(told.version.as_deref(), Some("1.22.1"));
        let OwnLimit::Known(limit) = told.limit else { panic!("{:?}", told.limit) };
        assert_eq!((limit.bytes, limit.keeping), (512 << 20, Keeping::Strains));
        assert!(told.facts[0].1.contains("200%"), "{:?}", told.facts);
        assert!(matches!(runtime(b"").limit, OwnLimit::Without(_)));
        assert!(matches!(runtime(b"GOMEMLIMIT=off\0").limit, OwnLimit::Without(_)));
        let OwnLimit::Known(filled) = runtime(b"GOMEMLIMIT=1GiB\0GOGC=off\0").limit else { panic!() };
        assert_eq!(filled.keeping, Keeping::Fills);
    }

    #[test]
    fn a_judge_does_not_take_a_setting_for_the_runtime() {
        let identity =
            Identity { settings: Settings::new(*b"GOMEMLIMIT=1GiB\0GOGC=off\0"), ..identity("/opt/app/server") };
        assert_eq!(limit_for_judge(&identity, room(1 << 31)), None::<LimitForJudge>);
    }
}
