//! A payment's own history, kept in its item and appended in the write that makes it true.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::answer::ProviderText;
use crate::payment::{Reason, State};
use crate::time::Timestamp;

/// Most entries that an item keeps; beyond it the middle is dropped, never the beginning or the newest.
pub const ENTRIES_MAX: usize = 32;

/// One line of the story: in this state, for this reason, since this time.
///
/// In the table it is one short text, `<at_ms> <state> <reason> <attempt> <times> [<provider's text>]`, because a
/// map with names would take three times the bytes and an ordinary item has to stay under 1 KB.
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
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, state, reason, attempt, times, provider_text } = self;
        write!(f, "{} {} {} {attempt} {times}", at.ms(), state.as_str(), reason.as_str())?;
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
    let entry = Entry {
        at: Timestamp::from_ms(parts.next()?.parse().ok()?),
        state: State::parse(parts.next()?)?,
        reason: Reason::parse(parts.next()?)?,
        attempt: parts.next()?.parse().ok()?,
        times: parts.next()?.parse().ok()?,
        provider_text: parts.next().map(ProviderText::of_history),
    };
    parts.next().is_none().then_some(entry)
}

/// Appends to a history; an entry that repeats the last one is counted there, so that a long wait stays one line.
pub fn append(history: &mut Vec<Entry>, entry: Entry) {
    if let Some(last) = history.last_mut()
        && last.state == entry.state
        && last.reason == entry.reason
        && last.attempt == entry.attempt
        && last.provider_text == entry.provider_text
    {
        last.times = last.times.saturating_add(1);
        return;
    }
    if history.len() >= ENTRIES_MAX {
        history.remove(ENTRIES_MAX / 2);
    }
    history.push(entry);
}
