//! Whether a history is the one whose heads were written down elsewhere. Who can write the table and holds the key too
//! can make any history; not one with the heads that a log of another owner has kept.

use crate::payment::Payment;

use super::verify::Verification;
use crate::key::Link;

/// A head as it was written down after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    /// The payment's version then.
    pub version: u64,
    /// The head then.
    pub head: Link,
}

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorFinding {
    /// Nothing was written down.
    #[error("no head of this payment is in the log")]
    NoAnchor,
    /// The item is older than the log.
    #[error(
        "the log has version {anchored} of this payment and the table version {stands}: it was set back, by hand or by a \
         restore of the table to an earlier time"
    )]
    SetBack {
        /// The newest in the log.
        anchored: u64,
        /// The item's.
        stands: u64,
    },
    /// The history never had this head.
    #[error("the log has a head of version {version} that this history does not pass through: it was written anew")]
    NotPassed {
        /// Whose head it is.
        version: u64,
    },
}

/// How the history and the log go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchored {
    /// Heads in the log that the history passes through.
    pub passed: usize,
    /// Heads in the log that may lie among the dropped lines, where nobody can look any more.
    pub among_dropped: usize,
    /// Heads in the log that are older than the short history of a payment whose details were forgotten.
    pub forgotten: usize,
    /// The newest version in the log.
    pub newest: u64,
    /// What does not fit.
    pub findings: Vec<AnchorFinding>,
}

/// Compares a history that was verified with the heads of a log. What comes after a line that does not fit cannot be
/// compared; that line is a finding of the verification's.
pub fn anchored(payment: &Payment, verification: &Verification, anchors: &[Anchor]) -> Anchored {
    let mut anchors = anchors.to_vec();
    anchors.sort_unstable();
    anchors.dedup();
    let Some(newest) = anchors.last() else {
        return Anchored {
            passed: 0,
            among_dropped: 0,
            forgotten: 0,
            newest: 0,
            findings: vec![AnchorFinding::NoAnchor],
        };
    };
    let mut result =
        Anchored { passed: 0, among_dropped: 0, forgotten: 0, newest: newest.version, findings: Vec::new() };
    let passes = |anchor: &Anchor| verification.passed.contains(&anchor.head);
    let (first_passed, last_passed) = (anchors.iter().position(passes), anchors.iter().rposition(passes));
    for (index, anchor) in anchors.iter().enumerate() {
        if passes(anchor) {
            result.passed = result.passed.saturating_add(1);
        } else if payment.is_forgotten() && first_passed.is_some_and(|first| index < first) {
            // Its history was begun anew then; the head that was written down for that shows it.
            result.forgotten = result.forgotten.saturating_add(1);
        } else if verification.dropped > 0 && last_passed.is_some_and(|last| index < last) {
            result.among_dropped = result.among_dropped.saturating_add(1);
        } else if verification.followed && anchor.version <= payment.version {
            result.findings.push(AnchorFinding::NotPassed { version: anchor.version });
        }
    }
    if newest.version > payment.version {
        result.findings.push(AnchorFinding::SetBack { anchored: newest.version, stands: payment.version });
    }
    result
}
