//! A provider's callback, whatever its contract: whether it is the provider's, and what it says.

use payments::answer::Found;
use payments::id::PaymentId;
use payments::payment::Payment;
use payments::provider::ProviderKind;
use payments::time::Timestamp;

use crate::alipay::notice::{Notice, NoticeKeys};
use crate::http::SettingsError;
use crate::open::callback::{self as open, CallbackKeys};
use crate::stripe::event::{self, Event, EventKeys};

/// A callback as it came.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The header that the contract signs in ([`Known::signature_header`]), if there is one.
    pub signature: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// When.
    pub at: Timestamp,
}

/// Why a callback is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// The header is missing.
    Unsigned,
    /// The header is not one of `t=…,v1=…`, or a form names something twice.
    Unreadable,
    /// No signature in it was made over this body with a key of ours.
    Forged,
    /// Signed too long ago, or too far ahead.
    OutOfTime,
    /// A notice of Alipay's without `sign`, or signed in another way than RSA2.
    NoticeUnsigned,
    /// A notice whose `sign` was not made over its parameters with Alipay's key.
    NoticeForged,
    /// Signed rightly, and about another application or merchant.
    OtherAccount,
}

impl Distrust {
    /// Its name in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Unreadable => "unreadable_signature",
            Self::Forged => "forged",
            Self::OutOfTime => "out_of_time",
            Self::NoticeUnsigned => "notice_unsigned",
            Self::NoticeForged => "notice_forged",
            Self::OtherAccount => "other_account",
        }
    }
}

/// Why a callback settles nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It is not the provider's, or too old.
    Untrusted(Distrust),
    /// It is the provider's, and does not follow the contract.
    Unreadable,
    /// It is the provider's, and about nothing of ours: what the account does besides.
    Foreign,
}

/// In which form a body comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// What a provider wants to be told once its callback is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// A JSON document with the payment's id.
    Document,
    /// This text, and nothing else.
    Text(&'static str),
}

/// What a provider's callbacks are known by.
#[derive(Clone, Debug)]
pub enum Known {
    /// Our own contract's keys.
    Open(CallbackKeys),
    /// Alipay's keys.
    Alipay(NoticeKeys),
    /// Stripe's signing secrets.
    Stripe(EventKeys),
}

impl Known {
    /// Takes the secret in use and, while it is being changed, the one before.
    pub fn new(kind: ProviderKind, current: &str, previous: Option<&str>) -> Result<Self, SettingsError> {
        match kind {
            ProviderKind::Open => Ok(Self::Open(CallbackKeys::new(current, previous))),
            ProviderKind::Alipay => Ok(Self::Alipay(NoticeKeys::new(current, previous)?)),
            ProviderKind::Stripe => Ok(Self::Stripe(EventKeys::new(current, previous)?)),
        }
    }

    /// The form that bodies come in.
    pub const fn body_form(&self) -> BodyForm {
        match self {
            Self::Open(_) | Self::Stripe(_) => BodyForm::Json,
            Self::Alipay(_) => BodyForm::Form,
        }
    }

    /// The header that signatures come in, in lower case.
    pub const fn signature_header(&self) -> &'static str {
        match self {
            Self::Open(_) => open::SIGNATURE_NAME,
            // It signs in its form, and no header is looked at.
            Self::Alipay(_) => open::SIGNATURE_NAME,
            Self::Stripe(_) => event::SIGNATURE,
        }
    }

    /// What is answered once one is taken.
    pub const fn receipt(&self) -> Receipt {
        match self {
            Self::Open(_) | Self::Stripe(_) => Receipt::Document,
            Self::Alipay(_) => Receipt::Text("success"),
        }
    }

    /// Reads a callback, and believes nothing of it before its signature has been verified.
    pub fn read(&self, received: &Received<'_>) -> Result<Callback, NotTaken> {
        match self {
            Self::Open(keys) => {
                keys.verify(received.signature, received.body, received.at).map_err(NotTaken::Untrusted)?;
                open::Callback::read(received.body).map(Callback::Open).ok_or(NotTaken::Unreadable)
            }
            Self::Alipay(keys) => keys.read(received.body).map(Callback::Alipay),
            Self::Stripe(keys) => keys.read(received).map(|event| Callback::Stripe(Box::new(event))),
        }
    }
}

/// What a callback says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callback {
    /// Our own contract's.
    Open(open::Callback),
    /// Alipay's.
    Alipay(Notice),
    /// Stripe's.
    Stripe(Box<Event>),
}

impl Callback {
    /// Whose payment it is about.
    pub const fn payment_id(&self) -> &PaymentId {
        match self {
            Self::Open(callback) => &callback.payment_id,
            Self::Alipay(notice) => &notice.payment_id,
            Self::Stripe(event) => &event.payment_id,
        }
    }

    /// What became of it.
    pub const fn found(&self) -> &Found {
        match self {
            Self::Open(callback) => &callback.found,
            Self::Alipay(notice) => &notice.found,
            Self::Stripe(event) => &event.found,
        }
    }

    /// Whether it speaks of this payment, its amount and its currency. One that does not settles nothing.
    pub fn is_about(&self, payment: &Payment) -> bool {
        match self {
            Self::Open(callback) => callback.is_about(payment),
            Self::Alipay(notice) => notice.is_about(payment),
            Self::Stripe(event) => event.is_about(payment),
        }
    }
}
