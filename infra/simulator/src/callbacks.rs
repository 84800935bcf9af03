//! The provider's callbacks on their way to `ingest`: signed anew at each attempt, repeated until they are taken, in
//! whatever order they get there; and those of somebody who has no key.

use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use ingest::Callbacks;
use payments::id::PaymentId;
use payments::money::Money;
use payments::payment::{Kind, State};
use payments::time::Timestamp;
use providers::callback::Known;
use providers::open::callback::{CallbackKeys, SIGNATURE, TOLERANCE_MS, sign};
use serde_json::json;

use crate::scenario::Api;
use crate::system::System;

const PROVIDER: &str = "sandbox";
const KEY: &str = "sandbox_callback_key_0123456789abcdef";
const NO_KEY: &str = "somebody_elses_callback_key_9876543210";

/// Times that a provider sends a callback that is not taken.
const ATTEMPTS_MAX: u32 = 60;

/// What `ingest` knows the provider by.
pub(crate) fn taken() -> Callbacks {
    Callbacks { provider: PROVIDER.to_owned(), known: Known::Open(CallbackKeys::new(KEY, None)) }
}

/// What a callback says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Approved,
    Accepted,
    Declined,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
        }
    }

    const fn opposite(self) -> Self {
        match self {
            Self::Approved | Self::Accepted => Self::Declined,
            Self::Declined => Self::Approved,
        }
    }
}

/// A callback to be made.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) at_us: u64,
    pub(crate) payment_id: PaymentId,
    pub(crate) money: Money,
    pub(crate) status: Status,
    /// Somebody else's, who says the opposite.
    pub(crate) is_forged: bool,
    /// It is done only now, after it was declined.
    pub(crate) reverses: Option<Kind>,
}

impl Due {
    pub(crate) fn new(at_us: u64, id: &PaymentId, money: Money, status: Status) -> Self {
        Self { at_us, payment_id: id.clone(), money, status, is_forged: false, reverses: None }
    }

    fn body(&self, status: Status) -> String {
        let mut body = json!({
            "status": status.as_str(),
            "payment_id": self.payment_id.as_str(),
            "amount": self.money.amount(),
            "currency": self.money.currency().code(),
        });
        match status {
            Status::Approved => body["reference"] = json!(format!("ref-{}", self.payment_id)),
            Status::Declined => body["code"] = json!("insufficient_funds"),
            Status::Accepted => {}
        }
        body.to_string()
    }
}

fn request(body: String, signature: &str) -> ApiGatewayV2httpRequest {
    let mut request = ApiGatewayV2httpRequest::default();
    request.raw_path = Some(format!("/v1/providers/{PROVIDER}/events"));
    request.request_context.http.method = Method::POST;
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.headers.insert(SIGNATURE, HeaderValue::from_str(signature).expect("a signature is plain text"));
    request.body = Some(body);
    request
}

/// Delivers every callback that the provider announces.
pub(crate) async fn deliver(system: System) {
    let Some(mut announced) = system.ledger.callbacks() else { return };
    while let Some(due) = announced.recv().await {
        let system = system.clone();
        tokio::spawn(async move {
            let wait_us = due.at_us.saturating_sub(system.world.now_us());
            tokio::time::sleep(Duration::from_micros(wait_us)).await;
            if due.is_forged {
                forge(&system, &due).await;
            } else {
                if let Some(kind) = due.reverses {
                    system.ledger.reverse(&due.payment_id, kind, due.money);
                }
                repeat(&system, &due).await;
                system.ledger.reversed(&due.payment_id);
            }
            system.ledger.delivered();
        });
    }
}

/// Sends until it is taken, and holds `ingest` to what it then says.
pub(crate) async fn repeat(system: &System, due: &Due) {
    let world = &system.world;
    for attempt in 0..ATTEMPTS_MAX {
        world.note(&format!("provider     calls back {} {}", due.payment_id, due.status.as_str()));
        let body = due.body(due.status);
        let signature = sign(KEY, world.now(), body.as_bytes());
        let was_here = system.table.payment(&due.payment_id).is_some();
        let status = system.request(request(body, &signature)).await.map(|response| response.status_code);
        match status {
            Some(200) => return check_taken(system, due),
            Some(503) | None => {}
            // A restore has lost it until its merchant asks again; what is here may not be denied.
            Some(404)
                if world.faults.restore.is_some() && !(was_here && system.table.payment(&due.payment_id).is_some()) => {
            }
            Some(other) => world.violated("I6", &format!("a callback about {} got {other}", due.payment_id)),
        }
        tokio::time::sleep(Duration::from_secs(u64::from(attempt + 1))).await;
    }
    // A provider gives up in the end; what a restore had lost by then is queried.
    if world.faults.restore.is_none() {
        world.violated("I2", &format!("a callback about {} was never taken", due.payment_id));
    }
}

/// What was answered with 200 is written down.
fn check_taken(system: &System, due: &Due) {
    system.ledger.taken();
    let Some(payment) = system.table.payment(&due.payment_id) else {
        let how = format!("a callback about {} was taken, which is not here", due.payment_id);
        return system.world.violated("I6", &how);
    };
    let stands = match due.status {
        Status::Approved => payment.state == State::Succeeded || payment.case.is_some(),
        Status::Declined => payment.state.is_terminal(),
        Status::Accepted => payment.acknowledged || payment.state.is_terminal(),
    };
    if !stands {
        let how = format!(
            "a callback that {} is {} was taken, and it is {}",
            due.payment_id,
            due.status.as_str(),
            payment.state.as_str()
        );
        system.world.violated("I2", &how);
    }
}

/// The opposite under a key that is not ours, and what was once signed with the right one, too late. Neither may be
/// taken; what they would change I1 and I3 watch over.
async fn forge(system: &System, due: &Due) {
    let (world, lie) = (&system.world, due.body(due.status.opposite()));
    let old = Timestamp::from_ms(world.now().ms().saturating_sub(3 * TOLERANCE_MS));
    for signature in [sign(NO_KEY, world.now(), lie.as_bytes()), sign(KEY, old, lie.as_bytes())] {
        let answered = system.request(request(lie.clone(), &signature)).await;
        if answered.is_some_and(|response| response.status_code != 401) {
            world.violated("I1", &format!("a callback about {} was taken that is not the provider's", due.payment_id));
        }
    }
}
