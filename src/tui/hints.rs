//! When the hints of the very first start are shown, and when they go.

use super::app::App;
use super::layer::Layer;
use super::layer::hints::Hints;

impl App {
    /// Whether a person would see hints at all.
    pub fn wants_hints(&self) -> bool {
        self.options.has_hints
    }

    /// Shows the hints.
    pub fn show_hints(&mut self) {
        self.layers.push(Layer::Hints(Hints::new(&self.keymap, self.options.is_read_only)));
    }

    /// Takes the hints away: whatever is done next is for what lies below them.
    pub(super) fn close_hints(&mut self) {
        self.layers.retain(|layer| !matches!(layer, Layer::Hints(_)));
    }
}
