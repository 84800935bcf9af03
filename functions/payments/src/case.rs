//! A case: the provider did what had ended otherwise here. The end stays as it is; the money has moved all the same, and
//! a person has to say what becomes of it.

use serde::{Deserialize, Serialize};

use crate::answer::ProviderText;
use crate::evidence::Operator;
use crate::state::Reason;
use crate::time::Timestamp;

/// A late success, kept in its payment's item from the write that notices it for ever. While it is open the item stands
/// in the index under [`crate::payment::case_shard`] and nothing of it is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// When the provider said so.
    pub opened_at: Timestamp,
    /// The provider's own number for what it did.
    pub reference: ProviderText,
    /// Who sees to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Operator>,
    /// What became of the money; none while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<CaseResolution>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
}

impl Case {
    /// Whether somebody still has to decide.
    pub const fn is_open(&self) -> bool {
        self.resolution.is_none()
    }
}

/// What became of the money of a late success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseResolution {
    /// It goes back by a refund of the order, which takes its amount from what may still be refunded.
    Refund,
    /// It went back outside of Sluice, such as in the provider's own console: nothing of it is left to refund here.
    RefundElsewhere,
    /// It stays: the merchant delivers after all.
    Accept,
}

impl CaseResolution {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::RefundElsewhere => "refund_elsewhere",
            Self::Accept => "accept",
        }
    }

    /// What the history says of it.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Refund => Reason::CaseRefunded,
            Self::RefundElsewhere => Reason::CaseRefundedElsewhere,
            Self::Accept => Reason::CaseAccepted,
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Refund, Self::RefundElsewhere, Self::Accept].into_iter().find(|resolution| resolution.as_str() == text)
    }
}
