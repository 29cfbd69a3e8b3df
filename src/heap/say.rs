//! Nodes, edges and places in words. What a program chose itself may hold anything: it is escaped here.

use std::fmt::Write as _;

use crate::model::text::escape;

use super::explorer::Explorer;
use super::graph::{Edge, HeapGraph};
use super::kind::{EdgeKind, NodeKind};
use super::places::Place;
use super::shapes::formatted;

/// Characters of a string that are shown.
const SHOWN: usize = 60;

/// Fields of an object that are shown beside it.
const PREVIEWED: usize = 3;

/// Pieces of a string that was put together, at most.
const PIECES: usize = 64;

impl HeapGraph {
    /// A place: `server.js:12`, with the whole path of the script where `is_whole`; `script 7:12` where its name is not
    /// known.
    pub fn place_text(&self, place: Place, is_whole: bool) -> String {
        let line = u64::from(place.line) + 1;
        let Some(text) = self.places().script(place.script) else {
            return tr!("script {script}:{line}", script = place.script, line);
        };
        let name = self.texts().get(text);
        let name = if is_whole { name } else { name.rsplit(|byte| *byte == b'/').next().unwrap_or(name) };
        format!("{}:{line}", escape(name))
    }

    /// How an edge is written: `.items`, `[3]`, `{table}` where it is V8's own, a variable by its name.
    pub fn edge_text(&self, edge: &Edge) -> String {
        let label = |edge: &Edge| escape(self.texts().get(edge.label)).into_owned();
        match edge.kind {
            EdgeKind::Element => format!("[{}]", edge.label),
            EdgeKind::Hidden => format!("{{{}}}", edge.label),
            EdgeKind::Property | EdgeKind::Shortcut => {
                let name = label(edge);
                if is_word(&name) { format!(".{name}") } else { format!("[{name:?}]") }
            }
            EdgeKind::Context => tr!("variable {name}", name = label(edge)),
            EdgeKind::Weak => format!("{{{}}}", tr!("weak {name}", name = label(edge))),
            EdgeKind::Internal | EdgeKind::Unknown => format!("{{{}}}", label(edge)),
        }
    }

    /// The text of a string, put together from its pieces where it is a concatenated one, with at most so many
    /// characters.
    pub fn string_text(&self, node: u32, most: usize) -> String {
        let mut text = String::new();
        let mut pending = vec![node];
        let mut pieces = 0;
        while let Some(piece) = pending.pop() {
            pieces += 1;
            if text.chars().count() > most || pieces > PIECES {
                break;
            }
            if self.kind(piece) == NodeKind::ConsString {
                pending.extend(self.internal(piece, b"second"));
                pending.extend(self.internal(piece, b"first"));
            } else {
                text.push_str(&escape(self.name(piece)));
            }
        }
        shorten(text, most)
    }
}

/// Cuts a text after so many characters, and shows that.
pub(super) fn shorten(mut text: String, most: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
    text
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$' || c == '#')
}

impl Explorer {
    /// The name of a node's class.
    pub fn class_text(&self, node: u32) -> String {
        match self.classes().of_node(node) {
            Some(class) => escape(&self.classes().all()[class as usize].name).into_owned(),
            None => match self.graph().kind(node) {
                NodeKind::Object | NodeKind::Native | NodeKind::Synthetic => {
                    escape(self.graph().name(node)).into_owned()
                }
                kind => format!("({})", kind.name()),
            },
        }
    }

    /// A node in a few words, without its id: `"text"`, `parse()`, `PooledRequest`.
    pub fn node_text(&self, node: u32) -> String {
        let graph = self.graph();
        let name = || shorten(escape(graph.name(node)).into_owned(), SHOWN);
        match graph.kind(node) {
            kind if kind.is_string() => format!("\"{}\"", graph.string_text(node, SHOWN)),
            NodeKind::Closure if graph.name(node).is_empty() => tr!("anonymous function").into(),
            NodeKind::Closure => format!("{}()", name()),
            NodeKind::Object if graph.name(node) == b"Object" => self.plain_text(node),
            NodeKind::Object | NodeKind::Native => shorten(self.class_text(node), SHOWN),
            NodeKind::Array if graph.name(node).is_empty() => "(array)".into(),
            kind if graph.name(node).is_empty() => format!("({})", kind.name()),
            _ => name(),
        }
    }

    /// A plain object by its properties: `{host, port, …}`.
    fn plain_text(&self, node: u32) -> String {
        let mut text = String::new();
        for edge in self.properties(node) {
            let name = formatted(self.graph().texts().get(edge.label));
            if text.chars().count() + name.chars().count() > SHOWN {
                text.push_str(", …");
                break;
            }
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(&escape(name.as_bytes()));
        }
        if text.is_empty() { "{}".into() } else { format!("{{{text}}}") }
    }

    fn properties(&self, node: u32) -> impl Iterator<Item = Edge> + '_ {
        let is_own = |edge: &Edge| self.graph().texts().get(edge.label) != b"__proto__";
        self.graph().edges(node).filter(|edge| edge.kind == EdgeKind::Property).filter(is_own)
    }

    /// An object by the strings in its first fields, which tell it from others of its class: `url: "/login"`.
    pub fn preview(&self, node: u32) -> String {
        let graph = self.graph();
        if graph.kind(node) != NodeKind::Object {
            return self.node_text(node);
        }
        let strings = self.properties(node).filter(|edge| graph.kind(edge.target).is_string());
        let shown = strings.take(PREVIEWED).map(|edge| {
            format!("{}: \"{}\"", escape(graph.texts().get(edge.label)), graph.string_text(edge.target, SHOWN / 2))
        });
        let text = shown.collect::<Vec<_>>().join(", ");
        if text.is_empty() { self.node_text(node) } else { text }
    }

    /// The shortest way from a root to a node, in one line: `global.app.pool.items[3]`.
    pub fn way_text(&self, node: u32) -> super::error::Result<String> {
        let mut text = String::new();
        for (source, edge) in self.way(node)? {
            if source == self.graph().root() || self.graph().kind(source) == NodeKind::Synthetic {
                text.clear();
                // Writing into a String can't fail.
                let _ = write!(text, "{}", self.node_text(edge.target));
                continue;
            }
            match edge.kind {
                EdgeKind::Context => {
                    let _ = write!(text, " › {}", self.graph().edge_text(&edge));
                }
                EdgeKind::Internal | EdgeKind::Hidden | EdgeKind::Unknown => {
                    let _ = write!(text, " › {}", self.node_text(edge.target));
                }
                _ => text.push_str(&self.graph().edge_text(&edge)),
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shorten("数据库".into(), 2), "数据…");
        assert_eq!(shorten("数据库".into(), 3), "数据库");
    }
}
