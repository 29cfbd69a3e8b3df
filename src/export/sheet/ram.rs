//! RAM: its parts, and what of it could be had back.

use super::{About, Sheet, SheetRow, Tone, column, percent};
use crate::model::account::Account;
use crate::model::reclaim::{Price, reclaimable};

/// Every part of RAM, down to what nobody accounts for.
pub fn parts(about: &About<'_>) -> Sheet {
    let columns = vec![
        column("RAM", false, 0),
        column(key!("SIZE"), true, 0),
        column(key!("SHARE"), true, 1),
        column(key!("WHAT IT IS, AND WHAT TAKES IT BACK"), false, 2),
    ];
    let mut sheet = Sheet::new(tr!("RAM, part by part"), columns);
    let Some(account) = Account::of(&about.snapshot.sample.system) else {
        sheet.note(tr!("The kernel does not tell how much there is."), Tone::Warn);
        return sheet;
    };
    if let Some(note) = remainder(about, &account) {
        sheet.note(note, Tone::Warn);
    }
    // What is zero here would only hide what is not.
    let shown = account.parts.iter().filter(|part| part.bytes > 0 || part.key == "unaccounted");
    sheet.rows = shown
        .map(|part| SheetRow {
            cells: vec![
                tr!(of part.title).to_owned(),
                about.size(part.bytes),
                percent(part.bytes, account.total),
                tr!(of part.help).to_owned(),
            ],
            tone: Tone::Plain,
            layer: Some(part.layer),
        })
        .collect();
    sheet
}

/// What is said where the parts are more than the whole by more than a rounding.
pub fn remainder(about: &About<'_>, account: &Account) -> Option<String> {
    let is_much = account.overlap > account.total / 1000;
    is_much.then(|| {
        let overlap = about.signed(-i128::from(account.overlap));
        tr!(
            "{overlap} is left for what nobody accounts for: the kernel changed between two counters, or counts twice.",
            overlap
        )
    })
}

/// What could be had back, at which price.
pub fn reclaim(about: &About<'_>) -> Sheet {
    let columns =
        vec![column(key!("COULD BE FREED"), false, 0), column(key!("UP TO"), true, 0), column(key!("PRICE"), false, 0)];
    let system = &about.snapshot.sample.system;
    let mut sheet = Sheet::new(tr!("What could be had back, and at what price"), columns);
    let available = &system.meminfo.mem_available;
    match available.value() {
        Some(bytes) => {
            sheet.note(
                tr!("The kernel estimates {bytes} available without swapping.", bytes = about.size(bytes)),
                Tone::Plain,
            );
        }
        None => sheet.note(tr!("No estimate of what is available: Linux before 3.14."), Tone::Muted),
    }
    sheet.rows = reclaimable(system)
        .into_iter()
        .map(|reclaim| {
            let tone = match reclaim.price {
                Price::Nothing | Price::Again => Tone::Good,
                Price::Write | Price::Swap => Tone::Plain,
                Price::Decision | Price::None => Tone::Muted,
            };
            SheetRow::new(vec![tr!(of reclaim.title).to_owned(), about.size(reclaim.bytes), reclaim.words], tone)
        })
        .collect();
    sheet
}

#[cfg(test)]
mod tests {
    use super::super::testing::{about, text};
    use super::*;
    use crate::model::account::Layer;
    use crate::model::reading::Reading;
    use crate::model::testing::snapshot;

    #[test]
    fn every_part_has_its_layer_and_what_is_nothing_is_left_out() {
        let snapshot = snapshot(Vec::new());
        let sheet = parts(&about(&snapshot, None));
        assert_eq!((sheet.rows[0].cells[0].as_str(), sheet.rows[0].layer), ("anonymous", Some(Layer::Anon)));
        assert!(text(&sheet).contains("unaccounted | 129M | 6.6%"), "{}", text(&sheet));
        assert!(sheet.notes.is_empty());
    }

    #[test]
    fn what_is_counted_twice_is_a_negative_remainder_and_told() {
        let mut snapshot = snapshot(Vec::new());
        let mut sample = (*snapshot.sample).clone();
        sample.system.meminfo.anon_pages = Reading::Value(1800 << 20);
        snapshot.sample = sample.into();
        let sheet = parts(&about(&snapshot, None));
        assert!(text(&sheet).contains("-227M is left"), "{}", text(&sheet));
    }
}
