//! Every field of the process: its value, and what it is; where there is none, why.

use crate::model::field::{PROCESS_FIELDS, Unit};
use crate::model::reading::Reading;
use crate::model::snapshot::Row;
use crate::tui::theme::Role;
use crate::tui::widget::line::columns;

/// A field as it is told: its title, its value, and a note where there is room for one.
pub(super) struct Told {
    pub(super) title: &'static str,
    pub(super) value: (String, Role),
    pub(super) note: Option<String>,
}

/// Every field that is one value.
pub(super) fn told(row: &Row<'_>) -> Vec<Told> {
    let fields = PROCESS_FIELDS.iter().filter(|field| field.width > 0 && field.unit != Unit::Series);
    fields
        .map(|field| {
            let reading = (field.get)(row);
            let (value, role, note) = match &reading {
                Reading::Value(value) => (value.to_string(), Role::Text, tr!(of field.help).to_owned()),
                Reading::Stale(value, age) => (
                    value.to_string(),
                    Role::Stale,
                    tr!("{help} Read {age} s ago.", help = tr!(of field.help), age = age / 1000),
                ),
                _ => ("-".to_owned(), Role::Muted, field.explain(&reading).unwrap_or_default()),
            };
            // A long text takes the place of its note.
            let is_long = field.unit == Unit::Text && columns(&value) > 8;
            Told { title: tr!(of field.title), value: (value, role), note: (!is_long).then_some(note) }
        })
        .collect()
}
