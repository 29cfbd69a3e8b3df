//! The filter of the view of control groups: words that the path, the name or the user holds, and comparisons of fields,
//! all of which must hold: `docker usage>100M not web`.

use std::fmt;

use super::census::CgroupRow;
use super::field::{CGROUP_FIELDS, CgroupField, cgroup_field};
use super::query::{Op, number};

/// A filter.
#[derive(Clone, Debug)]
pub struct CgroupQuery {
    terms: Vec<(Term, bool)>,
    text: String,
}

#[derive(Clone, Debug)]
enum Term {
    Word(String),
    Number { field: &'static CgroupField, op: Op, value: f64 },
}

/// Longer operators first.
const OPERATORS: [(&str, Op); 6] = [
    (">=", Op::GreaterOrEqual),
    ("<=", Op::LessOrEqual),
    ("!=", Op::NotEqual),
    (">", Op::Greater),
    ("<", Op::Less),
    ("=", Op::Equal),
];

impl CgroupQuery {
    /// Reads a filter. Text of blanks matches everything. The error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        let mut is_negated = false;
        for word in text.split_whitespace() {
            let (word, is_not) = word.strip_prefix('!').map_or((word, false), |rest| (rest, true));
            is_negated ^= is_not;
            match word {
                "not" => is_negated = !is_negated,
                "" => {}
                word => terms.push((term(word)?, std::mem::take(&mut is_negated))),
            }
        }
        if is_negated {
            return Err(tr!("after `not` a word or a comparison is missing").into());
        }
        Ok(Self { terms, text: text.trim().to_owned() })
    }

    /// Whether the group passes.
    pub fn matches(&self, row: &CgroupRow<'_>) -> bool {
        self.terms.iter().all(|(term, is_negated)| term.matches(row) != *is_negated)
    }
}

fn term(word: &str) -> Result<Term, String> {
    let first = word.find(['>', '<', '=', '!']);
    let Some((key, rest)) = first.filter(|at| *at > 0).map(|at| word.split_at(at)) else {
        return Ok(Term::Word(word.to_lowercase()));
    };
    let Some((operator, op)) = OPERATORS.iter().find(|(operator, _)| rest.starts_with(operator)) else {
        return Ok(Term::Word(word.to_lowercase()));
    };
    let value = &rest[operator.len()..];
    let Some(field) = cgroup_field(&key.to_ascii_lowercase()).filter(|field| field.unit.is_number()) else {
        let keys = CGROUP_FIELDS.iter().filter(|field| field.unit.is_number()).map(|field| field.key);
        return Err(tr!(
            "there is no field `{key}`: use one of {keys}",
            key,
            keys = keys.collect::<Vec<_>>().join(", ")
        ));
    };
    Ok(Term::Number { field, op: *op, value: number(field.unit, value)? })
}

impl Term {
    fn matches(&self, row: &CgroupRow<'_>) -> bool {
        match self {
            Self::Word(word) => {
                row.node.path.escaped().to_lowercase().contains(word) || row.label().to_lowercase().contains(word)
            }
            Self::Number { field, op, value } => {
                let reading = (field.get)(row).value().and_then(|reading| reading.number());
                reading.is_some_and(|reading| op.holds(reading.total_cmp(value)))
            }
        }
    }
}

/// The filter as it was written.
impl fmt::Display for CgroupQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::census::Census;
    use crate::model::cgroup_tree::{CgroupNode, CgroupTree};
    use crate::model::reading::Reading;
    use crate::model::testing;

    fn found(text: &str) -> Vec<String> {
        let node = |(path, mib): (&str, u64)| {
            Arc::new(CgroupNode { usage: Reading::Value(mib << 20), ..CgroupNode::found(path.into()) })
        };
        let nodes = [("/", 900), ("/system.slice/nginx.service", 20), ("/user.slice/user-1000.slice", 300)].map(node);
        let tree = Arc::new(CgroupTree { nodes: nodes.to_vec(), ..CgroupTree::default() });
        let snapshot = testing::snapshot(Vec::new());
        let census = Census::take(&tree, &snapshot);
        let query = CgroupQuery::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let rows = (0..3).map(|place| census.row(place, &snapshot)).filter(|row| query.matches(row));
        rows.map(|row| row.label()).collect()
    }

    #[test]
    fn words_and_comparisons_narrow_together() {
        assert_eq!(found("").len(), 3);
        assert_eq!(found("NGINX"), ["nginx.service"]);
        assert_eq!(found("app usage>100M"), ["user-1000.slice (app)"], "the name of the user counts");
        assert_eq!(found("not nginx usage>100M"), ["/", "user-1000.slice (app)"]);
        assert_eq!(found("usage<=20M !user"), ["nginx.service"]);
        assert_eq!(found("swap>0"), Vec::<String>::new(), "unknown matches no comparison");
    }

    #[test]
    fn errors_say_what_instead() {
        assert!(CgroupQuery::parse("usag>5").unwrap_err().contains("`usag`: use one of usage, limit"));
        assert!(CgroupQuery::parse("usage>lots").unwrap_err().contains("write a size"));
        assert!(CgroupQuery::parse("not").unwrap_err().contains("missing"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = CgroupQuery::parse(&text);
        }
    }
}
