//! What a payment keeps to hold its history together: its key, its beginning, its head, and what stands for dropped lines.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::key::{KeyId, Link, Tag};

/// What a history is held together by, beside the tags in its lines.
///
/// In the table it is one text, `<key> <beginning> <head>[ <lines> <from> <to> <seal>]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Chain {
    /// Which key made it; a payment keeps its first.
    pub key: KeyId,
    /// Shows that the order is the one that the chain began with.
    pub beginning: Tag,
    /// The last line's link.
    pub head: Link,
    /// What stands for the lines that were dropped.
    pub gap: Option<Gap>,
}

/// What stands for dropped lines: it binds what comes after them to what was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// How many were dropped.
    pub lines: u32,
    pub(crate) from: Link,
    pub(crate) to: Link,
    pub(crate) seal: Link,
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, beginning, head, gap } = self;
        write!(f, "{key} {beginning} {head}")?;
        match gap {
            Some(Gap { lines, from, to, seal }) => write!(f, " {lines} {from} {to} {seal}"),
            None => Ok(()),
        }
    }
}

impl From<Chain> for String {
    fn from(chain: Chain) -> String {
        chain.to_string()
    }
}

/// A text that is no chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the chain of a history: {0}")]
pub struct ChainError(String);

impl TryFrom<String> for Chain {
    type Error = ChainError;

    fn try_from(text: String) -> Result<Self, ChainError> {
        parse(&text).ok_or(ChainError(text))
    }
}

fn parse(text: &str) -> Option<Chain> {
    let mut parts = text.split(' ');
    let (key, beginning, head) = (parts.next()?, parts.next()?, parts.next()?);
    let gap = match parts.next() {
        None => None,
        Some(lines) => Some(Gap {
            lines: lines.parse().ok()?,
            from: Link::parse(parts.next()?)?,
            to: Link::parse(parts.next()?)?,
            seal: Link::parse(parts.next()?)?,
        }),
    };
    let chain = Chain { key: KeyId::parse(key)?, beginning: Tag::parse(beginning)?, head: Link::parse(head)?, gap };
    parts.next().is_none().then_some(chain)
}
