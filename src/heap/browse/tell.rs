//! What is told beside a list: who an object is, who holds what.

use super::{Browser, Subject, TOLD};
use crate::heap::diff::{class_of, told};
use crate::heap::distances::SYSTEM;
use crate::heap::error::Result;
use crate::heap::explorer::Explorer;
use crate::heap::graph::Attachment;
use crate::model::text::escape;
use crate::units::BytesChange;

/// Ways of holding that are told.
const HELD: usize = 3;

/// Objects whose holders are looked for, at most: of more of them some, evenly.
const MOST: usize = 1 << 20;

/// Something in a sentence or more, which takes longer to find than a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// Who holds the objects of a class.
    Class(u32),
    /// Who holds what is new of a class.
    Change(u32),
    /// The shortest way to a node from a root.
    Way(u32),
}

/// Who an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// What it is, in a few words.
    pub text: String,
    /// Its class.
    pub class: String,
    /// V8's word for what it is.
    pub kind: &'static str,
    /// Its number.
    pub id: u32,
    /// What it takes itself, bytes.
    pub shallow: u64,
    /// What would be freed with it, bytes.
    pub retained: u64,
    /// Steps from a root of the program.
    pub distance: Option<u32>,
    /// Where it is written, if it is a function or made by a constructor of the program.
    pub place: String,
    /// Whether it was given up.
    pub is_detached: bool,
}

impl About {
    pub(super) fn of(explorer: &Explorer, node: u32) -> Self {
        let graph = explorer.graph();
        let place = graph.places().of(node);
        Self {
            text: explorer.preview(node),
            class: explorer.class_text(node),
            kind: graph.kind(node).name(),
            id: graph.id(node),
            shallow: graph.size(node),
            retained: explorer.dominators().retained(node),
            distance: Some(explorer.distances().get(node)).filter(|distance| *distance < SYSTEM),
            place: place.map(|place| graph.place_text(place, true)).unwrap_or_default(),
            is_detached: graph.attachment(node) == Attachment::Detached,
        }
    }
}

impl Browser {
    /// What is told, a sentence each.
    pub fn aside(&mut self, aside: Aside) -> Result<Vec<String>> {
        if let Some((_, told)) = self.told.iter().find(|(known, _)| *known == aside) {
            return Ok(told.clone());
        }
        let told = self.find(aside)?;
        self.told.push_front((aside, told.clone()));
        self.told.truncate(TOLD);
        Ok(told)
    }

    fn find(&self, aside: Aside) -> Result<Vec<String>> {
        let Some(explorer) = self.explorer() else { return Ok(Vec::new()) };
        match aside {
            Aside::Way(node) => {
                let way = explorer.way_text(node)?;
                Ok(if way.is_empty() { Vec::new() } else { vec![way] })
            }
            Aside::Class(class) => {
                let (nodes, note) = some_of(explorer.classes().nodes(class).collect());
                let Some(known) = explorer.classes().all().get(class as usize) else { return Ok(Vec::new()) };
                let name = escape(&known.name);
                let held = explorer.held(&nodes, Some(class))?;
                Ok(held.iter().take(HELD).map(|held| note.clone() + &explorer.held_text(held, &name)).collect())
            }
            Aside::Change(change) => self.told_of(change),
        }
    }

    fn told_of(&self, number: u32) -> Result<Vec<String>> {
        let Subject::Growth { latest, changes, numbering, .. } = &self.subject else { return Ok(Vec::new()) };
        let Some(change) = changes.get(number as usize) else { return Ok(Vec::new()) };
        let (nodes, note) = some_of(self.new_of(number));
        let held = latest.held(&nodes, class_of(latest, change))?;
        let size = BytesChange(change.whole.retained);
        let is_always = change.steps.len() > 1 && change.grows_always();
        let first = told(latest, change, &held, *numbering);
        let name = escape(&change.name);
        let rest = held.iter().skip(1).take(HELD - 1).map(|held| note.clone() + &latest.held_text(held, &name));
        let first = first.map(|held| {
            let text = note.clone() + &held;
            if is_always {
                tr!("{text}: {size} retained, more in every step.", text, size)
            } else {
                tr!("{text}: {size} retained.", text, size)
            }
        });
        Ok(first.into_iter().chain(rest).collect())
    }
}

/// Objects evenly taken of many, and what is said of that.
fn some_of(mut nodes: Vec<u32>) -> (Vec<u32>, String) {
    if nodes.len() <= MOST {
        return (nodes, String::new());
    }
    let every = nodes.len().div_ceil(MOST);
    let mut place = 0;
    nodes.retain(|_| {
        place += 1;
        place % every == 1
    });
    (nodes, tr!("of every {every}th: ", every))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_some_are_looked_at_and_that_is_said() {
        let (few, note) = some_of((0..9).collect());
        assert_eq!((few.len(), note.as_str()), (9, ""));
        let (some, note) = some_of((0..(3 * MOST) as u32).collect());
        assert_eq!((some.len(), some[1], note.as_str()), (MOST, 3, "of every 3th: "));
    }
}
