//! Kinds of nodes and edges, by the names that V8 gives them in the header of a snapshot.

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are V8's")]
pub enum NodeKind {
    Hidden,
    Array,
    String,
    Object,
    Code,
    Closure,
    RegExp,
    Number,
    Native,
    Synthetic,
    ConsString,
    SlicedString,
    Symbol,
    BigInt,
    ObjectShape,
    WasmObject,
    /// One that a newer V8 has.
    Unknown,
}

const NODE_KINDS: [(NodeKind, &str); 17] = [
    (NodeKind::Hidden, "hidden"),
    (NodeKind::Array, "array"),
    (NodeKind::String, "string"),
    (NodeKind::Object, "object"),
    (NodeKind::Code, "code"),
    (NodeKind::Closure, "closure"),
    (NodeKind::RegExp, "regexp"),
    (NodeKind::Number, "number"),
    (NodeKind::Native, "native"),
    (NodeKind::Synthetic, "synthetic"),
    (NodeKind::ConsString, "concatenated string"),
    (NodeKind::SlicedString, "sliced string"),
    (NodeKind::Symbol, "symbol"),
    (NodeKind::BigInt, "bigint"),
    (NodeKind::ObjectShape, "object shape"),
    (NodeKind::WasmObject, "wasm object"),
    (NodeKind::Unknown, "unknown"),
];

impl NodeKind {
    pub(super) fn named(name: &str) -> Self {
        NODE_KINDS.iter().find(|(_, known)| *known == name).map_or(Self::Unknown, |(kind, _)| *kind)
    }

    #[inline]
    pub(super) fn of_code(code: u8) -> Self {
        NODE_KINDS.get(usize::from(code)).map_or(Self::Unknown, |(kind, _)| *kind)
    }

    /// V8's name for it.
    pub fn name(self) -> &'static str {
        NODE_KINDS[self as usize].1
    }

    /// Whether it is a string of any make.
    pub fn is_string(self) -> bool {
        matches!(self, Self::String | Self::ConsString | Self::SlicedString)
    }

    /// Whether it is what a program made, and not what V8 needs for it.
    pub fn is_made_by_program(self) -> bool {
        matches!(self, Self::Object | Self::Closure | Self::RegExp | Self::Native) || self.is_string()
    }
}

/// How one node refers to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are V8's")]
pub enum EdgeKind {
    Context,
    Element,
    Property,
    Internal,
    Hidden,
    Shortcut,
    Weak,
    /// One that a newer V8 has.
    Unknown,
}

const EDGE_KINDS: [(EdgeKind, &str); 8] = [
    (EdgeKind::Context, "context"),
    (EdgeKind::Element, "element"),
    (EdgeKind::Property, "property"),
    (EdgeKind::Internal, "internal"),
    (EdgeKind::Hidden, "hidden"),
    (EdgeKind::Shortcut, "shortcut"),
    (EdgeKind::Weak, "weak"),
    (EdgeKind::Unknown, "unknown"),
];

impl EdgeKind {
    pub(super) fn named(name: &str) -> Self {
        EDGE_KINDS.iter().find(|(_, known)| *known == name).map_or(Self::Unknown, |(kind, _)| *kind)
    }

    #[inline]
    pub(super) fn of_code(code: u32) -> Self {
        match code {
            0 => Self::Context,
            1 => Self::Element,
            2 => Self::Property,
            3 => Self::Internal,
            4 => Self::Hidden,
            5 => Self::Shortcut,
            6 => Self::Weak,
            _ => Self::Unknown,
        }
    }

    /// V8's name for it.
    pub fn name(self) -> &'static str {
        EDGE_KINDS[self as usize].1
    }

    /// Whether its label is a number and no string.
    #[inline]
    pub fn is_numbered(self) -> bool {
        matches!(self, Self::Element | Self::Hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_names_go_both_ways() {
        for (code, (kind, name)) in NODE_KINDS.iter().enumerate() {
            assert_eq!((NodeKind::named(name), NodeKind::of_code(code as u8), kind.name()), (*kind, *kind, *name));
        }
        for (code, (kind, name)) in EDGE_KINDS.iter().enumerate() {
            assert_eq!((EdgeKind::named(name), EdgeKind::of_code(code as u32), kind.name()), (*kind, *kind, *name));
        }
        assert_eq!((NodeKind::named("new"), NodeKind::of_code(99)), (NodeKind::Unknown, NodeKind::Unknown));
    }
}
