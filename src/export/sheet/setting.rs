//! Settings that decide what becomes of memory, each with what its present value does, and the zones' watermarks.

use super::{About, Sheet, SheetRow, Tone, column, sentence};
use crate::model::survey::{SETTINGS, Setting};

/// Every setting with what its value does here.
pub fn settings(about: &About<'_>) -> Sheet {
    let columns = vec![
        column(key!("SETTING"), false, 0),
        column(key!("VALUE"), true, 0),
        column(key!("WHAT IT DOES HERE"), false, 0),
    ];
    let mut sheet = Sheet::new(tr!("Settings"), columns);
    let Some(values) = about.part(&mut sheet, |survey| &survey.settings) else { return sheet };
    let meminfo = &about.snapshot.sample.system.meminfo;
    let zones = about.survey.and_then(|survey| survey.zones.value());
    sheet.rows = SETTINGS
        .iter()
        .zip(values.iter())
        .map(|(spec, reading)| {
            let (value, what, tone) = match reading.as_ref().value() {
                Some(value) => (shown(value), spec.explain(value, meminfo, zones, values), Tone::Plain),
                None => ("-".to_owned(), reading.explain().unwrap_or_default(), Tone::Muted),
            };
            SheetRow::new(vec![spec.key.to_owned(), value, what], tone)
        })
        .collect();
    sheet
}

/// The value; a number that is a limit beyond any machine is none.
fn shown(value: &Setting) -> String {
    if value.number.is_some_and(|number| number > 1 << 57) { "no limit".to_owned() } else { value.text.clone() }
}

/// The watermarks of each zone.
pub fn zones(about: &About<'_>) -> Sheet {
    let columns = vec![
        column(key!("NODE"), true, 1),
        column(key!("ZONE"), false, 0),
        column(key!("FREE"), true, 0),
        column("MIN", true, 0),
        column("LOW", true, 0),
        column("HIGH", true, 0),
        column(key!("SIZE"), true, 2),
        column(key!("NOW"), false, 0),
    ];
    let mut sheet = Sheet::new("Watermarks by zone", columns);
    let Some(zones) = about.part(&mut sheet, |survey| &survey.zones) else { return sheet };
    sheet.rows = zones
        .zones
        .iter()
        .map(|zone| {
            let (now, tone) = match zone.free {
                free if free < zone.min => ("below min: programs reclaim for themselves and stall", Tone::Bad),
                free if free < zone.low => ("below low: kswapd reclaims", Tone::Warn),
                free if free < zone.high => ("below high: kswapd goes on once woken", Tone::Plain),
                _ => ("above all marks", Tone::Good),
            };
            let sizes = [zone.free, zone.min, zone.low, zone.high, zone.managed].map(|bytes| about.size(bytes));
            let mut cells = vec![zone.node.to_string(), zone.name.clone()];
            cells.extend(sizes);
            cells.push(now.to_owned());
            SheetRow::new(cells, tone)
        })
        .collect();
    if sheet.rows.is_empty() {
        sheet.note(sentence("no zone has memory"), Tone::Muted);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::super::testing::{about, text};
    use super::*;
    use crate::model::reading::{BootMs, Denial, Reading};
    use crate::model::survey::{Survey, Surveyed, Zone, Zones};
    use crate::model::testing::snapshot;

    #[test]
    fn each_setting_has_a_line_and_what_can_t_be_read_says_why() {
        let value = |key: &str| match key {
            "vm.swappiness" => Reading::Value(Setting { text: "60".into(), number: Some(60) }),
            _ => Reading::Denied(Denial::Root),
        };
        let values = SETTINGS.iter().map(|spec| value(spec.key)).collect();
        let settings_read = Surveyed { reading: Reading::Value(values), at: BootMs(0), cost_us: 0, left_out: 0 };
        let survey = Survey { settings: settings_read, ..Survey::default() };
        let snapshot = snapshot(Vec::new());
        let sheet = settings(&about(&snapshot, Some(&survey)));
        assert_eq!(sheet.rows.len(), SETTINGS.len());
        assert!(sheet.rows[0].cells[2].contains("file cache is given up"), "{sheet:?}");
        assert_eq!(sheet.rows[1].cells[1..], ["-".to_owned(), "needs root".to_owned()]);
    }

    #[test]
    fn a_zone_says_where_it_stands() {
        let zone = |free| Zone { name: "Normal".into(), free, min: 10, low: 20, high: 30, managed: 99, node: 0 };
        let all = Zones { zones: [5, 15, 25, 35].map(zone).to_vec(), ..Zones::default() };
        let read = Surveyed { reading: Reading::Value(all), at: BootMs(0), cost_us: 0, left_out: 0 };
        let survey = Survey { zones: read, ..Survey::default() };
        let snapshot = snapshot(Vec::new());
        let sheet = zones(&about(&snapshot, Some(&survey)));
        let tones: Vec<Tone> = sheet.rows.iter().map(|row| row.tone).collect();
        assert_eq!(tones, [Tone::Bad, Tone::Warn, Tone::Plain, Tone::Good], "{}", text(&sheet));
    }
}
