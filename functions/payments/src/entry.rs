//! One line of a payment's history, and how lines are appended.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::answer::ProviderText;
use crate::key::Tag;
use crate::state::{Reason, State};
use crate::time::Timestamp;

/// Most entries that an item keeps; beyond it the middle is dropped, never the beginning or the newest.
pub const ENTRIES_MAX: usize = 32;

/// One line of the story: in this state, for this reason, since this time.
///
/// In the table it is one short text, `<at_ms> <state> <reason> <attempt> <times>[#<tag>] [<provider's text>]`, because
/// a map with names would take three times the bytes and an ordinary item has to stay under 1 KB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Entry {
    /// When it happened first.
    pub at: Timestamp,
    /// The state from then on.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// The number of the last attempt to send; 0 before the first.
    pub attempt: u32,
    /// How often in a row.
    pub times: u32,
    /// The provider's reference or code, when it gave one.
    pub provider_text: Option<ProviderText>,
    /// What shows that this is the line that was linked here; none while it is not linked.
    pub tag: Option<Tag>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, state, reason, attempt, times, provider_text, tag } = self;
        write!(f, "{} {} {} {attempt} {times}", at.ms(), state.as_str(), reason.as_str())?;
        if let Some(tag) = tag {
            write!(f, "#{tag}")?;
        }
        match provider_text {
            Some(text) => write!(f, " {}", text.as_str()),
            None => Ok(()),
        }
    }
}

impl From<Entry> for String {
    fn from(entry: Entry) -> String {
        entry.to_string()
    }
}

/// A line that is no history entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a history entry: {0}")]
pub struct EntryError(String);

impl TryFrom<String> for Entry {
    type Error = EntryError;

    fn try_from(line: String) -> Result<Self, EntryError> {
        parse(&line).ok_or(EntryError(line))
    }
}

fn parse(line: &str) -> Option<Entry> {
    let mut parts = line.split(' ');
    let (at, state, reason, attempt) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let counted = parts.next()?;
    let (times, tag) = match counted.split_once('#') {
        Some((times, tag)) => (times, Some(Tag::parse(tag)?)),
        None => (counted, None),
    };
    let entry = Entry {
        at: Timestamp::from_ms(at.parse().ok()?),
        state: State::parse(state)?,
        reason: Reason::parse(reason)?,
        attempt: attempt.parse().ok()?,
        times: times.parse().ok()?,
        provider_text: parts.next().map(ProviderText::of_history),
        tag,
    };
    parts.next().is_none().then_some(entry)
}

/// What appending did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The last line was counted once more.
    Counted,
    /// A line was added; this one was dropped for it.
    Added {
        /// The line that stood right after the kept beginning.
        dropped: Option<Entry>,
    },
}

/// Lines at the beginning that are never dropped: those that are dropped all stood right behind them.
pub const KEPT_AT_THE_BEGINNING: usize = ENTRIES_MAX / 2;

/// Appends to a history; an entry that repeats the last one is counted there, so that a long wait stays one line.
pub fn append(history: &mut Vec<Entry>, entry: Entry) -> Appended {
    if let Some(last) = history.last_mut()
        && last.state == entry.state
        && last.reason == entry.reason
        && last.attempt == entry.attempt
        && last.provider_text == entry.provider_text
    {
        last.times = last.times.saturating_add(1);
        return Appended::Counted;
    }
    let dropped = (history.len() >= ENTRIES_MAX).then(|| history.remove(KEPT_AT_THE_BEGINNING));
    history.push(entry);
    Appended::Added { dropped }
}
