//! Payments as they occur: orders of the sample file, and one in every state with all that the state implies.

use std::sync::atomic::{AtomicU64, Ordering};

use pacing::admission::{Backlog, Depth, Gathered};
use payments::answer::ProviderText;
use payments::backoff::Dice;
use payments::fingerprint::Fingerprint;
use payments::history::{HistoryKey, HistoryKeys};
use payments::id::{ClaimId, MerchantId, Nonce, OrderId, PaymentId};
use payments::message::Message;
use payments::money::{Currency, Money};
use payments::payment::{Kind, Lane, Order, Payment, RefundOf, State};
use payments::policy::Policy;
use payments::time::Timestamp;
use payments::transition::{Event, Moment, Step, transition};
use payments::write::SendClaim;
use ports::{Clock, Entropy};

/// When the cases take place.
pub const NOW: Timestamp = Timestamp::from_ms(1_764_000_000_000);

/// The provider's numbers, as a provider might state them.
pub fn policy() -> Policy {
    Policy {
        connect_timeout_ms: 2_000,
        call_timeout_ms: 10_000,
        claim_lead_ms: 200,
        settle_allowance_ms: 3_000,
        absence_bound_ms: 900_000,
        key_window_ms: 86_400_000,
        clock_skew_ms: 600_000,
        max_attempts: 5,
        backoff_base_ms: 1_000,
        backoff_cap_ms: 60_000,
        pending_backoff_base_ms: 5_000,
        pending_backoff_cap_ms: 900_000,
        max_heals: 20,
        missing_item_grace_ms: 600_000,
        newer_version_grace_ms: 3_600_000,
        retention_ms: 34_560_000_000,
        overdue_after_ms: 3_600_000,
        park_overdue_after_ms: 86_400_000,
        history_keys: history_keys(),
    }
}

/// What the cases' histories are linked under.
pub fn history_keys() -> HistoryKeys {
    HistoryKeys::one(HistoryKey::of(b"0123456789abcdef0123456789abcdef"))
}

/// What a decision at a time depends on.
pub fn moment(policy: &Policy, now: Timestamp) -> Moment<'_> {
    Moment { now, nonce: nonce(), dice: Dice(drawn()), policy, history_keys: Some(&policy.history_keys) }
}

/// A clock that stands at [`NOW`].
#[derive(Debug)]
pub struct Stopped;

impl Clock for Stopped {
    fn now_us(&self) -> u64 {
        NOW.us()
    }
}

/// Dice that never fall the same way twice.
#[derive(Debug)]
pub struct Counting;

static DRAWN: AtomicU64 = AtomicU64::new(1);

/// The next number that nobody has drawn yet.
pub fn drawn() -> u64 {
    DRAWN.fetch_add(1, Ordering::Relaxed)
}

impl Entropy for Counting {
    fn bits(&self) -> u128 {
        u128::from(drawn())
    }
}

/// A nonce of its own.
pub fn nonce() -> Nonce {
    Nonce::from_bits(u128::from(drawn()))
}

/// The merchant of most cases: the first line's of the sample file.
pub fn merchant() -> MerchantId {
    MerchantId::new("united-kingdom").unwrap()
}

/// An amount in pounds, in pence.
pub fn pounds(pence: u64) -> Money {
    Money::new(pence, Currency::new("GBP").unwrap()).unwrap()
}

/// An order of its own, like those of the sample file.
pub fn order() -> Order {
    Order {
        merchant: merchant(),
        kind: Kind::Charge,
        order_id: OrderId::new(format!("{}", 536_365 + drawn())).unwrap(),
        money: pounds(13_912),
        payment_method: Some("pm_1OqR3k2eZvKYlo2CqTzGk0Xu".to_owned()),
        customer: Some("17850".to_owned()),
        description: None,
        metadata: std::collections::BTreeMap::default(),
        lane: Lane::Standard,
        expires_at: None,
        refund_of: None,
        idempotency_key: None,
    }
}

/// An order with every field that it can have.
pub fn full_order() -> Order {
    Order {
        description: Some("Weiße Herz-Laterne, 6 Stück".to_owned()),
        metadata: [("basket".to_owned(), "b-17".to_owned()), ("channel".to_owned(), String::new())].into(),
        lane: Lane::High,
        expires_at: Some(NOW.plus_ms(3_600_000)),
        idempotency_key: Some("0d5e9a3c-7f0e-4a58-9a53-1f6f3a2b9c11".to_owned()),
        ..order()
    }
}

/// A payment that was just accepted.
pub fn accepted(order: Order) -> Payment {
    let amount = order.money.to_string();
    let fingerprint = Fingerprint::of([("order_id", order.order_id.as_str()), ("money", &amount)]);
    Payment::accepted(order, fingerprint, &moment(&policy(), NOW))
}

/// What the transition function makes of a payment.
pub fn step(payment: &Payment, event: &Event<'_>, now: Timestamp) -> Payment {
    let policy = policy();
    match transition(payment, event, &moment(&policy, now)) {
        Step::Change(after) => *after,
        Step::Keep(kept) => panic!("{event:?} changes nothing: {kept:?}"),
    }
}

/// A reference such as providers give.
pub fn reference() -> ProviderText {
    ProviderText::new("ch_3OqR3k2eZvKYlo2C1gvlsAVN")
}

/// A claim of a payment, under a lease of fifteen seconds.
pub fn claim_of(payment: &Payment) -> SendClaim {
    SendClaim {
        payment_id: payment.id.clone(),
        merchant: payment.order.merchant.clone(),
        claim: ClaimId::from_bits(u128::from(drawn())),
        lease_until: NOW.plus_ms(15_000),
        now: NOW,
        first_sent_after: NOW.minus_ms(policy().sure_key_window_ms()),
        nonce: nonce(),
    }
}

/// A payment that has just been claimed.
pub fn sending(order: Order) -> Payment {
    let payment = accepted(order);
    claim_of(&payment).apply(&payment, &policy()).expect("a new payment can be claimed")
}

/// The payment's own claim, to settle under.
pub fn held(payment: &Payment) -> ClaimId {
    payment.claim.as_ref().expect("it is claimed").id.clone()
}

/// A payment in a state, as it gets there.
pub fn in_state(state: State) -> Payment {
    in_state_of(state, &full_order())
}

/// The payment of an order in a state, as it gets there.
pub fn in_state_of(state: State, order: &Order) -> Payment {
    use payments::answer::{Found, SendAnswer, Unclear};
    let answered = |answer: &SendAnswer| {
        let payment = sending(order.clone());
        let claim = held(&payment);
        step(&payment, &Event::SendAnswered { claim: &claim, answer }, NOW.plus_ms(400))
    };
    match state {
        State::Queued => accepted(order.clone()),
        State::Sending => sending(order.clone()),
        State::Pending => answered(&SendAnswer::Found(Found::Accepted { reference: Some(reference()) })),
        State::Unknown => answered(&SendAnswer::Unclear(Unclear::TimedOut)),
        State::Succeeded => answered(&SendAnswer::Found(Found::Approved { reference: reference() })),
        State::Declined => answered(&SendAnswer::Found(Found::Declined { code: ProviderText::new("card_declined") })),
        State::Canceled => step(&accepted(order.clone()), &Event::Cancel, NOW),
        State::Expired => step(&accepted(order.clone()), &Event::Expire, NOW.plus_ms(7_200_000)),
        State::Parked => {
            let mut payment = accepted(order.clone());
            payment.attempts_left = 0;
            step(&payment, &Event::DeadLettered, NOW)
        }
    }
}

/// A charge that succeeded with so many pence, and can be refunded.
pub fn charged(pence: u64) -> Payment {
    let payment = sending(Order { money: pounds(pence), ..order() });
    let claim = held(&payment);
    let answer = payments::answer::SendAnswer::Found(payments::answer::Found::Approved { reference: reference() });
    step(&payment, &Event::SendAnswered { claim: &claim, answer: &answer }, NOW)
}

/// A refund of so many pence of a charge.
pub fn refund(charge: &Payment, pence: u64) -> Payment {
    accepted(Order {
        merchant: charge.order.merchant.clone(),
        kind: Kind::Refund,
        order_id: OrderId::new(format!("C{}", 536_365 + drawn())).unwrap(),
        money: Money::new(pence, charge.order.money.currency()).unwrap(),
        refund_of: Some(RefundOf::Charge {
            payment_id: charge.id.clone(),
            order_id: charge.order.order_id.clone(),
            reference: None,
        }),
        ..order()
    })
}

/// A message for a payment of its own.
pub fn message() -> Message {
    let order = order();
    let id = PaymentId::derive(&order.merchant, order.kind, &order.order_id);
    Message::new(id, order.merchant, NOW)
}

/// What the lanes held when somebody measured for the first time, with nothing under way.
pub(crate) fn backlog(at: Timestamp, high: u64, standard: u64) -> Backlog {
    let waiting = |waiting| Depth { waiting, in_flight: 0 };
    Gathered::default().measured(at, waiting(high), waiting(standard))
}
