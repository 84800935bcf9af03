//! Stripe, the API v1: PaymentIntents off session, confirmed at once, and refunds. The pages are those of docs.stripe.com under
//! the names given here.
//!
//! - `PROVIDER_URL` is `https://api.stripe.com`;
//! - `PROVIDER_KEY` is a JSON object of texts: `secret_key` and, for a connected account, `account`; `CALLBACK_KEY` is
//!   another: `signing_secret`;
//! - our id is the `Idempotency-Key` (255 characters at most, "Idempotent requests") and stands in the metadata of the intent
//!   or refund, under [`PAYMENT_ID`];
//! - `payment_method` is Stripe's (`pm_…`, `card_…` or `src_…`), and `customer` is the customer that it was saved for
//!   (`cus_…`), by whom an intent is found again whose own id was lost.
//!
//! Its numbers:
//! - **key window**: 24 hours. "You can remove keys from the system automatically after they're at least 24 hours old"; a key
//!   that was used again later is a new request ("Idempotent requests");
//! - **absence bound**: no page states one. It has to be above the longest answer; within the key window, sending again what is
//!   still under way there is answered 409 and moves nothing;
//! - **longest answer**: no page states one. Stripe's own libraries wait 80 s (`stripe-python`, "Configuring an HTTP client");
//! - **rate**: 100 requests a second for an account and 25 for one endpoint, both 25 in a sandbox ("Rate limits"). Charges and
//!   refunds are one endpoint each, and what asks about either is another one, so that 25 is what surely holds;
//! - **callback**: signed times are believed for five minutes ("Receive Stripe events in your webhook endpoint"), the
//!   tolerance of Stripe's own libraries; what is not answered 2xx comes again for three days;
//! - **settlement file**: the report `balance_change_from_activity.itemized` of the Reporting API, CSV ("Report types");
//! - **"not found"**: a list says what stands at once ("Search objects": lists are not subject to the delay that a search
//!   is). Once the bound is over, that none of the customer's intents, or the charge's refunds, bears our id proves that no
//!   request of ours was taken. A search proves nothing: it may be an hour behind.
//!
//! `infra/decisions/0032-stripe-is-asked-by-lists.md` says why.

pub mod amount;
pub mod answer;
pub mod event;
pub mod order;
pub mod secret;

use std::fmt;

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use ::http::{HeaderValue, Method};
use bytes::Bytes;
use payments::answer::{QueryAnswer, SendAnswer};
use payments::id::PaymentId;
use payments::payment::Order;
use payments::provider::ProviderKind;
use ports::Trace;

use self::order::Asked;
use self::secret::Account;
use crate::contract::{Numbers, Reply, Stated, Written};
use crate::open::contract::IDEMPOTENCY_KEY;
use crate::secret::SecretError;

/// The name in the metadata under which our id stands.
pub const PAYMENT_ID: &str = "sluice_payment_id";
/// What every name of ours in the metadata begins with.
pub const OURS: &str = "sluice_";
/// The version of the API that this was written from. It is stated in each request, so that what an account is set to does not
/// change what an answer means.
pub const API_VERSION: &str = "2025-03-31.basil";

const STRIPE_VERSION: HeaderName = HeaderName::from_static("stripe-version");
const STRIPE_ACCOUNT: HeaderName = HeaderName::from_static("stripe-account");

/// What the documents state.
pub const NUMBERS: Numbers = Numbers {
    key_window: match ProviderKind::Stripe.key_window_ms() {
        Some(ms) => Stated::Ms(ms),
        None => Stated::Ask,
    },
    absence_bound: Stated::Ask,
    longest_answer: Stated::Ask,
    rate_per_second: Some(25),
    callback_tolerance: Stated::Ms(5 * 60 * 1_000),
    settlement_file: "the report `balance_change_from_activity.itemized`, CSV",
    not_found_proves: "once the agreed bound is over, that no request of ours was taken: lists say what stands at once. A \
                       search is not asked: it may be an hour behind, and proves nothing",
};

/// Whether a text is one or more letters, digits and `_`, as the part of an id that follows its prefix is.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The contract for one account.
pub struct Stripe {
    /// The headers of every request; the one with the key is marked as sensitive.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The root's path, without a slash at its end.
    root: String,
}

impl fmt::Debug for Stripe {
    /// Nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe").finish_non_exhaustive()
    }
}

impl Stripe {
    /// The contract under the path `root`, under what the secret holds.
    pub fn new(root: &str, secret: &str) -> Result<Self, SecretError> {
        let Account { secret_key, account } = Account::parse(secret)?;
        // What the account was parsed with has no character that a header cannot carry.
        let value = |name, text: &str| {
            HeaderValue::from_str(text).map_err(|_| SecretError::Wrong { name, expected: "visible ASCII characters" })
        };
        let mut authorization = value("secret_key", &format!("Bearer {secret_key}"))?;
        authorization.set_sensitive(true);
        let mut headers = vec![
            (AUTHORIZATION, authorization),
            (ACCEPT, HeaderValue::from_static("application/json")),
            (STRIPE_VERSION, HeaderValue::from_static(API_VERSION)),
        ];
        if let Some(account) = account {
            headers.push((STRIPE_ACCOUNT, value("account", &account)?));
        }
        Ok(Self { headers, root: root.trim_end_matches('/').to_owned() })
    }

    /// What is written to make a payment.
    pub fn send(&self, id: &PaymentId, order: &Order) -> Option<Written> {
        let said = order::send(id, order)?;
        let mut headers = self.headers.clone();
        headers.push((CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")));
        headers.push((IDEMPOTENCY_KEY, HeaderValue::from_str(id.as_str()).ok()?));
        Some(Written {
            method: Method::POST,
            path: format!("{}{}", self.root, said.path),
            headers,
            body: Bytes::from(said.form),
        })
    }

    /// What the answer to that means.
    pub fn send_answer(id: &PaymentId, order: &Order, reply: &Reply) -> SendAnswer {
        answer::sent(id, order, reply)
    }

    /// What is written to ask what became of one.
    pub fn query(&self, order: &Order, trace: &Trace) -> Option<Written> {
        let path = Asked::of(order, trace).path(order, trace)?;
        let headers = self.headers.clone();
        Some(Written { method: Method::GET, path: format!("{}{path}", self.root), headers, body: Bytes::new() })
    }

    /// What the answer to that means.
    pub fn query_answer(id: &PaymentId, order: &Order, trace: &Trace, reply: &Reply) -> QueryAnswer {
        answer::queried(id, order, Asked::of(order, trace), reply)
    }
}
