//! The story of a watch in plain words: who grows, by how much and how fast, what kind of memory it is, which limit is
//! met when, and what can be done about it. Pure: the same samples tell the same story.
//!
//! [`Watched`] takes the samples in and tells a [`Story`]: [`Sentence`]s, each with the numbers behind it, and ranked
//! [`Advice`], each with the finding that carries it. Text and JSON are two renderings of that one value.

mod advice;
mod calm;
mod early;
mod growth;
mod limit;
mod machine;
mod program;
mod scene;
mod sentence;
mod share;
mod swap;
#[cfg(test)]
mod tests;
mod watched;

pub use sentence::{Amount, Fact, Sentence, Topic};
pub use watched::Watched;

use crate::model::judgement::Finding;
use crate::model::key::ProcessKey;

/// What a watch comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Something leaks.
    Leaking,
    /// Something grows, and it takes so many milliseconds more to say whether that is a leak.
    Growing(u64),
    /// It was too short to say anything: so many milliseconds more.
    NotEnoughData(u64),
    /// Nothing leaks.
    Clear,
}

impl Outcome {
    /// The word for people and for JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Leaking => "leaking",
            Self::Growing(_) => "growing",
            Self::NotEnoughData(_) => "not enough data",
            Self::Clear => "clear",
        }
    }

    /// For how much longer it has to be watched before more can be said, milliseconds.
    pub fn needs_ms(self) -> Option<u64> {
        match self {
            Self::Growing(needs_ms) | Self::NotEnoughData(needs_ms) => Some(needs_ms),
            Self::Leaking | Self::Clear => None,
        }
    }
}

/// Something that can be done, and what carries it.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// What it is for, in a few words.
    pub title: String,
    /// The commands for this very case, in their order; a shell takes each as it stands.
    pub commands: Vec<String>,
    /// Why it is advised here.
    pub why: Sentence,
    /// What it costs or risks, if it does.
    pub risk: Option<String>,
}

/// What was seen, and what to do about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// The process that was asked for, if one was.
    pub asked: Option<ProcessKey>,
    /// What it comes to.
    pub outcome: Outcome,
    /// The host's name, escaped.
    pub host: String,
    /// When the watch began and when it ended, wall clock, milliseconds since the epoch.
    pub wall_ms: [i64; 2],
    /// For how long it was watched, milliseconds: without the time in which nobody looked.
    pub watched_ms: u64,
    /// Samples taken.
    pub samples: u64,
    /// Processes in the last of them.
    pub processes: usize,
    /// What it comes to, in one sentence.
    pub headline: Sentence,
    /// What was seen, in the order of its weight.
    pub sentences: Vec<Sentence>,
    /// What to do, the first thing first.
    pub advice: Vec<Advice>,
    /// What the sentences are about.
    pub findings: Vec<Finding>,
}
