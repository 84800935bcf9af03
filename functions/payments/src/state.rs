//! What may be said of a payment in one word: what is to happen, where it waits, where it stands and why.

use serde::{Deserialize, Serialize};

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
