//! A payment's own history, kept in its item and appended in the write that makes it true, each line linked to the one
//! before it under a key that the table does not hold.

mod anchor;
mod linking;
mod sentence;
mod verify;

pub use crate::chain::{Chain, ChainError, Gap};
pub use crate::entry::{Appended, ENTRIES_MAX, Entry, EntryError, KEPT_AT_THE_BEGINNING, append};
pub use crate::key::{HISTORY_KEY_BYTES_MIN, HistoryKey, HistoryKeys, KeyError, KeyId, Link, Tag};
pub use anchor::{Anchor, AnchorFinding, Anchored, anchored};
pub(crate) use linking::{append_linked, begin, link_claim};
pub use sentence::{Call, lines};
pub use verify::{Finding, Verification, verify};
