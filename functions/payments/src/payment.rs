//! The payment: what was asked, where it stands, and its evidence. The item in the table is this and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::answer::ProviderText;
use crate::case::{Case, CaseResolution};
use crate::chain::Chain;
use crate::entry::Entry;
use crate::fingerprint::Fingerprint;
use crate::id::{ClaimId, MerchantId, Nonce, OrderId, PaymentId};
use crate::money::Money;
use crate::time::Timestamp;

pub use crate::index::{CASE_SHARD, OPEN_SHARDS, PARKED_SHARD, WAITING_SHARDS, case_shard, open_shard, parked_shard};
use crate::key::Link;
pub use crate::state::{Kind, Lane, Reason, State};

/// What a refund gives back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundOf {
    /// A charge of ours, whose refundable amount it reserves.
    Charge {
        /// The charge's id.
        payment_id: PaymentId,
        /// The order that was charged.
        order_id: OrderId,
        /// The provider's own number for the charge, where a refund is asked for by that and not by ours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<ProviderText>,
    },
    /// A charge that is not ours; needs the merchant's permission.
    Unlinked,
}

/// A hold on a payment for one call to the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who may settle.
    pub id: ClaimId,
    /// What the claim took: `queued` is to be sent, everything else is to be queried.
    pub from: State,
    /// From then on anybody may claim it, to query.
    pub lease_until: Timestamp,
}

/// A message that was put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heal {
    /// When.
    pub at: Timestamp,
    /// The dead-lettered message that it replaces; none when a repeated request or the sweep put it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// How often so far.
    pub times: u32,
}

/// What a merchant asked for, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Who asks.
    pub merchant: MerchantId,
    /// What is to happen.
    pub kind: Kind,
    /// The merchant's number for it.
    pub order_id: OrderId,
    /// How much.
    pub money: Money,
    /// The provider's opaque token for the means of payment; never a card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
    /// The merchant's number for the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Few and short.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Which queue.
    pub lane: Lane,
    /// From then on it will never be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// For refunds only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_of: Option<RefundOf>,
    /// The `Idempotency-Key` that the order first came with; [`crate::idempotency`] says what it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

impl Order {
    /// What is kept of it for ever: whose it is, what it is called and how much it was, which a refund, a callback and a
    /// repeated request are judged by. A field that is new has to be decided about here.
    #[must_use]
    pub fn without_details(self) -> Self {
        let Self {
            merchant,
            kind,
            order_id,
            money,
            payment_method: _,
            customer: _,
            description: _,
            metadata: _,
            lane,
            expires_at: _,
            refund_of,
            idempotency_key: _,
        } = self;
        Self {
            merchant,
            kind,
            order_id,
            money,
            payment_method: None,
            customer: None,
            description: None,
            metadata: BTreeMap::new(),
            lane,
            expires_at: None,
            refund_of,
            idempotency_key: None,
        }
    }
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Derived from merchant, kind and order id.
    pub id: PaymentId,
    /// What was asked.
    pub order: Order,
    /// What the request said, hashed.
    pub fingerprint: Fingerprint,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub changed_at: Timestamp,
    /// Counts writes; every write but a new payment's requires the one that it has read.
    pub version: u64,
    /// The last write's own mark.
    pub nonce: Nonce,
    /// Requests that may have been written. Above zero the payment counts as ever sent, which is sticky: an attempt
    /// that was proved refused before its effect is taken off again, one that was proved absent is not.
    pub attempts: u32,
    /// Attempts that it still has.
    pub attempts_left: u32,
    /// Inconclusive answers in a row; sets the next wait.
    pub waits: u32,
    /// The claim, while `sending`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// When the first request that may have been written was claimed: the key window's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_sent_at: Option<Timestamp>,
    /// When the last lease under which a request may have been written ends: the absence bound's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_until: Option<Timestamp>,
    /// Nobody takes it up before this: a backoff, or what the provider asked for by `Retry-After`. A replay ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Whether the provider ever said that it has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub acknowledged: bool,
    /// When the merchant asked to take it back while that could not be done at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_requested_at: Option<Timestamp>,
    /// When it was put in front of a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parked_at: Option<Timestamp>,
    /// The restore since which nothing has been decided about it: when the consumers were off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered_at: Option<Timestamp>,
    /// The last time its message was put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heal: Option<Heal>,
    /// The provider's reference when done, its code when declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_text: Option<ProviderText>,
    /// What is to be decided because the provider did what had ended otherwise here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<Case>,
    /// Minor units of a charge that no refund holds: what was charged, less each refund that may be done, was done, or
    /// was done late. Below zero where a late one finds too little left: refunds have given back more than was charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refundable: Option<i64>,
    /// The open index's key, while there is something to do; `parked` and `case` for what people have to look at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_shard: Option<String>,
    /// From when on its details may be forgotten; only ended payments without an open case have it, until that is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forget_at: Option<Timestamp>,
    /// When they were forgotten, last. The payment stands as it ended, without what [`Order::without_details`] leaves out,
    /// and its history is the short one of [`crate::transition::Event::Forget`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forgotten_at: Option<Timestamp>,
    /// How it came here.
    pub history: Vec<Entry>,
    /// What holds the history together; none in items older than chains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
}

impl Payment {
    /// The head of the history, if it has a chain.
    pub fn history_head(&self) -> Option<Link> {
        self.chain.as_ref().map(|chain| chain.head)
    }

    /// Whether a request may ever have been written and was not proved refused before its effect, or the provider said
    /// that it has it, however it came by it.
    pub const fn ever_sent(&self) -> bool {
        self.attempts > 0 || self.acknowledged
    }

    /// Whether a person has to decide about a late success.
    pub fn has_open_case(&self) -> bool {
        self.case.as_ref().is_some_and(Case::is_open)
    }

    /// Whether the provider has the money, so that refunds can be reserved against it: it succeeded, or it did so late.
    pub fn has_moved_money(&self) -> bool {
        self.state == State::Succeeded || self.case.is_some()
    }

    /// The provider's own number for what moved money.
    pub fn reference(&self) -> Option<&ProviderText> {
        match (&self.case, self.state) {
            (Some(case), _) => Some(&case.reference),
            (None, State::Succeeded) => self.provider_text.as_ref(),
            (
                None,
                State::Queued
                | State::Sending
                | State::Pending
                | State::Unknown
                | State::Parked
                | State::Declined
                | State::Canceled
                | State::Expired,
            ) => None,
        }
    }

    /// Whether a person has closed its case with the word that the money went back outside of Sluice.
    pub fn was_refunded_elsewhere(&self) -> bool {
        self.case.as_ref().is_some_and(|case| case.resolution == Some(CaseResolution::RefundElsewhere))
    }

    /// What refunds may still take of a charge, in minor units; none of what has moved no money.
    pub fn refundable_amount(&self) -> Option<u64> {
        let left = self.refundable.filter(|_| self.has_moved_money())?;
        Some(if self.was_refunded_elsewhere() { 0 } else { u64::try_from(left).unwrap_or(0) })
    }

    /// Whether its details were forgotten.
    pub const fn is_forgotten(&self) -> bool {
        self.forgotten_at.is_some()
    }

    /// Whether `expires_at` is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.order.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}
