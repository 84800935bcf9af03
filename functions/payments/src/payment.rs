//! The payment: what was asked, where it stands, and its evidence. The item in the table is this and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::answer::ProviderText;
use crate::case::{Case, CaseResolution};
use crate::fingerprint::Fingerprint;
use crate::history::{self, Chain, Entry, Link};
use crate::id::{ClaimId, MerchantId, Nonce, OrderId, PaymentId};
use crate::index::Shard;
use crate::money::Money;
use crate::time::Timestamp;
use crate::transition::Moment;

/// Shards of the index of open payments. A partition of an index takes 1,000 write units a second ("DynamoDB burst and
/// adaptive capacity"), and shards fall onto partitions by chance: 105,000 units a second need 2,048 of them, so that none
/// gets more (`infra/plan`). Readers go through all of them, those of every smaller number among them; a smaller
/// number would hide payments (decision 0027).
pub const OPEN_SHARDS: u32 = 2_048;

/// Shards of what waits for people, of each kind: a provider that fails for good parks what it was sent, at its rate, and
/// 16 partitions take three times the 5,000 a second that a stack is planned for.
pub const WAITING_SHARDS: u32 = 16;

/// How the index keys begin under which parked payments stand, and the one key of before there were shards.
pub const PARKED_SHARD: &str = "parked";

/// The same of payments with an open case.
pub const CASE_SHARD: &str = "case";

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, in the order of its declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in the API, the table and the logs.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Reads the name.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

named! {
    /// What is to happen with the money.
    Kind {
        /// From the customer to the merchant.
        Charge = "charge",
        /// Back to the customer.
        Refund = "refund",
        /// From the merchant to somebody.
        Payout = "payout",
    }
}

named! {
    /// Which queue a payment waits in.
    Lane {
        /// Before the others; needs the merchant's permission.
        High = "high",
        /// The ordinary one.
        Standard = "standard",
    }
}

named! {
    /// Where a payment stands.
    State {
        /// Waiting to be sent.
        Queued = "queued",
        /// Somebody holds a claim on it and may be talking to the provider.
        Sending = "sending",
        /// The provider has it and will answer later.
        Pending = "pending",
        /// A request may have had an effect; only a query or a callback can tell.
        Unknown = "unknown",
        /// In front of a person.
        Parked = "parked",
        /// Ended: the provider did it.
        Succeeded = "succeeded",
        /// Ended: the provider refused it for good.
        Declined = "declined",
        /// Ended: the merchant took it back before it was ever done.
        Canceled = "canceled",
        /// Ended: its time was over before it was ever done.
        Expired = "expired",
    }
}

impl State {
    /// Whether this is an end, which is for ever.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Declined | Self::Canceled | Self::Expired => true,
            Self::Queued | Self::Sending | Self::Pending | Self::Unknown | Self::Parked => false,
        }
    }
}

named! {
    /// Why a payment stands where it does.
    Reason {
        /// Taken from the merchant.
        Accepted = "accepted",
        /// Claimed by a consumer to be sent.
        Claimed = "claimed",
        /// The provider did it.
        Approved = "approved",
        /// The provider refused it.
        DeclinedByProvider = "declined_by_provider",
        /// The provider has it and answers later.
        PendingAtProvider = "pending_at_provider",
        /// No answer in time.
        TimedOut = "timed_out",
        /// The connection broke before the answer.
        ConnectionLost = "connection_lost",
        /// The provider answered with a 5xx.
        ProviderError = "provider_error",
        /// The provider is busy with this key.
        ConflictAtProvider = "conflict_at_provider",
        /// The answer does not follow the contract.
        UnreadableAnswer = "unreadable_answer",
        /// A refusal after an earlier attempt that may have had an effect: a query has to agree.
        NegativeAfterUnknown = "negative_after_unknown",
        /// Whoever claimed it did not settle before the lease ended.
        LeaseEnded = "lease_ended",
        /// The provider asked us to slow down.
        RateLimited = "rate_limited",
        /// The provider could not be reached; nothing was written.
        ConnectFailed = "connect_failed",
        /// The provider refused our credentials.
        CredentialsRefused = "credentials_refused",
        /// Claimed, but the request was not written.
        NotWritten = "not_written",
        /// The provider does not know it; too early to believe that.
        NotFoundYet = "not_found_yet",
        /// The provider does not know it, and after its stated bound that proves absence.
        ProvedAbsent = "proved_absent",
        /// The provider said that it has it, and later that it does not.
        VanishedAtProvider = "vanished_at_provider",
        /// The provider may have forgotten the idempotency key: sending again might charge again.
        KeyWindowOver = "key_window_over",
        /// Every attempt that it had was used.
        AttemptsUsedUp = "attempts_used_up",
        /// Taken back by the merchant.
        CanceledByMerchant = "canceled_by_merchant",
        /// `expires_at` is over.
        ExpiryOver = "expiry_over",
        /// Put back by a person.
        Replayed = "replayed",
        /// Its message was put back in its queue.
        Healed = "healed",
        /// Settled by the provider's callback.
        CalledBack = "called_back",
        /// Settled by a person with evidence.
        ResolvedByOperator = "resolved_by_operator",
        /// The provider says that it did it, after it had ended otherwise here: a case for a person.
        LateSuccess = "late_success",
        /// Somebody sees to the case.
        CaseTaken = "case_taken",
        /// The case is closed: the money goes back, by a refund of the order.
        CaseRefunded = "case_refunded",
        /// The case is closed: the money went back outside of Sluice.
        CaseRefundedElsewhere = "case_refunded_elsewhere",
        /// The case is closed: the money stays.
        CaseAccepted = "case_accepted",
        /// Pending or unknown for so long that only a person can help.
        Overdue = "overdue",
        /// The table was restored to an earlier moment; what it says of it is old.
        Restored = "restored",
        /// New here since a restore, and perhaps made before: the provider is asked first.
        MayHaveBeenMade = "may_have_been_made",
        /// The provider does not have it, and a restore lost what the merchant was told since.
        AbsentAfterRestore = "absent_after_restore",
        /// Its details were forgotten; the end stands.
        Forgotten = "forgotten",
    }
}

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
    /// A payment that is accepted at this moment.
    pub fn accepted(order: Order, fingerprint: Fingerprint, moment: &Moment<'_>) -> Self {
        let now = moment.now;
        let id = PaymentId::derive(&order.merchant, order.kind, &order.order_id);
        let refundable = match order.kind {
            Kind::Charge => Some(order.money.signed_amount()),
            Kind::Refund | Kind::Payout => None,
        };
        let mut payment = Self {
            open_shard: Some(open_shard(&id)),
            id,
            order,
            fingerprint,
            created_at: now,
            state: State::Queued,
            reason: Reason::Accepted,
            changed_at: now,
            version: 1,
            nonce: moment.nonce.clone(),
            attempts: 0,
            attempts_left: moment.policy.max_attempts,
            waits: 0,
            claim: None,
            first_sent_at: None,
            written_until: None,
            due_at: None,
            acknowledged: false,
            cancel_requested_at: None,
            parked_at: None,
            recovered_at: None,
            heal: None,
            provider_text: None,
            case: None,
            refundable,
            forget_at: None,
            forgotten_at: None,
            history: vec![Entry {
                at: now,
                state: State::Queued,
                reason: Reason::Accepted,
                attempt: 0,
                times: 1,
                provider_text: None,
                tag: None,
            }],
            chain: None,
        };
        if let Some(keys) = moment.history_keys {
            history::begin(&mut payment, keys.current());
        }
        payment
    }

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

/// The open index's key of a payment.
pub fn open_shard(id: &PaymentId) -> String {
    id.shard(OPEN_SHARDS).to_string()
}

/// The key of a parked payment in the index.
pub fn parked_shard(id: &PaymentId) -> String {
    Shard::Parked(Some(id.shard(WAITING_SHARDS))).key()
}

/// The key of a payment with an open case in the index.
pub fn case_shard(id: &PaymentId) -> String {
    Shard::Case(Some(id.shard(WAITING_SHARDS))).key()
}
