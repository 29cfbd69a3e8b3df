//! The list while there is a mark to compare with: a column of its change beside each that a mark keeps, sorted by
//! change.

use super::Processes;
use super::list::Order;
use crate::model::field::{ProcessField, process_field};

/// Columns that get one of their change beside them; of the others it can be chosen.
const WITH_CHANGE: [&str; 4] = ["pss", "rss", "swap", "fds"];

/// The field of a field's change, if there is one.
fn change_of(field: &ProcessField) -> Option<&'static ProcessField> {
    process_field(&format!("{}_change", field.key)).filter(|change| change.marked().is_some())
}

/// The field that a change is the change of; the field itself where it is none.
fn base_of(field: &'static ProcessField) -> &'static ProcessField {
    field.marked().map_or(field, |what| what.field())
}

impl Processes {
    /// Begins or ends a comparison. The list is sorted by change as it begins, and as before when it ends.
    pub fn set_comparing(&mut self, is_comparing: bool) {
        if is_comparing == self.is_comparing() {
            return;
        }
        if is_comparing {
            self.order_before = Some(self.order);
            let by = change_of(self.order.by).or_else(|| process_field("pss_change")).unwrap_or(self.order.by);
            self.order = Order { by, is_descending: true };
            self.offset = 0;
        } else {
            let before = self.order_before.take();
            if self.order.by.marked().is_some() {
                self.order = before.unwrap_or(self.order);
            }
        }
        self.show_columns();
    }

    fn is_comparing(&self) -> bool {
        self.order_before.is_some()
    }

    /// The order as it is without a mark: one of the next time has none.
    pub fn order_to_keep(&self) -> Order {
        if self.is_comparing() { Order { by: base_of(self.order.by), ..self.order } } else { self.order }
    }

    /// Finds out which columns are shown. Who has chosen a column of changes gets the columns that were chosen.
    pub(super) fn show_columns(&mut self) {
        self.shown.clone_from(&self.columns);
        if !self.is_comparing() || self.columns.iter().any(|field| field.marked().is_some()) {
            return;
        }
        for key in WITH_CHANGE {
            if let Some(place) = self.shown.iter().position(|field| field.key == key)
                && let Some(change) = change_of(self.shown[place])
            {
                self.shown.insert(place + 1, change);
            }
        }
        if self.shown.len() == self.columns.len()
            && let Some(change) = process_field("pss_change")
        {
            let last = self.shown.iter().position(|field| field.width == 0).unwrap_or(self.shown.len());
            self.shown.insert(last, change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::field::PROCESS_FIELDS;
    use crate::tui::screen::processes::DEFAULT_COLUMNS;

    fn fields(keys: &[&str]) -> Vec<&'static ProcessField> {
        keys.iter().map(|key| process_field(key).unwrap()).collect()
    }

    fn shown(panel: &Processes) -> Vec<&'static str> {
        panel.shown.iter().map(|field| field.key).collect()
    }

    #[test]
    fn changes_stand_beside_what_changes_and_go_with_the_mark() {
        let mut panel = Processes::new(fields(&DEFAULT_COLUMNS));
        panel.set_comparing(true);
        assert_eq!(shown(&panel)[2..6], ["pss", "pss_change", "rss", "rss_change"]);
        assert_eq!((panel.order().by.key, panel.order_to_keep().by.key), ("pss_change", "pss"));
        panel.set_columns(fields(&["pid", "command"]));
        assert_eq!(shown(&panel), ["pid", "pss_change", "command"]);
        panel.set_columns(fields(&["pid", "fds_change", "pss", "command"]));
        assert_eq!(shown(&panel), ["pid", "fds_change", "pss", "command"], "what was chosen is shown");
        panel.set_comparing(false);
        assert_eq!((panel.order().by.key, shown(&panel).len()), ("pss", 4));
    }

    #[test]
    fn the_order_that_was_chosen_meanwhile_stays() {
        let mut panel = Processes::new(fields(&DEFAULT_COLUMNS));
        panel.sort_by(process_field("fds").unwrap());
        panel.set_comparing(true);
        assert_eq!(panel.order().by.key, "fds_change");
        panel.set_comparing(true);
        panel.sort_by(process_field("age").unwrap());
        panel.set_comparing(false);
        assert_eq!(panel.order().by.key, "age");
    }

    #[test]
    fn every_field_of_a_change_has_its_base() {
        for field in PROCESS_FIELDS.iter().filter(|field| field.marked().is_some()) {
            assert_eq!(change_of(base_of(field)).unwrap().key, field.key);
        }
    }
}
