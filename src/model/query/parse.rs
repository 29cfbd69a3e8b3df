//! From text to a filter.

use regex_lite::RegexBuilder;

use super::{Node, Op, Pattern, Word};
use crate::model::field::{PROCESS_FIELDS, ProcessField, Unit, process_field};
use crate::units::{parse_bytes, parse_duration};

/// Why a filter was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", tr!("column {column}: {problem}", column = at + 1, problem))]
pub struct QueryError {
    /// Characters before the place.
    pub at: usize,
    /// What is wrong and what would be accepted.
    pub problem: String,
}

/// Parentheses may nest so deep: a filter of a million parentheses must not end the program.
const DEEPEST: usize = 64;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Or,
    And,
    Not,
    Operator(&'static str),
    Word { text: String, is_quoted: bool },
}

/// Longer operators first.
const OPERATORS: [&str; 10] = [">=", "<=", "!=", "!~", "==", "=", ">", "<", "~", ":"];

pub(super) fn parse(text: &str) -> Result<Node, QueryError> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.chars().count(), depth: 0 };
    if parser.tokens.is_empty() {
        return Ok(Node::All(Vec::new()));
    }
    let node = parser.any()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.error(tr!("a `)` without its `(`"))),
    }
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, QueryError> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        let start = at;
        let after_operator = matches!(tokens.last(), Some((_, Token::Operator(_))));
        let operator =
            OPERATORS.iter().find(|operator| operator.chars().eq(chars[at..].iter().copied().take(operator.len())));
        let token = match c {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '(' if !after_operator => Token::Open,
            ')' => Token::Close,
            '|' => Token::Or,
            '&' => Token::And,
            '"' | '\'' => {
                let length = chars[at + 1..].iter().position(|end| end == c).ok_or_else(|| QueryError {
                    at,
                    problem: tr!("the text after {c} has no end: close it with {c}", c),
                })?;
                let word: String = chars[at + 1..at + 1 + length].iter().collect();
                at += length + 1;
                Token::Word { text: word, is_quoted: true }
            }
            _ => match operator {
                Some(operator) => {
                    at += operator.len() - 1;
                    Token::Operator(operator)
                }
                None if *c == '!' => Token::Not,
                None => {
                    let length = word_length(&chars[at..], after_operator);
                    let word: String = chars[at..at + length].iter().collect();
                    at += length - 1;
                    match word.to_ascii_lowercase().as_str() {
                        "or" if !after_operator => Token::Or,
                        "and" if !after_operator => Token::And,
                        "not" if !after_operator => Token::Not,
                        _ => Token::Word { text: word, is_quoted: false },
                    }
                }
            },
        };
        // "||" and "&&" are one.
        if !(matches!(token, Token::Or | Token::And)
            && matches!(tokens.last(), Some((before, last)) if *last == token && before + 1 == start))
        {
            tokens.push((start, token));
        }
        at += 1;
    }
    Ok(tokens)
}

/// A value may hold what would end a word elsewhere: `command~^node(js)?`, `cgroup=/a:b`.
fn word_length(chars: &[char], is_value: bool) -> usize {
    let ends = |c: char| {
        c.is_whitespace() || c == ')' && !is_value || !is_value && ("(|&\"'".contains(c) || "=<>~!".contains(c))
    };
    let mut open = 0usize;
    for (length, c) in chars.iter().enumerate() {
        if is_value && *c == '(' {
            open += 1;
        }
        if is_value && *c == ')' {
            if open == 0 {
                return length.max(1);
            }
            open -= 1;
        }
        let is_end =
            if length == 0 { false } else { ends(*c) || !is_value && *c == ':' && names_field(&chars[..length]) };
        if is_end {
            return length;
        }
    }
    chars.len()
}

fn names_field(chars: &[char]) -> bool {
    process_field(&chars.iter().collect::<String>().to_ascii_lowercase()).is_some()
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn take(&mut self, token: &Token) -> bool {
        let is_next = self.peek() == Some(token);
        self.next += usize::from(is_next);
        is_next
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn error(&self, problem: impl Into<String>) -> QueryError {
        QueryError { at: self.at(), problem: problem.into() }
    }

    fn any(&mut self) -> Result<Node, QueryError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(tr!("more than {count} parentheses in one another", count = DEEPEST)));
        }
        let mut nodes = vec![self.all()?];
        while self.take(&Token::Or) {
            nodes.push(self.all()?);
        }
        self.depth -= 1;
        Ok(single_or(nodes, Node::Any))
    }

    fn all(&mut self) -> Result<Node, QueryError> {
        let mut nodes = vec![self.term()?];
        loop {
            let is_joined = self.take(&Token::And);
            match self.peek() {
                None | Some(Token::Or | Token::Close) if !is_joined => return Ok(single_or(nodes, Node::All)),
                _ => nodes.push(self.term()?),
            }
        }
    }

    fn term(&mut self) -> Result<Node, QueryError> {
        // Iteration, not recursion: a filter may begin with any number of `not`.
        let mut is_negated = false;
        while self.take(&Token::Not) {
            is_negated = !is_negated;
        }
        let node = self.plain_term()?;
        Ok(if is_negated { Node::Not(Box::new(node)) } else { node })
    }

    fn plain_term(&mut self) -> Result<Node, QueryError> {
        if self.take(&Token::Open) {
            let node = self.any()?;
            return if self.take(&Token::Close) {
                Ok(node)
            } else {
                Err(self.error(tr!("a `(` is not closed: add `)`")))
            };
        }
        let start = self.at();
        let Some(Token::Word { text, is_quoted }) = self.peek().cloned() else {
            return Err(self.error(tr!("here a word or a comparison is missing, such as `node` or `rss>100M`")));
        };
        self.next += 1;
        let Some(Token::Operator(operator)) = self.peek().cloned() else {
            return Ok(Node::Word(Word { lower: text.to_lowercase(), pid: text.parse().ok() }));
        };
        let field = process_field(&text.to_ascii_lowercase())
            .filter(|_| !is_quoted)
            .ok_or_else(|| QueryError { at: start, problem: unknown_field(&text) })?;
        self.next += 1;
        let value_at = self.at();
        let Some(Token::Word { text: value, is_quoted }) = self.peek().cloned() else {
            return Err(self.error(tr!(
                "`{text}{operator}` has no value: {unit}",
                text,
                operator,
                unit = example(field.unit)
            )));
        };
        self.next += 1;
        compare(field, operator, &value, is_quoted).map_err(|problem| QueryError { at: value_at, problem })
    }
}

fn single_or(mut nodes: Vec<Node>, many: fn(Vec<Node>) -> Node) -> Node {
    match (nodes.len(), nodes.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            nodes.push(last);
            many(nodes)
        }
        (_, None) => many(nodes),
    }
}

fn compare(field: &'static ProcessField, operator: &str, value: &str, is_quoted: bool) -> Result<Node, String> {
    if !is_quoted && matches!(value, "unknown" | "-") && matches!(operator, "=" | "==" | ":" | "!=") {
        return Ok(Node::Unknown { field, is_negated: operator == "!=" });
    }
    if field.unit.is_number() {
        let op = match operator {
            "=" | "==" | ":" => Op::Equal,
            "!=" => Op::NotEqual,
            ">" => Op::Greater,
            ">=" => Op::GreaterOrEqual,
            "<" => Op::Less,
            "<=" => Op::LessOrEqual,
            _ => return Err(tr!("`{key}` is a number: compare it with = != > >= < <=", key = field.key)),
        };
        return number(field.unit, value).map(|value| Node::Number { field, op, value });
    }
    let is_negated = operator.starts_with('!');
    let pattern = match operator {
        "=" | "==" | ":" | "!=" => Pattern::Glob(value.to_lowercase().split('*').map(str::to_owned).collect()),
        "~" | "!~" => Pattern::Regex(
            RegexBuilder::new(value)
                .case_insensitive(true)
                .build()
                .map_err(|error| tr!("`{value}` is not a regular expression: {error}", value, error))?,
        ),
        _ => return Err(tr!("`{key}` is text: compare it with = != ~ !~", key = field.key)),
    };
    Ok(Node::Text { field, pattern, is_negated })
}

pub(crate) fn number(unit: Unit, value: &str) -> Result<f64, String> {
    let (sign, digits) = value.strip_prefix('-').map_or((1.0, value), |digits| (-1.0, digits));
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let plain = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    let read = match unit {
        Unit::Bytes | Unit::BytesChange => parse_bytes(digits).ok().map(|bytes| bytes.0 as f64),
        Unit::BytesPerMinute | Unit::Series => {
            parse_bytes(digits.trim_end_matches("/min")).ok().map(|bytes| bytes.0 as f64)
        }
        Unit::BytesPerSecond => parse_bytes(digits.trim_end_matches("/s")).ok().map(|bytes| bytes.0 as f64),
        Unit::Milliseconds => parse_duration(digits).ok().map(|duration| duration.as_secs_f64() * 1000.0),
        Unit::Percent => plain(digits.trim_end_matches('%')),
        Unit::PerSecond => plain(digits.trim_end_matches("/s")),
        Unit::Count | Unit::CountChange | Unit::Text => plain(digits),
    };
    read.map(|number| number * sign)
        .ok_or_else(|| tr!("`{value}` does not fit: {example}", value, example = example(unit)))
}

fn example(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes | Unit::BytesChange => tr!("write a size, as in 100M or 1.5G"),
        Unit::BytesPerMinute | Unit::Series => tr!("write a size per minute, as in 1M"),
        Unit::BytesPerSecond => tr!("write a size per second, as in 1M"),
        Unit::Count | Unit::CountChange => tr!("write a number, as in 900"),
        Unit::PerSecond => tr!("write a number per second, as in 10"),
        Unit::Percent => tr!("write a share, as in 80%"),
        Unit::Milliseconds => tr!("write a duration, as in 30s or 10m"),
        Unit::Text => tr!("write a word, as in app or node*"),
    }
}

fn unknown_field(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let mut near: Vec<&str> = PROCESS_FIELDS.iter().map(|field| field.key).collect();
    near.sort_by_key(|key| distance(key, &lower));
    tr!(
        "there is no field `{name}`: did you mean {first}, {second} or {third}?",
        name,
        first = near[0],
        second = near[1],
        third = near[2]
    )
}

/// Edits from one word to the other (Levenshtein); a part of the other word counts as near.
fn distance(a: &str, b: &str) -> usize {
    if !b.is_empty() && a.contains(b) {
        return 1;
    }
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.chars().enumerate() {
            let cost = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}
