//! The sandbox's own callbacks: signed anew at each attempt, sent until they are taken, twice or late when they are told
//! to be.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::Full;
use ports::Clock;
use providers::open::callback::{SIGNATURE, sign};
use tokio::time::sleep;

use super::answer;
use super::book::{Asked, Outcome};
use super::faults::Drawn;
use super::server::{Speaks, State};
use super::stripe;
use operator::client::{Base, Client, NoAnswer};

/// Times that a callback is sent which nobody takes.
const ATTEMPTS_MAX: u32 = 20;
/// How long the taker may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// From one attempt to the next, at most.
const PAUSE_MS_MAX: u64 = 10_000;

/// Where callbacks go, and what they are signed with.
#[derive(Clone)]
pub struct CallbackTarget {
    base: Base,
    key: String,
}

impl CallbackTarget {
    /// Reads `http://host:port/path`.
    pub fn new(url: &str, key: impl Into<String>) -> Result<Self, NoAnswer> {
        Ok(Self { base: Base::parse(url)?, key: key.into() })
    }
}

impl fmt::Debug for CallbackTarget {
    /// Everything but the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackTarget").field("base", &self.base).finish_non_exhaustive()
    }
}

impl State {
    /// Says what came of a payment, if a callback falls to its call. The first word of a late one comes after the last.
    pub(super) fn call_back(self: &Arc<Self>, id: &str, asked: Asked, outcome: Outcome, drawn: &Drawn) {
        let (Some(target), Some(callback)) = (&self.settings.callback, drawn.callback) else { return };
        let is_first = self.book.callbacks_begun(id) == 0;
        let wait_ms = if callback.late && is_first { self.settings.slow_ms } else { 0 };
        for _ in 0..if callback.twice { 2 } else { 1 } {
            self.book.callback_begins(id);
            let (state, target, id) = (Arc::clone(self), target.clone(), id.to_owned());
            tokio::spawn(async move {
                sleep(Duration::from_millis(wait_ms)).await;
                let at = aws::system::SystemClock.now().to_string();
                let notice = match &state.speaks {
                    Speaks::Open => Some(Notice::Signed(answer::told_body(&id, &asked, outcome).to_string())),
                    Speaks::Alipay(gateway) => gateway.notice(&id, &asked, outcome, &at).map(Notice::Form),
                    Speaks::Stripe(account) => {
                        let number = state.book.callbacks_begun(&id);
                        account.event(&id, outcome, number).map(|body| Notice::Event { body, is_ours: true })
                    }
                };
                let Some(notice) = notice else { return };
                let answered = deliver(&target, &notice).await;
                state.book.callback_ended(&id, answer::name(outcome), answered);
            });
        }
    }
}

impl State {
    /// Says of a payment what is not true, signed by somebody who does not know the secret.
    pub(super) fn forge(self: &Arc<Self>, id: &str) {
        let (Some(target), Speaks::Stripe(account)) = (self.settings.callback.clone(), &self.speaks) else { return };
        let Some(body) = account.forged_event(id) else { return };
        let (state, id) = (Arc::clone(self), id.to_owned());
        tokio::spawn(async move {
            let answered = deliver(&target, &Notice::Event { body, is_ours: false }).await;
            state.book.callback_ended(&id, "forged", answered);
        });
    }
}

/// What is delivered.
enum Notice {
    /// JSON, signed anew at each attempt.
    Signed(String),
    /// Alipay's form, signed in itself; whatever is not answered with the text `success` is sent again.
    Form(String),
    /// Stripe's event, signed anew at each attempt; whatever is not answered 2xx is sent again, unless it is not ours.
    Event { body: String, is_ours: bool },
}

/// Sends until somebody takes it or says that it never will; the last answer's status, 0 if there was none.
async fn deliver(target: &CallbackTarget, notice: &Notice) -> u16 {
    let mut client = Client::new(target.base.clone(), TIMEOUT);
    let mut answered = 0;
    for attempt in 1..=ATTEMPTS_MAX {
        let request = match notice {
            Notice::Signed(body) => Request::post("/")
                .header(CONTENT_TYPE, "application/json")
                .header(SIGNATURE, sign(&target.key, aws::system::SystemClock.now(), body.as_bytes()))
                .body(Full::new(Bytes::from(body.clone()))),
            Notice::Event { body, is_ours } => {
                let secret = if *is_ours { target.key.as_str() } else { "whsec_ofsomebodyelse" };
                let seconds = aws::system::SystemClock.now().seconds();
                Request::post("/")
                    .header(CONTENT_TYPE, "application/json; charset=utf-8")
                    .header("stripe-signature", stripe::signature(secret, seconds, body))
                    .body(Full::new(Bytes::from(body.clone())))
            }
            Notice::Form(form) => Request::post("/")
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8")
                .body(Full::new(Bytes::from(form.clone()))),
        };
        let Ok(request) = request else { return answered };
        if let Ok(answer) = client.send(request).await {
            answered = answer.status.as_u16();
            let comes_again = match notice {
                Notice::Signed(_) => matches!(answered, 401 | 404 | 429 | 500..=599),
                Notice::Form(_) => answer.body != "success",
                Notice::Event { is_ours, .. } => *is_ours && !(200..300).contains(&answered),
            };
            if !comes_again {
                return answered;
            }
        }
        sleep(Duration::from_millis((500 * u64::from(attempt)).min(PAUSE_MS_MAX))).await;
    }
    answered
}
