//! The asynchronous notice ("异步通知"): a form with a signature, answered with the text `success`. What is not answered so is
//! sent again for 25 hours. A notice has no time limit: what it says was true, and a second copy changes nothing.

use std::collections::BTreeMap;

use payments::answer::Found;
use payments::id::PaymentId;
use payments::payment::{Kind, Payment};

use super::answer::of_status;
use super::secret::{Notified, SecretError};
use super::{CURRENCY, signed, text};
use crate::callback::{Distrust, NotTaken};

/// What notices are believed by: the key in use and, while it is being changed, the one before.
#[derive(Clone, Debug)]
pub struct NoticeKeys(Vec<Notified>);

/// What a notice says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whose payment it is about. A refund's notice is about the trade that it is of, which was paid.
    pub payment_id: PaymentId,
    /// What became of it.
    pub found: Found,
    fen: u64,
}

impl NoticeKeys {
    /// Reads the secrets.
    pub fn new(current: &str, previous: Option<&str>) -> Result<Self, SecretError> {
        std::iter::once(current).chain(previous).map(Notified::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Reads a notice, and believes nothing of it before its signature has been verified over what was sent.
    pub fn read(&self, body: &[u8]) -> Result<Notice, NotTaken> {
        let mut form = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            if form.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(NotTaken::Untrusted(Distrust::Unreadable));
            }
        }
        let sign = form.remove("sign").ok_or(NotTaken::Untrusted(Distrust::NoticeUnsigned))?;
        if form.remove("sign_type").as_deref() != Some("RSA2") {
            return Err(NotTaken::Untrusted(Distrust::NoticeUnsigned));
        }
        let content = signed::content(form.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let by: Vec<&Notified> =
            self.0.iter().filter(|known| known.alipay_public_key.verifies(content.as_bytes(), &sign)).collect();
        if by.is_empty() {
            return Err(NotTaken::Untrusted(Distrust::NoticeForged));
        }
        let given = |name: &str| form.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let is_of = |known: &&Notified| {
            given("app_id") == Some(known.app_id.as_str()) && given("seller_id") == Some(known.seller_id.as_str())
        };
        if !by.iter().any(is_of) {
            return Err(NotTaken::Untrusted(Distrust::OtherAccount));
        }
        read(given).ok_or(NotTaken::Unreadable)
    }
}

fn read<'a>(given: impl Fn(&str) -> Option<&'a str>) -> Option<Notice> {
    let was_paid = ["gmt_payment", "gmt_refund", "refund_fee"].into_iter().any(|name| given(name).is_some());
    let reference = given("trade_no").map(payments::answer::ProviderText::new);
    Some(Notice {
        payment_id: PaymentId::new(given("out_trade_no")?).ok()?,
        found: of_status(given("trade_status")?, was_paid, reference)?,
        fen: text::fen(given("total_amount")?)?,
    })
}

impl Notice {
    /// Whether it speaks of this payment and its amount. One that does not settles nothing.
    pub fn is_about(&self, payment: &Payment) -> bool {
        let money = payment.order.money;
        payment.id == self.payment_id
            && payment.order.kind == Kind::Charge
            && money.amount() == self.fen
            && money.currency().code() == CURRENCY
    }
}
