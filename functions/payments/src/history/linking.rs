//! How lines are linked. Each time that something is written, the head becomes a hash of the head before and the line,
//! under a key that the table does not hold. A writer goes on from the head that stands there and never computes it
//! anew from the lines, so that a line changed by hand stays a line that does not fit, whoever writes afterwards.

use crate::payment::{Order, Payment, RefundOf};
use crate::state::{Reason, State};

use crate::chain::{Chain, Gap};
use crate::entry::{Appended, Entry, KEPT_AT_THE_BEGINNING, append};
use crate::key::{HistoryKey, HistoryKeys, Link, Purpose, Tag};

/// Most times that lines are followed in one go; nobody waits two years, once a minute, for one payment.
const TIMES_MAX: u64 = 1_000_000;

/// Whether a line's count can be one that writes have made, and the lines so far are few enough to be followed at once: a
/// number written by hand must not keep whoever follows it at work for minutes.
pub(super) fn may_be_followed(payment: &Payment, entry: &Entry, times_so_far: u64) -> bool {
    u64::from(entry.times) <= payment.version && times_so_far <= TIMES_MAX
}

/// A key at work on one payment's history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linker<'a> {
    key: &'a HistoryKey,
    payment_id: &'a str,
}

impl<'a> Linker<'a> {
    pub(super) fn new(key: &'a HistoryKey, payment: &'a Payment) -> Self {
        Self { key, payment_id: payment.id.as_str() }
    }

    /// What comes before the first line: all that the merchant asked for.
    pub(super) fn beginning(&self, payment: &Payment) -> (Link, Tag) {
        let fields = order_fields(&payment.order);
        let created_at = payment.created_at.ms().to_be_bytes();
        let mut parts: Vec<&[u8]> =
            vec![self.payment_id.as_bytes(), &created_at, payment.fingerprint.as_str().as_bytes()];
        parts.extend(fields.iter().map(String::as_bytes));
        self.key.link(Purpose::Beginning, &parts)
    }

    /// A line that came for this time, after `before`.
    pub(super) fn line(&self, before: &Link, entry: &Entry, time: u32) -> (Link, Tag) {
        let Entry { at, state, reason, attempt, times: _, provider_text, tag: _ } = entry;
        self.key.link(
            Purpose::Line,
            &[
                self.payment_id.as_bytes(),
                before.bytes(),
                &at.ms().to_be_bytes(),
                state.as_str().as_bytes(),
                reason.as_str().as_bytes(),
                &attempt.to_be_bytes(),
                &time.to_be_bytes(),
                provider_text.as_ref().map_or("", |text| text.as_str()).as_bytes(),
            ],
        )
    }

    /// A line with every time that it came; `passed` is told each link on the way.
    pub(super) fn whole_line(&self, before: Link, entry: &Entry, mut passed: impl FnMut(Link)) -> (Link, Option<Tag>) {
        let (mut link, mut tag) = (before, None);
        for time in 1..=entry.times {
            let (next, shown) = self.line(&link, entry, time);
            (link, tag) = (next, Some(shown));
            passed(link);
        }
        (link, tag)
    }

    pub(super) fn gap(&self, lines: u32, from: Link, to: Link) -> Gap {
        let parts: [&[u8]; 4] = [self.payment_id.as_bytes(), &lines.to_be_bytes(), from.bytes(), to.bytes()];
        let (seal, _) = self.key.link(Purpose::Gap, &parts);
        Gap { lines, from, to, seal }
    }

    /// What a gap keeps of the link before it: enough to know it again, and not the link itself.
    fn gap_from(&self, before: Link) -> Link {
        self.key.link(Purpose::GapFrom, &[self.payment_id.as_bytes(), before.bytes()]).0
    }

    fn is_sealed(&self, gap: &Gap) -> bool {
        self.gap(gap.lines, gap.from, gap.to) == *gap
    }

    /// The link after the gap, if it is one of ours and follows on `before`.
    pub(super) fn across(&self, gap: &Gap, before: Link) -> Option<Link> {
        (self.is_sealed(gap) && self.gap_from(before) == gap.from).then_some(gap.to)
    }
}

/// Every field of an order, in one fixed order; a new field has to be decided about here.
fn order_fields(order: &Order) -> Vec<String> {
    let Order {
        merchant,
        kind,
        order_id,
        money,
        payment_method,
        customer,
        description,
        metadata,
        lane,
        expires_at,
        refund_of,
        idempotency_key,
    } = order;
    let optional = |text: &Option<String>| text.as_ref().map_or_else(String::new, |text| format!("={text}"));
    let (charge, charged_order) = match refund_of {
        None => (String::new(), String::new()),
        Some(RefundOf::Unlinked) => ("unlinked".to_owned(), String::new()),
        Some(RefundOf::Charge { payment_id, order_id, reference: None }) => {
            (payment_id.to_string(), order_id.to_string())
        }
        // An id has no `=`, so that this is the text of no other charge.
        Some(RefundOf::Charge { payment_id, order_id, reference: Some(reference) }) => {
            (format!("{payment_id}={}", reference.as_str()), order_id.to_string())
        }
    };
    let mut fields = vec![
        merchant.to_string(),
        kind.as_str().to_owned(),
        order_id.to_string(),
        money.amount().to_string(),
        money.currency().code().to_owned(),
        optional(payment_method),
        optional(customer),
        optional(description),
        lane.as_str().to_owned(),
        expires_at.map_or_else(String::new, |at| at.ms().to_string()),
        charge,
        charged_order,
        optional(idempotency_key),
    ];
    fields.extend(metadata.iter().flat_map(|(name, value)| [name.clone(), value.clone()]));
    fields
}

/// Begins the chain of a new payment and links the lines that it has.
pub(crate) fn begin(payment: &mut Payment, key: &HistoryKey) {
    let linker = Linker { key, payment_id: payment.id.as_str() };
    let (mut head, beginning) = linker.beginning(payment);
    for entry in &mut payment.history {
        (head, entry.tag) = linker.whole_line(head, entry, |_| {});
    }
    payment.chain = Some(Chain { key: key.id(), beginning, head, gap: None });
}

/// Whether the last line is one that a claim wrote without having read the item, and so could not link. That is the one
/// line that may stand there unlinked; it has to agree with the claim beside it in everything.
pub(super) fn ends_with_a_claim(payment: &Payment) -> bool {
    let claimed = payment.claim.as_ref().is_some_and(|claim| claim.from == State::Queued);
    claimed
        && payment.state == State::Sending
        && payment.history.last().is_some_and(|entry| {
            *entry
                == Entry {
                    at: payment.changed_at,
                    state: State::Sending,
                    reason: Reason::Claimed,
                    attempt: 1,
                    times: 1,
                    provider_text: None,
                    tag: None,
                }
        })
}

/// Links the line of a claim that had not read the item. Every write that has read it does.
pub(crate) fn link_claim(payment: &mut Payment, keys: Option<&HistoryKeys>) {
    if ends_with_a_claim(payment) {
        link_last(payment, keys);
    }
}

/// Appends a line and links it. Without keys it is left for the next write.
pub(crate) fn append_linked(payment: &mut Payment, entry: Entry, keys: Option<&HistoryKeys>) {
    match append(&mut payment.history, entry) {
        Appended::Added { dropped } => {
            if let Some(dropped) = dropped {
                let gap = widened(payment, &dropped, keys);
                if let Some(chain) = &mut payment.chain {
                    chain.gap = gap;
                }
            }
            link_last(payment, keys);
        }
        Appended::Counted => {
            // Only where its first times are linked, the next one can be.
            if payment.history.last().is_some_and(|last| last.tag.is_some()) {
                link_last(payment, keys);
            }
        }
    }
}

/// Links the last line, for the last of its times. A writer that does not hold the payment's key leaves it unlinked.
fn link_last(payment: &mut Payment, keys: Option<&HistoryKeys>) {
    let Payment { id, history, chain, .. } = payment;
    let Some(last) = history.last_mut() else { return };
    last.tag = None;
    let Some(chain) = chain else { return };
    let Some(key) = keys.and_then(|keys| keys.with(chain.key)) else { return };
    let linker = Linker { key, payment_id: id.as_str() };
    let (head, tag) = linker.line(&chain.head, last, last.times);
    chain.head = head;
    last.tag = Some(tag);
}

/// The gap after one more line was dropped into it. One that is not ours stays as it is, and so does one whose lines cannot
/// be followed: what comes after it does not fit then, and is found.
fn widened(payment: &Payment, dropped: &Entry, keys: Option<&HistoryKeys>) -> Option<Gap> {
    let chain = payment.chain.as_ref()?;
    let Some(key) = keys.and_then(|keys| keys.with(chain.key)) else { return chain.gap };
    let linker = Linker::new(key, payment);
    let mut times = 0_u64;
    let mut may_follow = |entry: &Entry| {
        times = times.saturating_add(u64::from(entry.times));
        may_be_followed(payment, entry, times)
    };
    let (lines, from, to) = match chain.gap {
        Some(gap) if linker.is_sealed(&gap) => (gap.lines, gap.from, gap.to),
        Some(gap) => return Some(gap),
        // From the lines, and if one of them was changed, not to where the lines after the gap went on from.
        None => {
            let beginning = linker.beginning(payment).0;
            let kept = payment.history.iter().take(KEPT_AT_THE_BEGINNING);
            if !kept.clone().all(&mut may_follow) {
                return None;
            }
            let before = kept.fold(beginning, |link, entry| linker.whole_line(link, entry, |_| {}).0);
            (0, linker.gap_from(before), before)
        }
    };
    if !may_follow(dropped) {
        return chain.gap;
    }
    let (to, _) = linker.whole_line(to, dropped, |_| {});
    Some(linker.gap(lines.saturating_add(1), from, to))
}
