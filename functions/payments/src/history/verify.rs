//! Whether a history is the one that was written: goes through it from the order on and says what does not fit.

use crate::payment::Payment;
use crate::state::State;

use super::linking::{Linker, ends_with_a_claim, may_be_followed};
use crate::entry::{Entry, KEPT_AT_THE_BEGINNING};
use crate::key::{HistoryKeys, KeyId, Link};

/// What does not fit. Lines are numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// It was written before there were chains, or its chain was taken away.
    #[error("there is no chain: nothing can be said about this history")]
    NoChain,
    /// The key that made it is not at hand.
    #[error("the chain was made with the key {0}, which is not among the given ones")]
    KeyNotHeld(KeyId),
    /// What was asked for is not what was asked for then.
    #[error("the order was changed after it was accepted: its merchant, kind, number, amount or another of its fields")]
    OrderChanged,
    /// The first line that is not the one that was linked.
    #[error(
        "line {number} does not fit, \"{line}\": it was changed, or a line before it was removed or added; \
         what comes after it cannot be vouched for"
    )]
    LineChanged {
        /// Its number.
        number: usize,
        /// The line.
        line: Entry,
    },
    /// A line that no writer has linked.
    #[error("line {number} was never linked, \"{line}\": it was written by hand, or by a writer without the key")]
    LineNotLinked {
        /// Its number.
        number: usize,
        /// The line.
        line: Entry,
    },
    /// A count that so few writes cannot have made.
    #[error("line {number} is counted more often than the payment was written: \"{line}\"")]
    CountedTooOften {
        /// Its number.
        number: usize,
        /// The line.
        line: Entry,
    },
    /// What stands for dropped lines is not ours.
    #[error("what stands for the lines that were dropped does not fit what is before it")]
    GapChanged,
    /// Every line fits and the head does not.
    #[error("the head is not that of the last line: lines were removed at the end, or the head was changed")]
    HeadChanged,
    /// The item says another thing than its last line.
    #[error("the payment is {} and its last line says {}: its state or its claim was changed by hand", item.as_str(), line.as_str())]
    StateDisagrees {
        /// The item's.
        item: State,
        /// The line's.
        line: State,
    },
    /// The item says another number than its last line.
    #[error("the payment has {item} attempts and its last line says {line}: the number was changed by hand")]
    AttemptsDisagree {
        /// The item's.
        item: u32,
        /// The line's.
        line: u32,
    },
    /// There is always a first line.
    #[error("there are no lines")]
    Empty,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Lines that are the ones that were linked.
    pub covered: usize,
    /// Lines that were dropped for want of room, and are vouched for by what stands for them.
    pub dropped: u32,
    /// The last line was written by a claim that had not read the item; the next write links it.
    pub awaits_link: bool,
    /// Whether the chain could be followed to its end, whatever was found beside it.
    pub followed: bool,
    /// What does not fit; nothing when all is well.
    pub findings: Vec<Finding>,
    /// Each head on the way, oldest first, except those of dropped lines.
    pub passed: Vec<Link>,
}

impl Verification {
    /// Whether everything fits.
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Checks a payment's history.
pub fn verify(payment: &Payment, keys: &HistoryKeys) -> Verification {
    let mut verification = Verification {
        covered: 0,
        dropped: 0,
        awaits_link: ends_with_a_claim(payment),
        followed: false,
        findings: Vec::new(),
        passed: Vec::new(),
    };
    follow(payment, keys, &mut verification);
    agrees(payment, &mut verification.findings);
    verification
}

/// Goes along the chain, up to the first line that does not fit.
fn follow(payment: &Payment, keys: &HistoryKeys, to: &mut Verification) {
    let Some(chain) = &payment.chain else {
        return to.findings.push(Finding::NoChain);
    };
    let Some(key) = keys.with(chain.key) else {
        return to.findings.push(Finding::KeyNotHeld(chain.key));
    };
    let linker = Linker::new(key, payment);
    let (mut before, beginning) = linker.beginning(payment);
    if beginning != chain.beginning {
        return to.findings.push(Finding::OrderChanged);
    }
    let mut times = 0_u64;
    for (index, entry) in payment.history.iter().enumerate() {
        let (number, line) = (index.saturating_add(1), entry.clone());
        if index == KEPT_AT_THE_BEGINNING
            && let Some(gap) = &chain.gap
        {
            to.dropped = gap.lines;
            match linker.across(gap, before) {
                Some(after) => before = after,
                None => return to.findings.push(Finding::GapChanged),
            }
        }
        let Some(tag) = entry.tag else {
            if !(to.awaits_link && number == payment.history.len()) {
                to.findings.push(Finding::LineNotLinked { number, line });
            }
            continue;
        };
        times = times.saturating_add(u64::from(entry.times));
        if !may_be_followed(payment, entry, times) {
            return to.findings.push(Finding::CountedTooOften { number, line });
        }
        let (after, made) = linker.whole_line(before, entry, |head| to.passed.push(head));
        if made != Some(tag) {
            return to.findings.push(Finding::LineChanged { number, line });
        }
        before = after;
        to.covered = to.covered.saturating_add(1);
    }
    to.followed = true;
    if before != chain.head {
        to.findings.push(Finding::HeadChanged);
    }
}

/// What the item says beside its history has to be what its last line says.
fn agrees(payment: &Payment, findings: &mut Vec<Finding>) {
    let Some(last) = payment.history.last() else {
        return findings.push(Finding::Empty);
    };
    let same = match payment.claim.as_ref().map(|claim| claim.from) {
        None => payment.state == last.state && payment.state != State::Sending,
        Some(from) => {
            payment.state == State::Sending
                && match from {
                    State::Queued => last.state == State::Sending,
                    // A claim for a query is no line; one that took over an ended lease has noted that.
                    State::Sending => last.state == State::Unknown,
                    State::Pending | State::Unknown => last.state == from,
                    State::Parked | State::Succeeded | State::Declined | State::Canceled | State::Expired => false,
                }
        }
    };
    if !same {
        findings.push(Finding::StateDisagrees { item: payment.state, line: last.state });
    }
    if last.attempt != payment.attempts {
        findings.push(Finding::AttemptsDisagree { item: payment.attempts, line: last.attempt });
    }
}
