//! What the sandbox says, before any protocol has put it into words.

use super::book::{Asked, Outcome};

/// An answer's meaning.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// What came of it.
    Told(Asked, Outcome),
    /// What came of an earlier request under this id.
    Stands(Asked, Outcome),
    /// What came of it, with another amount.
    Altered(Asked, Outcome),
    /// Said rightly, and signed with a key that is not ours.
    WronglySigned(Box<Said>),
    /// No such payment.
    NotFound,
    /// An earlier request under this id is still being processed.
    Busy,
    /// An earlier request under this id asked for something else.
    OtherBody,
    /// Over the rate; nothing was done.
    RateLimited,
    /// Something else works on this one payment; nothing was done. Where a protocol has no word for it, it is over the rate.
    Locked,
    /// The caller is not known.
    Unauthorized,
    /// Nobody can say what became of it: nothing was done.
    Failed,
    /// Nobody can say what became of it: it was done.
    FailedAfter,
}
