//! What things look like: semantic roles, read from theme files, degraded to what the terminal can show.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident = $key:literal,)*) => {
        /// What a piece of the screen means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Role { $($(#[$doc])* $role,)* }

        impl Role {
            /// Every role with its key in a theme file.
            pub const ALL: &[(Self, &str)] = &[$((Self::$role, $key)),*];
        }
    };
}

roles! {
    /// Plain text.
    Text = "text",
    /// Labels, borders, what matters less.
    Muted = "muted",
    /// A value read a while ago.
    Stale = "stale",
    /// Names and the heads of panels.
    Title = "title",
    /// A column's head.
    Header = "header",
    /// The head of the column that sorts.
    HeaderSorted = "header_sorted",
    /// The selected row.
    Selected = "selected",
    /// A tagged row.
    Tagged = "tagged",
    /// What a search found, what a filter typed.
    Match = "match",
    /// Anonymous memory in a meter.
    Anon = "anon",
    /// File cache in a meter.
    File = "file",
    /// Shared memory in a meter.
    Shmem = "shmem",
    /// Kernel memory in a meter.
    Kernel = "kernel",
    /// File pages that must be written first.
    Dirty = "dirty",
    /// Caches of the kernel that can shrink.
    Slab = "slab",
    /// Pools: huge pages, compressed memory.
    Pool = "pool",
    /// Memory that nobody accounts for.
    Unknown = "unknown",
    /// Swap in a meter.
    Swap = "swap",
    /// What is free in a meter.
    Free = "free",
    /// A history.
    Graph = "graph",
    /// Memory that grows.
    Growing = "growing",
    /// Worth attention.
    Warn = "warn",
    /// Dangerous.
    Danger = "danger",
    /// Went well.
    Good = "good",
    /// A key in a hint.
    Key = "key",
    /// What the key does.
    Hint = "hint",
    /// The past is shown.
    Past = "past",
    /// A popup.
    Popup = "popup",
}

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// None: bold, dim and reverse only (`NO_COLOR`).
    Mono,
    /// The 16 of ANSI.
    Ansi16,
    /// The 256 of xterm.
    Ansi256,
    /// 24 bits.
    True,
}

impl Depth {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Mono => "none: bold, dim and reverse only",
            Self::Ansi16 => "16",
            Self::Ansi256 => "256",
            Self::True => "16 million",
        }
    }
}

/// A theme as the terminal shows it.
#[derive(Clone, Debug)]
pub struct Theme {
    styles: Vec<Style>,
    /// Only ASCII may be sent.
    pub is_ascii: bool,
    /// Its name.
    pub name: String,
}

/// Why a theme can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// No theme of this name.
    #[error("there is no theme `{name}`: use dark, light, high-contrast, ansi16, mono, or the path of a .toml file")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The file can't be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a theme.
    #[error("{origin}: {problem}")]
    Format {
        /// File or built-in name.
        origin: String,
        /// What is wrong, with line and column where they are known.
        problem: String,
    },
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the terminal's attributes are independent of each other")]
struct StyleSpec {
    fg: Option<String>,
    bg: Option<String>,
    #[serde(default)]
    bold: bool,
    #[serde(default)]
    dim: bool,
    #[serde(default)]
    reverse: bool,
    #[serde(default)]
    underline: bool,
}

const BUILT_IN: [(&str, &str); 5] = [
    ("dark", include_str!("../../assets/themes/dark.toml")),
    ("light", include_str!("../../assets/themes/light.toml")),
    ("high-contrast", include_str!("../../assets/themes/high-contrast.toml")),
    ("ansi16", include_str!("../../assets/themes/ansi16.toml")),
    ("mono", include_str!("../../assets/themes/mono.toml")),
];

impl Theme {
    /// Names of the themes that are built in.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The theme of this name, or of this file; `mono` whatever the name where there are no colours.
    pub fn load(name: &str, depth: Depth, is_ascii: bool) -> Result<Self, ThemeError> {
        let built_in =
            |name: &str| BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
        let is_file = Path::new(name).extension().is_some_and(|extension| extension == "toml");
        let wanted = if is_file {
            std::fs::read_to_string(name).map_err(|source| ThemeError::Read { path: name.into(), source })?
        } else {
            built_in(name).ok_or_else(|| ThemeError::Unknown { name: name.to_owned() })?
        };
        let text = if depth == Depth::Mono { built_in("mono").unwrap_or(wanted) } else { wanted };
        Ok(Self { styles: parse(name, &text, depth)?, is_ascii, name: name.to_owned() })
    }

    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// One of two texts: as it is, or for terminals that show only ASCII.
    pub fn pick<T>(&self, unicode: T, ascii: T) -> T {
        if self.is_ascii { ascii } else { unicode }
    }
}

fn parse(origin: &str, text: &str, depth: Depth) -> Result<Vec<Style>, ThemeError> {
    let format = |problem: String| ThemeError::Format { origin: origin.to_owned(), problem };
    let specs: BTreeMap<String, StyleSpec> = toml::from_str(text).map_err(|error| format(error.to_string()))?;
    if let Some(unknown) = specs.keys().find(|key| !Role::ALL.iter().any(|(_, known)| known == *key)) {
        return Err(format(format!("`{unknown}` is no role: remove it or correct its name")));
    }
    let style_of = |(_, key): &(Role, &str)| {
        let spec = specs
            .get(*key)
            .ok_or_else(|| format(format!("the role `{key}` is missing: add `{key} = {{ fg = \"…\" }}`")))?;
        let mut style = Style::new();
        for (name, is_background) in [(&spec.fg, false), (&spec.bg, true)] {
            let Some(name) = name else { continue };
            let color = Color::from_str(name)
                .map_err(|_| format(format!("{key}: `{name}` is no colour: write a name, 0 to 255, or #rrggbb")))?;
            let color = degrade(color, depth);
            style = if is_background { style.bg(color) } else { style.fg(color) };
        }
        for (is_set, modifier) in [
            (spec.bold, Modifier::BOLD),
            (spec.dim, Modifier::DIM),
            (spec.reverse, Modifier::REVERSED),
            (spec.underline, Modifier::UNDERLINED),
        ] {
            if is_set {
                style = style.add_modifier(modifier);
            }
        }
        Ok(style)
    };
    Role::ALL.iter().map(style_of).collect()
}

/// The nearest colour that the terminal has.
fn degrade(color: Color, depth: Depth) -> Color {
    match (color, depth) {
        (Color::Rgb(..) | Color::Indexed(_), Depth::Mono) => Color::Reset,
        (Color::Rgb(r, g, b), Depth::Ansi256) => Color::Indexed(nearest_256(r, g, b)),
        (Color::Rgb(r, g, b), Depth::Ansi16) => nearest_16(r, g, b),
        (color, _) => color,
    }
}

/// The 6x6x6 cube or the grey ramp of xterm.
fn nearest_256(r: u8, g: u8, b: u8) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let level = |value: u8| (0..6u8).min_by_key(|at| LEVELS[usize::from(*at)].abs_diff(value)).unwrap_or(0);
    let (cr, cg, cb) = (level(r), level(g), level(b));
    let cube = [LEVELS[usize::from(cr)], LEVELS[usize::from(cg)], LEVELS[usize::from(cb)]];
    let average = (u16::from(r) + u16::from(g) + u16::from(b)) / 3;
    let step = (average.saturating_sub(8) / 10).min(23) as u8;
    let grey = 8 + 10 * step;
    if far([r, g, b], [grey; 3]) < far([r, g, b], cube) { 232 + step } else { 16 + 36 * cr + 6 * cg + cb }
}

fn far(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

fn nearest_16(r: u8, g: u8, b: u8) -> Color {
    const ANSI: [(Color, [u8; 3]); 16] = [
        (Color::Black, [0, 0, 0]),
        (Color::Red, [170, 0, 0]),
        (Color::Green, [0, 170, 0]),
        (Color::Yellow, [170, 140, 0]),
        (Color::Blue, [0, 0, 190]),
        (Color::Magenta, [170, 0, 170]),
        (Color::Cyan, [0, 160, 170]),
        (Color::Gray, [180, 180, 180]),
        (Color::DarkGray, [100, 100, 100]),
        (Color::LightRed, [255, 100, 100]),
        (Color::LightGreen, [100, 240, 100]),
        (Color::LightYellow, [250, 230, 100]),
        (Color::LightBlue, [100, 130, 255]),
        (Color::LightMagenta, [240, 120, 240]),
        (Color::LightCyan, [110, 230, 240]),
        (Color::White, [255, 255, 255]),
    ];
    ANSI.iter().min_by_key(|(_, known)| far([r, g, b], *known)).map_or(Color::Reset, |(color, _)| *color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_theme_sets_every_role() {
        for name in Theme::names() {
            for depth in [Depth::Mono, Depth::Ansi16, Depth::Ansi256, Depth::True] {
                Theme::load(name, depth, false).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }

    /// WCAG 2.1 relative luminance.
    fn luminance(rgb: [u8; 3]) -> f64 {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(rgb[0]) + 0.7152 * part(rgb[1]) + 0.0722 * part(rgb[2])
    }

    #[test]
    fn text_can_be_read_on_its_background() {
        for (name, ground) in [("dark", [0, 0, 0]), ("light", [255, 255, 255]), ("high-contrast", [0, 0, 0])] {
            let theme = Theme::load(name, Depth::True, false).unwrap();
            for (role, key) in Role::ALL {
                // Bars are areas, not text.
                if matches!(role, Role::Free) {
                    continue;
                }
                let style = theme.style(*role);
                let rgb = |color: Option<Color>, default| match color {
                    Some(Color::Rgb(r, g, b)) => [r, g, b],
                    _ => default,
                };
                let back = rgb(style.bg, ground);
                let front = rgb(style.fg, if ground == [0, 0, 0] { [220; 3] } else { [0; 3] });
                let (a, b) = (luminance(front), luminance(back));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{name}: {key}: {contrast:.1}");
            }
        }
    }

    #[test]
    fn without_colours_no_colour_is_sent() {
        let theme = Theme::load("dark", Depth::Mono, false).unwrap();
        for (role, _) in Role::ALL {
            let style = theme.style(*role);
            assert!(style.fg.is_none_or(|c| c == Color::Reset) && style.bg.is_none_or(|c| c == Color::Reset));
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert!(
            parse("x.toml", "text = { fg = \"purplish\" }", Depth::True).unwrap_err().to_string().contains("missing")
                || parse("x.toml", "text = { fg = \"purplish\" }", Depth::True)
                    .unwrap_err()
                    .to_string()
                    .contains("purplish")
        );
        assert!(parse("x.toml", "txet = {}", Depth::True).unwrap_err().to_string().contains("`txet` is no role"));
        assert!(Theme::load("drak", Depth::True, false).unwrap_err().to_string().contains("high-contrast"));
    }

    #[test]
    fn true_colours_become_near_ones() {
        assert_eq!(nearest_256(255, 0, 0), 196);
        assert_eq!(nearest_256(128, 128, 128), 244);
        assert_eq!(nearest_16(250, 250, 250), Color::White);
    }
}
