//! What comes of a look: decisions, and words about what is not done.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::step::Step;
use crate::act::effect::Target;
use crate::model::cgroup::Membership;
use crate::model::key::ProcessKey;
use crate::model::reading::BootMs;

/// Something is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Its number, unique in a state.
    pub id: u64,
    /// The rule.
    pub rule: String,
    /// The moment, since boot and by the wall clock.
    pub at: BootMs,
    /// Milliseconds since the epoch.
    pub wall_ms: i64,
    /// What was tested: `node[1234]`, `shop.service`, `machine`; escaped.
    pub subject: String,
    /// The tests that held, with what was read.
    pub facts: Vec<Fact>,
    /// For how long they had held.
    pub held: Duration,
    /// Who is hit.
    pub targets: Vec<Aim>,
    /// What is done, from `first` on.
    pub steps: Vec<Step>,
    /// The first step that is still to be done: later than 0 where a decision is taken up again.
    pub first: usize,
    /// How often it has failed before.
    pub attempt: u32,
    /// How long a command may take.
    pub timeout: Duration,
    /// Whether it was begun by a guard that ended in the middle.
    pub is_resumed: bool,
}

/// A test and what was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The test as it was written.
    pub test: String,
    /// What is measured.
    pub measure: String,
    /// The value, in its base unit.
    pub value: f64,
    /// The limit, in the same unit.
    pub limit: f64,
    /// Both for people: `412M of 400M`.
    pub text: String,
}

/// A process that is hit.
#[derive(Clone, Debug, PartialEq)]
pub struct Aim {
    /// Who.
    pub target: Target,
    /// The kernel's name of it, escaped.
    pub name: String,
    /// RSS in bytes, where it is known.
    pub rss: Option<u64>,
    /// Where it belongs.
    pub cgroup: std::sync::Arc<Membership>,
}

impl Decision {
    /// The keys of who is hit.
    pub fn keys(&self) -> Vec<ProcessKey> {
        self.targets.iter().map(|aim| aim.target.key).collect()
    }

    /// The targets as actions take them.
    pub fn acted_on(&self) -> Vec<Target> {
        self.targets.iter().map(|aim| aim.target.clone()).collect()
    }

    /// `node: node[1234]: footprint 412M > 400M for 30 s`.
    pub fn sentence(&self) -> String {
        let facts: Vec<&str> = self.facts.iter().map(|fact| fact.text.as_str()).collect();
        let held = if self.held.is_zero() { String::new() } else { format!(" for {} s", self.held.as_secs()) };
        format!("{}: {}: {}{held}", self.rule, self.subject, facts.join(", "))
    }
}

/// Words about a rule: why it does nothing, what it can't see, that it is calm again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The rule.
    pub rule: String,
    /// What kind of note.
    pub kind: NoteKind,
    /// What is said.
    pub text: String,
}

/// Kinds of note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoteKind {
    /// What held and was acted on holds no more.
    Cleared,
    /// It would hit too many, or who is never hit.
    Refused,
    /// It acted as often as it may.
    Limited,
    /// Something can't be read.
    Blind,
}

impl NoteKind {
    /// Its word in the journal.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cleared => "cleared",
            Self::Refused => "refused",
            Self::Limited => "limited",
            Self::Blind => "blind",
        }
    }
}
