//! What memtide can see or do on a machine, and what would grant the rest.

/// Seeing or doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It reads.
    Sees,
    /// It changes something.
    Does,
    /// It shows.
    Shows,
}

impl Kind {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 3] = [Self::Sees, Self::Does, Self::Shows];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sees => "sees",
            Self::Does => "does",
            Self::Shows => "shows",
        }
    }
}

/// How much of it there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All.
    Whole,
    /// Some.
    Part,
    /// None.
    Nothing,
}

impl Extent {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Whole => "yes",
            Self::Part => "part",
            Self::Nothing => "no",
        }
    }

    /// How much `some` of `all` is.
    pub fn of(some: usize, all: usize) -> Self {
        match some {
            _ if some >= all => Self::Whole,
            0 => Self::Nothing,
            _ => Self::Part,
        }
    }
}

/// One thing that can be seen or done, or can't.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Power {
    /// Seeing or doing.
    pub kind: Kind,
    /// What.
    pub name: &'static str,
    /// How much of it.
    pub extent: Extent,
    /// What was found, as a sentence without its full stop; escaped.
    pub found: String,
    /// What would grant the rest, as such a sentence; `None` where nothing is missing.
    pub grant: Option<String>,
}

impl Power {
    /// All of it, and what was found.
    pub fn whole(kind: Kind, name: &'static str, found: impl Into<String>) -> Self {
        Self { kind, name, extent: Extent::Whole, found: found.into(), grant: None }
    }

    /// None of it, and what would grant it.
    pub fn missing(kind: Kind, name: &'static str, found: impl Into<String>, grant: impl Into<String>) -> Self {
        Self { kind, name, extent: Extent::Nothing, found: found.into(), grant: Some(grant.into()) }
    }
}
