//! Takes payments from merchants, once each, and tells the truth about them.
//!
//! The first conditional put makes a payment; the message that follows only says where to look. A caller sees only
//! its own payments. Nothing here talks to a provider; the provider may talk to us, by a signed callback.

mod admission;
mod api;
mod callback;
mod callers;
mod cancel;
mod create;
mod document;
mod progress;
#[cfg(feature = "lambda")]
pub mod wiring;

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use http::StatusCode;
use payments::backoff::Dice;
use payments::id::PaymentId;
use payments::merchant::Merchant;
use payments::payment::Payment;
use payments::provider::ProviderKind;
use payments::request::{self, Fault, Foreign, Request};
use payments::transition::{Event, Recovery};
use ports::{Admission, EventName, Ledger, Merchants, Outcome, Store, StoreError};
use tracing::{error, info};

pub use crate::admission::AdmissionControl;
use crate::api::{Call, Operation};
pub use crate::callback::Callbacks;
use crate::callers::{Caller, Callers};
use crate::document::{Ahead, Form, Problem, Replayed};
use crate::progress::Progress;
pub use crate::progress::{ANSWER_ALLOWANCE_MS, ANSWER_WITHIN_MS};

/// The ingest function over its ports.
#[derive(Debug)]
pub struct Ingest<L, M, A> {
    ledger: L,
    merchants: M,
    admission: Option<AdmissionControl<A>>,
    callers: Callers,
    callbacks: Option<Callbacks>,
    recovery: Option<Recovery>,
    provider_kind: ProviderKind,
}

impl<L: Ledger, M: Merchants, A: Admission> Ingest<L, M, A> {
    /// An ingest over these ports. With an admission it holds merchants to their rates and tells them their wait.
    pub fn new(ledger: L, merchants: M, admission: Option<AdmissionControl<A>>) -> Self {
        let dice = || Dice(u64::try_from(ledger.bits() >> 64).unwrap_or(u64::MAX));
        Self {
            callers: Callers::new(dice()),
            admission: admission.map(|admission| admission.with_dice(dice())),
            ledger,
            merchants,
            callbacks: None,
            recovery: None,
            provider_kind: ProviderKind::Open,
        }
    }

    /// The same, and the provider may call back. Without it that path does not exist.
    #[must_use]
    pub fn with_callbacks(self, callbacks: Option<Callbacks>) -> Self {
        Self { callbacks, ..self }
    }

    /// The same, after the table was restored: what is new here may have been made before, and the provider is asked first.
    #[must_use]
    pub fn with_recovery(self, recovery: Option<Recovery>) -> Self {
        Self { recovery, ..self }
    }

    /// The same, for a provider of this kind: an order that it cannot make is refused before anything is written down.
    #[must_use]
    pub fn with_provider_kind(self, provider_kind: ProviderKind) -> Self {
        Self { provider_kind, ..self }
    }

    /// Answers one request of the HTTP API (payload format 2.0). It always answers, and in time.
    pub async fn handle(&self, request: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let progress = Progress::default();
        let answer = tokio::time::timeout(Duration::from_millis(ANSWER_WITHIN_MS), self.answer(&request, &progress));
        let answer = answer.await.unwrap_or_else(|_| {
            let problem = progress.out_of_time();
            error!(event = EventName::RequestOutOfTime.as_str(), problem = problem.says().name);
            Err(problem)
        });
        let mut response = answer.unwrap_or_else(|problem| {
            let says = problem.says();
            info!(event = EventName::RequestRefused.as_str(), status = says.status.as_u16(), problem = says.name);
            says.into_response()
        });
        progress.say_quota(&mut response.headers);
        response
    }

    async fn answer(
        &self,
        request: &ApiGatewayV2httpRequest,
        progress: &Progress,
    ) -> Result<ApiGatewayV2httpResponse, Problem> {
        let call = Call::of(request);
        if let Ok(Operation::CalledBack { provider }) = &call.operation
            && let Some(callbacks) = self.callbacks.as_ref().filter(|known| known.provider == *provider)
        {
            return self.called_back(&call, callbacks, progress).await;
        }
        // Whoever has no key learns nothing about paths, ids or bodies.
        let merchant = self.caller(&call).await?;
        let operation = call.operation.clone()?;
        if let (Some(admission), Some(if_out_of_time)) = (&self.admission, operation.looks_at()) {
            progress.is_at(if_out_of_time);
            admission.admit_look(&merchant, self.ledger.now()).await?;
        }
        match operation {
            Operation::Create => self.create(&call, &merchant, progress).await,
            Operation::Get(id) => self.look(&merchant, &id, progress).await,
            Operation::Find { kind, order_id } => {
                let id = PaymentId::derive(&merchant.merchant, kind, &order_id);
                self.look(&merchant, &id, progress).await
            }
            Operation::History(id) => {
                progress.is_at(Problem::NotRead(Some(id.clone())));
                Ok(document::history(&self.find(&merchant, &id).await?))
            }
            Operation::Cancel(id) => self.cancel(&call, &merchant, &id, progress).await,
            Operation::CalledBack { .. } => Err(Problem::NoSuchPath),
        }
    }

    async fn look(
        &self,
        merchant: &Merchant,
        id: &PaymentId,
        progress: &Progress,
    ) -> Result<ApiGatewayV2httpResponse, Problem> {
        progress.is_at(Problem::NotRead(Some(id.clone())));
        self.look_ahead().await;
        let payment = self.find(merchant, id).await?;
        Ok(self.told(StatusCode::OK, &payment, Replayed::No))
    }

    /// Looks at gate and lanes, if it is time to.
    pub(crate) async fn look_ahead(&self) {
        if let Some(admission) = &self.admission {
            admission.look(self.ledger.now()).await;
        }
    }

    async fn caller(&self, call: &Call<'_>) -> Result<Merchant, Problem> {
        let key = call.api_key.as_ref().ok_or(Problem::Unauthorized)?;
        let now = self.ledger.now();
        match self.callers.get(key, now) {
            Caller::Merchant(merchant) => return Ok(merchant),
            Caller::Nobody => return Err(Problem::Unauthorized),
            Caller::NotKnown => {}
        }
        let found = self.merchants.find(key).await.map_err(|error| {
            error!(event = EventName::MerchantReadFailed.as_str(), %error);
            Problem::CallerNotRead
        })?;
        self.callers.remember(key.clone(), found.clone(), now);
        found.ok_or(Problem::Unauthorized)
    }

    /// A payment as its merchant sees it, with what it has ahead of it.
    pub(crate) fn told(&self, status: StatusCode, payment: &Payment, replayed: Replayed) -> ApiGatewayV2httpResponse {
        let now = self.ledger.now();
        let ahead = self.admission.as_ref().map_or_else(Ahead::default, |admission| admission.ahead(payment, now));
        document::payment(status, payment, replayed, ahead)
    }

    pub(crate) async fn decide(&self, payment: Payment, event: &Event<'_>) -> Result<Outcome, StoreError> {
        self.ledger.decide(payment, event).await
    }

    /// Reads a payment of this merchant's; another merchant's is not there.
    pub(crate) async fn find(&self, merchant: &Merchant, id: &PaymentId) -> Result<Payment, Problem> {
        match self.read(id).await? {
            Some(payment) if payment.order.merchant == merchant.merchant => Ok(payment),
            Some(_) | None => Err(Problem::NotFound),
        }
    }

    pub(crate) async fn read(&self, id: &PaymentId) -> Result<Option<Payment>, Problem> {
        self.ledger.store().get(id).await.map_err(|error| {
            error!(event = EventName::PaymentReadFailed.as_str(), payment_id = id.as_str(), %error);
            Problem::NotRead(Some(id.clone()))
        })
    }
}

pub(crate) fn read(call: &Call<'_>, merchant: &Merchant, idempotency_key: Option<&str>) -> Result<Request, Problem> {
    request::read(call.body()?, merchant, idempotency_key).map_err(|fault| match fault {
        Fault::Foreign(Foreign::WideUnicode) => Problem::UnsupportedMediaType(Form::WideUnicode),
        Fault::Foreign(Foreign::Gzip) => Problem::UnsupportedMediaType(Form::Gzip),
        Fault::Fields(errors) => Problem::Fields(errors),
        Fault::NotPermitted(error) => Problem::NotPermitted(error),
    })
}

/// 202 while something is still to come, 200 when it has ended.
pub(crate) const fn status_of(payment: &Payment) -> StatusCode {
    if payment.state.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED }
}
