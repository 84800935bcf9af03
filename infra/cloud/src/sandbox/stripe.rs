//! The sandbox speaks Stripe: PaymentIntents, refunds and events of the API v1 as docs.stripe.com describes them, over the same book and
//! the same faults. It is written from those pages and shares nothing with the adapter.
//!
//! Where it is simpler than Stripe: an intent is made and confirmed by one request or not at all, every customer and every
//! payment method with a well-formed id is there, and nothing is expanded.

mod answers;
mod form;
mod objects;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::hmac;
use data_encoding::{BASE64, HEXLOWER};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use payments::id::Nonce;
use payments::payment::Kind;
use ports::{Clock, Entropy};
use serde_json::{Value, json};

use self::answers::{Refusal, refusal};
use self::form::{Form, Wanted};
use self::objects::{Object, Objects};
use super::answer::Answer;
use super::book::{Arrival, Asked, Book, Operation, Outcome};
use super::said::Said;
use super::server::{Dropped, State};

/// What each side is told of the other, drawn anew for each run.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// What the sandbox is told, in `SANDBOX_KEY`: the account's secret key.
    pub sandbox: String,
    /// What the consumer is told, in `PROVIDER_KEY`.
    pub provider: String,
    /// What `ingest` is told, in `CALLBACK_KEY`.
    pub callback: String,
    /// What the sandbox is told, in `SANDBOX_CALLBACK_KEY`: the destination's signing secret.
    pub signing_secret: String,
}

/// Draws an account's key and a destination's secret.
pub fn draw() -> Drawn {
    let word = || Nonce::from_bits(aws::system::SystemEntropy.bits()).as_str().to_owned();
    let (sandbox, signing_secret) = (format!("sk_test_{}", word()), format!("whsec_{}", word()));
    let provider = json!({ "secret_key": sandbox }).to_string();
    let callback = json!({ "signing_secret": signing_secret }).to_string();
    Drawn { sandbox, provider, callback, signing_secret }
}

/// An account.
pub(super) struct Account {
    key: String,
    objects: Mutex<Objects>,
    /// The first answer of each key whose request began to be executed: its status and its text ("Idempotent requests").
    saved: Mutex<HashMap<String, Value>>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").finish_non_exhaustive()
    }
}

impl Account {
    pub(super) fn new(key: &str) -> Result<Self, String> {
        if !key.starts_with("sk_test_") {
            return Err(
                "the sandbox's key must be a secret key of a test account, which begins with sk_test_".to_owned()
            );
        }
        Ok(Self { key: key.to_owned(), objects: Mutex::default(), saved: Mutex::default() })
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By a bearer token, or as the user of HTTP's own scheme without a password ("Authentication").
    fn knows(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if let Some(basic) = given.strip_prefix("Basic ") {
            let user = BASE64.decode(basic.as_bytes()).ok().and_then(|text| String::from_utf8(text).ok());
            return user.is_some_and(|user| user.strip_suffix(':') == Some(&self.key));
        }
        given.strip_prefix("Bearer ") == Some(&self.key)
    }

    /// The first request under a key begins to be executed. Under a key that was forgotten it is another one, and what the
    /// first one made stays as it is.
    pub(super) fn begins(&self, key: &str, book: &Book) {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.objects().begin(key, book);
    }

    /// The event about what stands under a key; `None` for what has none.
    pub(super) fn event(&self, key: &str, outcome: Outcome, number: u32) -> Option<String> {
        let objects = self.objects();
        let object = objects.newest(key)?;
        let kind = match (object.kind, outcome) {
            (Kind::Charge | Kind::Payout, Outcome::Approved) => "payment_intent.succeeded",
            (Kind::Charge | Kind::Payout, Outcome::Accepted) => "payment_intent.processing",
            (Kind::Charge | Kind::Payout, Outcome::Declined(_)) => "payment_intent.payment_failed",
            (Kind::Refund, Outcome::Approved | Outcome::Accepted) => "refund.updated",
            (Kind::Refund, Outcome::Declined(_)) => "refund.failed",
        };
        Some(enveloped(object, kind, number, &object.shown(outcome)))
    }

    /// What somebody else would say of it, who does not know the secret: that it was canceled.
    pub(super) fn forged_event(&self, key: &str) -> Option<String> {
        let objects = self.objects();
        let object = objects.newest(key)?;
        let mut shown = object.shown(Outcome::Accepted);
        shown["status"] = "canceled".into();
        Some(enveloped(object, "payment_intent.canceled", 0, &shown))
    }
}

fn enveloped(object: &Object, kind: &str, number: u32, shown: &Value) -> String {
    json!({
        "id": format!("evt_{}{number}", object.id),
        "object": "event",
        "api_version": "2025-03-31.basil",
        "created": aws::system::SystemClock.now().seconds(),
        "data": { "object": shown },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": object.key },
        "type": kind,
    })
    .to_string()
}

/// The header of a signed event ("Verify webhook signatures manually").
pub(super) fn signature(secret: &str, seconds: u64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let other = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"the scheme of test mode"), body.as_bytes());
    format!("t={seconds},v1={},v0={}", HEXLOWER.encode(tag.as_ref()), HEXLOWER.encode(other.as_ref()))
}

/// A request, as far as it was read.
pub(super) struct Read<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// Answers one request to the API; `None` for a path that it does not have.
pub(super) async fn answer(
    state: &Arc<State>,
    account: &Account,
    arrival: Arrival,
    read: &Read<'_>,
) -> Option<Result<Answer, Dropped>> {
    let (kind, rest) = if let Some(rest) = read.path.strip_prefix("/v1/payment_intents") {
        (Kind::Charge, rest)
    } else {
        (Kind::Refund, read.path.strip_prefix("/v1/refunds")?)
    };
    Some(match (read.method, rest.strip_prefix('/')) {
        (&Method::POST, None) if rest.is_empty() => create(state, account, arrival, kind, read).await,
        (&Method::GET, None) if rest.is_empty() => list(state, account, arrival, kind, read).await,
        (&Method::GET, Some(id)) if !id.is_empty() && !id.contains('/') => {
            retrieve(state, account, arrival, kind, id, read).await
        }
        _ => return None,
    })
}

async fn create(
    state: &Arc<State>,
    account: &Account,
    arrival: Arrival,
    kind: Kind,
    read: &Read<'_>,
) -> Result<Answer, Dropped> {
    let key = read.headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    let call = match state.admit(&key, Operation::Send, arrival, account.knows(read.headers)) {
        Ok(call) => call,
        Err(why) => return Ok(answers::of_said(None, &why.into())),
    };
    let wanted = Form::parse(read.body).and_then(|form| Wanted::read(kind, &key, &form)).and_then(|mut wanted| {
        account.objects().allow(&mut wanted, &state.book)?;
        Ok(wanted)
    });
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(why) => {
            state.refuse(call);
            return Ok(refusal(&why));
        }
    };
    let asked = wanted.asked();
    account.objects().asked(wanted);
    let said = state.send(&key, call, asked).await;
    let object = account.objects().newest(&key).cloned();
    let (said, is_replay) = match said {
        Ok(Said::Stands(asked, outcome)) => (Said::Told(asked, outcome), true),
        Ok(said) => (said, false),
        Err(dropped) => {
            account.keep(&key, &answers::text(object.as_ref(), state.book.find(&key).as_ref()));
            return Err(dropped);
        }
    };
    Ok(account.first_answer(&key, object.as_ref(), &said, is_replay))
}

impl Account {
    fn keep(&self, key: &str, saved: &Value) {
        self.saved
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key.to_owned())
            .or_insert_with(|| saved.clone());
    }

    /// The first answer is kept and said again, a 500 too, once the request has begun to be executed.
    fn first_answer(&self, key: &str, object: Option<&Object>, said: &Said, is_replay: bool) -> Answer {
        let now = answers::value(object, said);
        // What never began, and an answer that was changed on its way, is not what was saved.
        let began = match said {
            Said::Told(..) | Said::Stands(..) => true,
            Said::FailedAfter => true,
            Said::Altered(..)
            | Said::WronglySigned(_)
            | Said::NotFound
            | Said::Busy
            | Said::OtherBody
            | Said::RateLimited
            | Said::Locked
            | Said::Unauthorized
            | Said::Failed => false,
        };
        if !began {
            return answers::answer(&now, false);
        }
        self.keep(key, &now);
        let saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        answers::answer(saved.get(key).unwrap_or(&now), is_replay)
    }
}

async fn retrieve(
    state: &Arc<State>,
    account: &Account,
    arrival: Arrival,
    kind: Kind,
    id: &str,
    read: &Read<'_>,
) -> Result<Answer, Dropped> {
    let key = account.objects().with_id(kind, id).map(|object| object.key.clone());
    let call = match state.admit(key.as_deref().unwrap_or(id), Operation::Query, arrival, account.knows(read.headers)) {
        Ok(call) => call,
        Err(why) => return Ok(answers::of_said(None, &why.into())),
    };
    let look = || {
        let objects = account.objects();
        let object = objects.with_id(kind, id)?;
        object.outcome(&state.book).map(|outcome| object.shown(outcome))
    };
    Ok(match state.look(call, || (look(), "told")).await? {
        Ok(Some(shown)) => answers::ok(&shown),
        Ok(None) => refusal(&Refusal::no_such(kind, id)),
        Err(said) => answers::of_said(None, &said),
    })
}

async fn list(
    state: &Arc<State>,
    account: &Account,
    arrival: Arrival,
    kind: Kind,
    read: &Read<'_>,
) -> Result<Answer, Dropped> {
    let form = Form::parse(read.query.as_bytes()).and_then(|form| form::Listing::read(kind, &form));
    let whose = form.as_ref().ok().and_then(form::Listing::whose).unwrap_or("list").to_owned();
    let call = match state.admit(&whose, Operation::Query, arrival, account.knows(read.headers)) {
        Ok(call) => call,
        Err(why) => return Ok(answers::of_said(None, &why.into())),
    };
    let listing = match form {
        Ok(listing) => listing,
        Err(why) => {
            state.refuse(call);
            return Ok(refusal(&why));
        }
    };
    Ok(match state.look(call, || (account.objects().list(&listing, &state.book), "told")).await? {
        Ok((data, has_more)) => answers::ok(&json!({
            "object": "list",
            "url": read.path,
            "has_more": has_more,
            "data": data,
        })),
        Err(said) => answers::of_said(None, &said),
    })
}

/// The ISO 4217 minor units of an amount as Stripe counts it ("Supported currencies").
fn minor_units(amount: u64, currency: &str) -> Option<u64> {
    match currency {
        // Two decimals where the standard has none; none where it has two.
        "isk" | "ugx" => (amount.is_multiple_of(100)).then_some(amount / 100),
        "mga" => amount.checked_mul(100),
        "bhd" | "jod" | "kwd" | "omr" | "tnd" => amount.is_multiple_of(10).then_some(amount),
        _ => Some(amount),
    }
}

/// What the book is told of a request.
fn asked(kind: Kind, amount: u64, currency: &'static str, form: &str) -> Asked {
    let body_hash = form.bytes().fold(17, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    Asked { kind, amount, currency, body_hash }
}
