//! The payment's item as the model keeps it: all that any decision depends on, with times counted from now.
//!
//! What is left out loses nothing:
//! - `version` and `nonce` only say whether somebody wrote in between. Whoever has read the item carries a flag that says
//!   the same, and each decision is held to raising the version by one under a nonce of its own.
//! - `history`, `reason`, `due_at`, `waits`, `provider_text`, `open_shard`, `forget_at` and `refundable`
//!   are written for people, for the index and for when to look again. No decision modelled here reads them; a message may
//!   come at any time, so also at the one that `due_at` asks for. (A full history sends the fast claim to the slow one,
//!   which is explored anyway.)
//! - A time that is so long ago that no comparison can tell it from an earlier one stays where it is.
//! - `changed_at` is read only of a claim to query that its holder still settles under.
//! - A claim's id only has to be told from another's: it is named by the consumer that holds it, or nobody.

use payments::answer::ProviderText;
use payments::case::Case;
use payments::id::ClaimId;
use payments::payment::{Claim, Heal, Payment, State};
use payments::time::Timestamp;
use payments::transition::HEAL_PAUSE_MS;

use crate::bounds::TICK_MS;

/// Now, by the true clock, in every state: time passes by moving everything else back.
pub(crate) const NOW_MS: u64 = 1_764_000_000_000;

/// Ticks from now; what is past is negative.
pub(crate) type Ticks = i8;

/// The time that lies so many ticks from now.
pub(crate) fn at(ticks: Ticks) -> Timestamp {
    let tick_ms = i64::try_from(TICK_MS).expect("a tick is short");
    Timestamp::from_ms(NOW_MS.saturating_add_signed(i64::from(ticks) * tick_ms))
}

fn ticks(at: Timestamp) -> Ticks {
    let tick_ms = i128::from(TICK_MS);
    let apart_ms = i128::from(at.ms()) - i128::from(NOW_MS);
    assert!(apart_ms % tick_ms == 0, "{apart_ms} ms from now is no whole number of ticks");
    Ticks::try_from(apart_ms / tick_ms).expect("a model's times are near")
}

/// Who holds a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// This consumer.
    Consumer(u8),
    /// Somebody who has died or moved on.
    Nobody,
}

impl Holder {
    pub(crate) fn id(self) -> ClaimId {
        ClaimId::from_bits(match self {
            Self::Consumer(consumer) => u128::from(consumer),
            Self::Nobody => 99,
        })
    }

    fn of(id: &ClaimId) -> Self {
        let all = [Self::Consumer(0), Self::Consumer(1), Self::Nobody];
        all.into_iter().find(|holder| holder.id() == *id).expect("a claim of this model")
    }
}

/// A message's id: the place where it is kept, while there is such a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MessageId {
    /// The message that is kept here.
    At(u8),
    /// One that is gone, but is still in the hands of `dead_letter`.
    InHand,
    /// One that is gone for good.
    Gone,
    /// While two messages change places.
    Moving,
}

impl MessageId {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::At(0) => "message-0",
            Self::At(1) => "message-1",
            Self::At(_) => "message-2",
            Self::InHand => "message-in-hand",
            Self::Gone | Self::Moving => "message-gone",
        }
    }

    fn of(text: &str) -> Self {
        let all = [Self::At(0), Self::At(1), Self::At(2), Self::InHand, Self::Gone];
        all.into_iter().find(|id| id.text() == text).expect("a message of this model")
    }
}

/// A claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    /// Whose.
    pub(crate) holder: Holder,
    /// What it took.
    pub(crate) from: State,
    /// When it ends.
    pub(crate) lease: Ticks,
    /// When it was taken: `changed_at` while somebody is there to settle a query under it, else 0.
    pub(crate) claimed: Ticks,
}

/// The last time that a message was put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Healed {
    /// Whether that was in this tick, so within the pause of two minutes.
    pub(crate) just_now: bool,
    /// Which message it replaced, if any.
    pub(crate) replaced: Option<MessageId>,
    /// How often so far; no more than the bound, from which on nothing tells them apart.
    pub(crate) times: u8,
}

/// The item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    /// Where it stands.
    pub(crate) state: State,
    /// Requests that may have been written.
    pub(crate) attempts: u8,
    /// Attempts that it still has.
    pub(crate) attempts_left: u8,
    /// The claim.
    pub(crate) claim: Option<Held>,
    /// The key window's start.
    pub(crate) first_sent: Option<Ticks>,
    /// The absence bound's start.
    pub(crate) written_until: Option<Ticks>,
    /// Whether the provider ever said that it has it.
    pub(crate) acknowledged: bool,
    /// Whether the merchant asked to take it back.
    pub(crate) cancel_requested: bool,
    /// The last time that its message was put back.
    pub(crate) heal: Option<Healed>,
    /// Whether a case is open.
    pub(crate) late_success: bool,
}

impl Item {
    /// An ended payment, without what no decision about it depends on.
    pub(crate) const fn ended(state: State) -> Self {
        Self {
            state,
            attempts: 0,
            attempts_left: 0,
            claim: None,
            first_sent: None,
            written_until: None,
            acknowledged: false,
            cancel_requested: false,
            heal: None,
            late_success: false,
        }
    }

    /// The payment of which this is the short form; `template` has what never changes.
    pub(crate) fn payment(&self, template: &Payment, expires: Option<Ticks>) -> Payment {
        let mut payment = template.clone();
        payment.order.expires_at = expires.map(at);
        payment.state = self.state;
        payment.changed_at = at(self.claim.map_or(0, |claim| claim.claimed));
        payment.attempts = u32::from(self.attempts);
        payment.attempts_left = u32::from(self.attempts_left);
        payment.claim = self.claim.map(|Held { holder, from, lease, claimed: _ }| Claim {
            id: holder.id(),
            from,
            lease_until: at(lease),
        });
        payment.first_sent_at = self.first_sent.map(at);
        payment.written_until = self.written_until.map(at);
        payment.acknowledged = self.acknowledged;
        payment.cancel_requested_at = self.cancel_requested.then(|| at(0));
        // Whether a message was sent after that is kept with the message.
        payment.parked_at = (self.state == State::Parked).then(|| at(0));
        payment.heal = self.heal.map(|Healed { just_now, replaced, times }| Heal {
            at: if just_now { at(0) } else { at(0).minus_ms(HEAL_PAUSE_MS) },
            message_id: replaced.map(|id| id.text().to_owned()),
            times: u32::from(times),
        });
        payment.case = self.late_success.then(|| Case {
            opened_at: at(0),
            reference: ProviderText::new("reference"),
            owner: None,
            resolution: None,
            closed_at: None,
        });
        payment
    }

    /// The short form of a payment that was decided on now. What is not taken over is named, so that a new attribute does
    /// not compile until somebody has said which it is.
    pub(crate) fn of(payment: Payment, heals: u8) -> Self {
        let Payment {
            id: _,
            order: _,
            fingerprint: _,
            created_at: _,
            state,
            reason: _,
            changed_at,
            version: _,
            nonce: _,
            attempts,
            attempts_left,
            waits: _,
            claim,
            first_sent_at,
            written_until,
            due_at: _,
            acknowledged,
            cancel_requested_at,
            parked_at,
            recovered_at,
            heal,
            provider_text: _,
            case,
            refundable: _,
            open_shard: _,
            forget_at: _,
            forgotten_at,
            history: _,
            chain: _,
        } = payment;
        assert_eq!(parked_at.is_some(), state == State::Parked, "parked_at says when it was parked");
        assert_eq!(recovered_at, None, "no restore is modelled: the simulator plays it");
        assert_eq!(forgotten_at, None, "no retention is modelled: the simulator plays it");
        let small = |count: u32| u8::try_from(count).expect("a model counts little");
        Self {
            state,
            attempts: small(attempts),
            attempts_left: small(attempts_left),
            claim: claim.map(|claim| Held {
                holder: Holder::of(&claim.id),
                from: claim.from,
                lease: ticks(claim.lease_until),
                claimed: ticks(changed_at),
            }),
            first_sent: first_sent_at.map(ticks),
            written_until: written_until.map(ticks),
            acknowledged,
            cancel_requested: cancel_requested_at.is_some(),
            heal: heal.map(|heal| Healed {
                just_now: heal.at == at(0),
                replaced: heal.message_id.as_deref().map(MessageId::of),
                times: small(heal.times).min(heals.max(1)),
            }),
            late_success: case.is_some(),
        }
    }
}
