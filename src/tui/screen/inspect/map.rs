//! The address space as a bar: every column stands for the same amount of memory, so that gaps take no room; below it,
//! how much of each column is new.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::inspect::mapping::Family;
use crate::model::inspect::space::{Bucket, Space};
use crate::model::judgement::Quantity;
use crate::tui::finding::signed;
use crate::tui::theme::{Role, Theme};
use crate::tui::widget::graph::{self, Scale};
use crate::tui::widget::line::{Piece, put, put_pieces};
use crate::units::Bytes;

/// How a family looks: its colour, and its sign where there are no colours, or only ASCII.
fn look(family: Family, theme: &Theme) -> (Role, &'static str) {
    match family {
        Family::Heap => (Role::Anon, theme.pick("█", "#")),
        Family::Anonymous => (Role::Swap, theme.pick("▓", "a")),
        Family::Stack => (Role::Good, theme.pick("▚", "s")),
        Family::Shared => (Role::Shmem, theme.pick("▞", "m")),
        Family::File => (Role::File, theme.pick("▒", "f")),
        Family::Other => (Role::Kernel, theme.pick("░", ".")),
    }
}

/// A bar with what it is compared with.
pub(super) struct Map<'a> {
    pub(super) space: &'a Space,
    pub(super) before: Option<&'a Space>,
}

impl Map<'_> {
    fn buckets(&self, width: u16) -> Vec<Bucket> {
        self.space.buckets(self.before, usize::from(width))
    }

    /// Draws the bar; in a second line, where it grew; in a third, what the signs mean and where most was gained.
    pub(super) fn draw(&self, buf: &mut Buffer, area: Rect, theme: &Theme) {
        let inside = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
        let buckets = self.buckets(inside.width);
        for (bucket, x) in buckets.iter().zip(inside.x..inside.right()) {
            let (role, sign) = look(bucket.kind.family(), theme);
            put(buf, x, inside.y, 1, sign, theme.style(role));
        }
        if inside.height > 1 {
            let line = Rect { y: inside.y + 1, height: 1, width: buckets.len() as u16, ..inside };
            draw_growth(buf, line, &buckets, theme);
        }
        if inside.height > 2 {
            self.draw_legend(buf, Rect { y: inside.y + 2, height: 1, ..inside }, &buckets, theme);
        }
    }

    /// ` █ heap 644M  ▒ files 37M  ▲ +3.3M from 3a125d6f684`; where there is no room, the smallest go.
    fn draw_legend(&self, buf: &mut Buffer, area: Rect, buckets: &[Bucket], theme: &Theme) {
        let bytes_of = |family: Family| {
            let regions = self.space.regions().iter().filter(|region| region.kind.family() == family);
            regions.map(|region| region.bytes).fold(0, u64::saturating_add)
        };
        let mut families: Vec<(Family, u64)> = Family::ALL.map(|family| (family, bytes_of(family))).to_vec();
        families.retain(|(_, bytes)| *bytes > 0);
        let mut pieces = Vec::new();
        for (family, bytes) in &families {
            let larger = families.iter().filter(|(_, other)| other > bytes).count() as u8;
            let (role, sign) = look(*family, theme);
            // A sign goes with its word.
            let text = format!("{sign} {} {}  ", tr!(of family.word()), Bytes(*bytes));
            pieces.push(Piece::new(text, theme.style(role), larger + 2));
        }
        if let Some((gained, start)) = most_gained(buckets) {
            let gained = signed(Quantity::Private, gained as f64);
            let text = tr!(
                "{sign} {gained} from {start}",
                sign = theme.pick("▲", "^"),
                gained,
                start = format_args!("{start:x}")
            );
            pieces.push(Piece::new(text, theme.style(Role::Growing), 1));
        }
        put_pieces(buf, area, pieces, Vec::new());
    }
}

/// Of the stretches of columns that gained, the one that gained most: how much, and where it begins.
fn most_gained(buckets: &[Bucket]) -> Option<(i64, u64)> {
    let stretches = buckets.chunk_by(|a, b| has_gained(a) == has_gained(b));
    let gained = stretches.filter(|stretch| has_gained(&stretch[0]));
    gained.map(|stretch| (stretch.iter().map(|bucket| bucket.gained).sum(), stretch[0].start)).max()
}

/// Whether a column gained enough to be pointed at: less than a part of it is how evenly its memory is spread.
fn has_gained(bucket: &Bucket) -> bool {
    bucket.gained >= 4096 && bucket.gained >= (bucket.bytes / 16) as i64
}

fn draw_growth(buf: &mut Buffer, area: Rect, buckets: &[Bucket], theme: &Theme) {
    let gained = |bucket: &Bucket| if has_gained(bucket) { bucket.gained as f32 } else { f32::NAN };
    let points: Vec<f32> = buckets.iter().map(gained).collect();
    // A column that is all new is full.
    let high = buckets.iter().map(|bucket| bucket.bytes).max().unwrap_or(1) as f32;
    graph::draw(buf, area, &points, Scale { low: 0.0, high }, theme.is_ascii, theme.style(Role::Growing));
}
