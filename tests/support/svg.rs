//! A screen as an SVG picture: one rectangle for a run of background, one text for a run of like cells.
//!
//! Each run of text has its length fixed to the cells it takes, so that columns stay aligned in any font; block
//! elements and lines are drawn as shapes, so that they join without gaps.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

const CELL_WIDTH: f32 = 8.4;
const CELL_HEIGHT: f32 = 18.0;
const BASELINE: f32 = 13.5;
const MARGIN: f32 = 12.0;
const FONT_SIZE: u32 = 14;

const BACKGROUND: Rgb = Rgb(0x16, 0x18, 0x1d);
const FOREGROUND: Rgb = Rgb(0xd4, 0xd7, 0xdd);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Rgb(u8, u8, u8);

impl std::fmt::Display for Rgb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// The look of a cell: its neighbours with the same look are drawn together.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    ink: Rgb,
    paper: Rgb,
    is_bold: bool,
    is_italic: bool,
    is_underlined: bool,
}

/// Draws a screen; `title` is what a reader that cannot see hears.
pub fn render(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let width = f32::from(columns) * CELL_WIDTH + 2.0 * MARGIN;
    let height = f32::from(rows) * CELL_HEIGHT + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.1} {height:.1}\" role=\"img\">\n<title>{}</title>\n\
         <style>text{{font-family:'DejaVu Sans Mono','Liberation Mono',Menlo,Consolas,monospace;\
         font-size:{FONT_SIZE}px;white-space:pre}}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n",
        escape(title)
    );
    for row in 0..rows {
        draw_row(&mut out, screen, row, columns);
    }
    out.push_str("</svg>\n");
    out
}

fn draw_row(out: &mut String, screen: &Screen, row: u16, columns: u16) {
    let y = MARGIN + f32::from(row) * CELL_HEIGHT;
    let cells: Vec<(u16, &Cell, Look)> = (0..columns)
        .filter_map(|column| screen.cell(row, column).map(|cell| (column, cell, look(cell))))
        .filter(|(_, cell, _)| !cell.is_wide_continuation())
        .collect();
    for run in cells.chunk_by(|a, b| a.2.paper == b.2.paper) {
        let paper = run[0].2.paper;
        if paper != BACKGROUND {
            let (x, width) = extent(run);
            let _ = writeln!(
                out,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT:.1}\" fill=\"{paper}\"/>"
            );
        }
    }
    for run in cells.chunk_by(|a, b| a.2 == b.2 && is_shape(a.1) == is_shape(b.1) && !a.1.is_wide() && !b.1.is_wide()) {
        if is_shape(run[0].1) {
            for (column, cell, look) in run {
                draw_shape(out, MARGIN + f32::from(*column) * CELL_WIDTH, y, cell.contents(), look.ink);
            }
        } else {
            draw_text(out, y, run);
        }
    }
}

fn draw_text(out: &mut String, y: f32, run: &[(u16, &Cell, Look)]) {
    let blank = |(_, cell, _): &(u16, &Cell, Look)| cell.contents().trim().is_empty();
    let Some(first) = run.iter().position(|cell| !blank(cell)) else { return };
    let last = run.iter().rposition(|cell| !blank(cell)).unwrap_or(first);
    let run = &run[first..=last];
    let (x, width) = extent(run);
    let look = run[0].2;
    let text: String = run.iter().map(|(_, cell, _)| if cell.has_contents() { cell.contents() } else { " " }).collect();
    let _ = write!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"",
        y + BASELINE,
        look.ink
    );
    for (applies, attribute) in [
        (look.is_bold, " font-weight=\"bold\""),
        (look.is_italic, " font-style=\"italic\""),
        (look.is_underlined, " text-decoration=\"underline\""),
    ] {
        out.push_str(if applies { attribute } else { "" });
    }
    let _ = writeln!(out, " xml:space=\"preserve\">{}</text>", escape(&text));
}

/// Where a run begins and how wide it is, in pixels.
fn extent(run: &[(u16, &Cell, Look)]) -> (f32, f32) {
    let cells: u16 = run.iter().map(|(_, cell, _)| if cell.is_wide() { 2 } else { 1 }).sum();
    (MARGIN + f32::from(run[0].0) * CELL_WIDTH, f32::from(cells) * CELL_WIDTH)
}

fn look(cell: &Cell) -> Look {
    let bold = cell.bold();
    let ink = colour(cell.fgcolor(), bold).unwrap_or(FOREGROUND);
    let paper = colour(cell.bgcolor(), false).unwrap_or(BACKGROUND);
    let (ink, paper) = if cell.inverse() { (paper, ink) } else { (ink, paper) };
    let ink = if cell.dim() { blend(ink, paper) } else { ink };
    Look { ink, paper, is_bold: bold, is_italic: cell.italic(), is_underlined: cell.underline() }
}

fn blend(ink: Rgb, paper: Rgb) -> Rgb {
    let mix = |a: u8, b: u8| ((u16::from(a) * 3 + u16::from(b) * 2) / 5) as u8;
    Rgb(mix(ink.0, paper.0), mix(ink.1, paper.1), mix(ink.2, paper.2))
}

fn colour(colour: Color, is_bold: bool) -> Option<Rgb> {
    const BASE: [Rgb; 16] = [
        Rgb(0x2b, 0x2f, 0x38),
        Rgb(0xe0, 0x5f, 0x65),
        Rgb(0x78, 0xb8, 0x6b),
        Rgb(0xd9, 0xae, 0x5f),
        Rgb(0x5c, 0x9c, 0xdb),
        Rgb(0xb5, 0x7f, 0xd0),
        Rgb(0x4f, 0xb3, 0xb5),
        Rgb(0xc5, 0xc9, 0xd1),
        Rgb(0x5c, 0x63, 0x70),
        Rgb(0xf2, 0x7d, 0x82),
        Rgb(0x95, 0xd4, 0x87),
        Rgb(0xf0, 0xc9, 0x7d),
        Rgb(0x7d, 0xb6, 0xf0),
        Rgb(0xcc, 0x9d, 0xe3),
        Rgb(0x6f, 0xd0, 0xd2),
        Rgb(0xff, 0xff, 0xff),
    ];
    match colour {
        Color::Default => None,
        Color::Rgb(r, g, b) => Some(Rgb(r, g, b)),
        Color::Idx(index @ 0..8) if is_bold => Some(BASE[usize::from(index) + 8]),
        Color::Idx(index @ 0..16) => Some(BASE[usize::from(index)]),
        Color::Idx(index @ 16..232) => {
            let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let index = index - 16;
            Some(Rgb(step(index / 36), step(index / 6 % 6), step(index % 6)))
        }
        Color::Idx(index) => {
            let grey = 8 + 10 * (index - 232);
            Some(Rgb(grey, grey, grey))
        }
    }
}

fn is_shape(cell: &Cell) -> bool {
    cell.contents()
        .chars()
        .next()
        .is_some_and(|c| matches!(c, '▀'..='▐' | '░'..='▓' | '─' | '│' | '\u{2800}'..='\u{28ff}'))
}

/// Block elements, straight lines and braille dots, in a cell whose corner is at `x`, `y`.
fn draw_shape(out: &mut String, x: f32, y: f32, contents: &str, ink: Rgb) {
    let mut rect = |left: f32, top: f32, width: f32, height: f32, opacity: f32| {
        let _ = write!(
            out,
            "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{ink}\"",
            x + left * CELL_WIDTH,
            y + top * CELL_HEIGHT,
            width * CELL_WIDTH,
            height * CELL_HEIGHT
        );
        if opacity < 1.0 {
            let _ = write!(out, " opacity=\"{opacity}\"");
        }
        out.push_str("/>\n");
    };
    let Some(c) = contents.chars().next() else { return };
    let eighths = |from: char| (c as u32 - from as u32) as f32;
    match c {
        '▀' => rect(0.0, 0.0, 1.0, 0.5, 1.0),
        '▁'..='█' => {
            let height = (eighths('▁') + 1.0) / 8.0;
            rect(0.0, 1.0 - height, 1.0, height, 1.0);
        }
        '▉'..='▏' => rect(0.0, 0.0, (7.0 - eighths('▉')) / 8.0, 1.0, 1.0),
        '▐' => rect(0.5, 0.0, 0.5, 1.0, 1.0),
        '░' | '▒' | '▓' => rect(0.0, 0.0, 1.0, 1.0, 0.25 * (eighths('░') + 1.0)),
        '─' => rect(0.0, 0.47, 1.0, 0.06, 1.0),
        '│' => rect(0.44, 0.0, 0.12, 1.0, 1.0),
        '\u{2800}'..='\u{28ff}' => {
            const DOTS: [(f32, f32); 8] = [
                (0.15, 0.05),
                (0.15, 0.30),
                (0.15, 0.55),
                (0.60, 0.05),
                (0.60, 0.30),
                (0.60, 0.55),
                (0.15, 0.80),
                (0.60, 0.80),
            ];
            let bits = c as u32 - 0x2800;
            for (bit, (left, top)) in DOTS.iter().enumerate() {
                if bits & (1 << bit) != 0 {
                    rect(*left, *top, 0.25, 0.12, 1.0);
                }
            }
        }
        _ => {}
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
