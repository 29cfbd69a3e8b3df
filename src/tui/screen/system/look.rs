//! How layers of RAM look, with colours and without.

use crate::export::sheet::Tone;
use crate::model::account::Layer;
use crate::tui::theme::{Role, Theme};

/// The role of a layer.
pub(super) fn role(layer: Layer) -> Role {
    match layer {
        Layer::Anon => Role::Anon,
        Layer::Shmem => Role::Shmem,
        Layer::Kernel => Role::Kernel,
        Layer::Pool => Role::Pool,
        Layer::Unaccounted => Role::Unknown,
        Layer::Dirty => Role::Dirty,
        Layer::Cache => Role::File,
        Layer::Slab => Role::Slab,
        Layer::Free => Role::Free,
    }
}

/// Its sign where there is no colour.
pub(super) fn sign(layer: Layer, theme: &Theme) -> &'static str {
    match layer {
        Layer::Anon => theme.pick("█", "#"),
        Layer::Shmem => theme.pick("▓", "s"),
        Layer::Kernel => theme.pick("▚", "k"),
        Layer::Pool => theme.pick("▤", "p"),
        Layer::Unaccounted => "?",
        Layer::Dirty => theme.pick("▥", "d"),
        Layer::Cache => theme.pick("▒", "c"),
        Layer::Slab => theme.pick("▞", "l"),
        Layer::Free => theme.pick("░", "."),
    }
}

/// The role of a tone.
pub(super) fn of_tone(tone: Tone) -> Role {
    match tone {
        Tone::Plain => Role::Text,
        Tone::Muted => Role::Muted,
        Tone::Good => Role::Good,
        Tone::Warn => Role::Warn,
        Tone::Bad => Role::Danger,
    }
}
