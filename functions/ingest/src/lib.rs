//! Takes payments from merchants, once each, and tells the truth about them.
//!
//! The first conditional put makes a payment; the message that follows only says where to look. A caller sees only
//! its own payments. Nothing here talks to a provider; the provider may talk to us, by a signed callback.

mod admission;
mod api;
mod callback;
mod callers;
mod document;
mod progress;
#[cfg(feature = "lambda")]
pub mod wiring;

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use http::StatusCode;
use payments::backoff::Dice;
use payments::id::PaymentId;
use payments::idempotency::{Binding, Bound};
use payments::merchant::Merchant;
use payments::message::Message;
use payments::payment::{Kind, Order, Payment, RefundOf, State};
use payments::provider::ProviderKind;
use payments::request::{self, Fault, FieldError, Foreign, Request};
use payments::transition::{Event, Kept, Recovery, accepted_after_recovery, may_lack_its_message};
use payments::write::Written;
use ports::{Admission, EventName, Ledger, Merchants, Outcome, Queue, Store, StoreError};
use providers::contract;
use tracing::{error, info, warn};

pub use crate::admission::AdmissionControl;
use crate::api::{Call, Operation};
pub use crate::callback::Callbacks;
use crate::callers::{Caller, Callers};
use crate::document::{Ahead, Form, Problem, Replayed};
use crate::progress::Progress;
pub use crate::progress::{ANSWER_ALLOWANCE_MS, ANSWER_WITHIN_MS};

/// How long a repeated request waits for its payment's message to be put back; nobody needs the answer.
const HEAL_WITHIN: Duration = Duration::from_secs(3);

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
    async fn look_ahead(&self) {
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
    fn told(&self, status: StatusCode, payment: &Payment, replayed: Replayed) -> ApiGatewayV2httpResponse {
        let now = self.ledger.now();
        let ahead = self.admission.as_ref().map_or_else(Ahead::default, |admission| admission.ahead(payment, now));
        document::payment(status, payment, replayed, ahead)
    }

    async fn create(
        &self,
        call: &Call<'_>,
        merchant: &Merchant,
        progress: &Progress,
    ) -> Result<ApiGatewayV2httpResponse, Problem> {
        let request = read(call, merchant, call.idempotency_key)?;
        let id = PaymentId::derive(&request.order.merchant, request.order.kind, &request.order.order_id);
        progress.is_at(Problem::NotWritten(id.clone()));
        self.look_ahead().await;
        if let Some(admission) = &self.admission {
            progress.counted(admission.admit(merchant, self.ledger.now()).await?);
        }
        // The largest of what a request may need: apart, the others need less.
        Box::pin(self.accept(request, id, progress)).await
    }

    async fn accept(
        &self,
        request: Request,
        id: PaymentId,
        progress: &Progress,
    ) -> Result<ApiGatewayV2httpResponse, Problem> {
        let now = self.ledger.now();
        // After a restore an order may have been charged in its time: it is taken to be asked about, and sent no more.
        let may_have_been_made = self.recovery.is_some();
        let is_over = !may_have_been_made && request.order.expires_at.is_some_and(|at| at <= now);
        let refusal = if is_over {
            let reason = "must be in the future".to_owned();
            Some(Problem::Fields(vec![FieldError { field: "expires_at".to_owned(), reason }]))
        } else if let Err(error) = contract::check(self.provider_kind, &request.order) {
            Some(Problem::Fields(vec![error]))
        } else {
            let refusal = self.admission.as_ref().and_then(|admission| admission.refuses(&request.order, now));
            refusal.filter(|it| !may_have_been_made || !matches!(it, Problem::TooLate { .. }))
        };
        if let Some(problem) = refusal {
            // It is refused only if it is new: what was accepted before is still told what became of it.
            return match self.read(&id).await.map_err(|_| Problem::NotWritten(id))? {
                Some(stands) => self.replay(&request, stands).await,
                None => Err(problem),
            };
        }
        let request = if contract::refunds_by_reference(self.provider_kind) {
            self.with_reference(request, &id).await?
        } else {
            request
        };
        self.bind_key(&request.order, &id).await?;
        progress.is_at(Problem::MayBeAccepted(id.clone()));
        let payment = self.accepted(request.clone());
        match self.ledger.put(&payment).await {
            Ok(Written::Applied(payment)) => {
                info!(
                    event = EventName::PaymentAccepted.as_str(),
                    payment_id = payment.id.as_str(),
                    merchant = payment.order.merchant.as_str(),
                    kind = payment.order.kind.as_str(),
                    lane = payment.order.lane.as_str(),
                );
                if let Some(admission) = &self.admission {
                    admission.count(&payment);
                }
                self.send(&payment).await?;
                Ok(self.told(StatusCode::ACCEPTED, &payment, Replayed::No))
            }
            Ok(Written::Refused(Some(stands))) => self.replay(&request, *stands).await,
            // Something stands there that was not shown to us.
            Ok(Written::Refused(None)) => Err(Problem::MayBeAccepted(id)),
            Ok(Written::ChargeRefused(charge)) => Err(charge_refused(&request, charge.as_deref())),
            Err(error) => Err(Self::put_failed(&id, &error)),
        }
    }

    /// Puts the provider's number for its charge into a refund that is asked for by that: one more call. A charge that has
    /// none has not succeeded, and there is nothing to give back.
    async fn with_reference(&self, request: Request, id: &PaymentId) -> Result<Request, Problem> {
        let Some(RefundOf::Charge { payment_id, order_id, .. }) = request.order.refund_of.clone() else {
            return Ok(request);
        };
        let charge = self.read(&payment_id).await.map_err(|_| Problem::NotWritten(id.clone()))?;
        let Some(reference) = charge.as_ref().and_then(Payment::reference) else {
            return Err(charge_refused(&request, charge.as_ref()));
        };
        let refund_of = Some(RefundOf::Charge { payment_id, order_id, reference: Some(reference.clone()) });
        let order = Order { refund_of, ..request.order };
        contract::check(self.provider_kind, &order).map_err(|error| Problem::Fields(vec![error]))?;
        Ok(Request { order, ..request })
    }

    /// Binds the request's idempotency key, if it has one, to its order before anything is written for that: one more call.
    /// Should the put that follows fail, the key waits for the same order's next try.
    async fn bind_key(&self, order: &Order, id: &PaymentId) -> Result<(), Problem> {
        let Some(key) = &order.idempotency_key else { return Ok(()) };
        let binding = Binding::new(&order.merchant, key, id, self.ledger.now(), self.ledger.policy().retention_ms);
        match self.ledger.store().bind(&binding).await {
            Ok(Bound::Here) => Ok(()),
            Ok(Bound::Elsewhere(first)) => {
                let stands = self.read(&first).await.ok().flatten();
                Err(Problem::KeyOfAnother { state: stands.map(|payment| payment.state), id: first })
            }
            Err(error) => {
                error!(event = EventName::KeyWriteFailed.as_str(), payment_id = id.as_str(), %error);
                Err(Problem::NotWritten(id.clone()))
            }
        }
    }

    fn accepted(&self, request: Request) -> Payment {
        let moment = self.ledger.moment();
        let accepted = Payment::accepted(request.order, request.fingerprint, &moment);
        match &self.recovery {
            Some(recovery) => accepted_after_recovery(&accepted, recovery, &moment),
            None => accepted,
        }
    }

    fn put_failed(id: &PaymentId, error: &StoreError) -> Problem {
        error!(event = EventName::PaymentWriteFailed.as_str(), payment_id = id.as_str(), %error);
        match error {
            StoreError::Refused(_) => Problem::NotWritten(id.clone()),
            StoreError::Unresolved(_) | StoreError::Corrupt(_) => Problem::MayBeAccepted(id.clone()),
        }
    }

    fn cancel_failed(id: &PaymentId, error: &StoreError) -> Problem {
        error!(event = EventName::PaymentWriteFailed.as_str(), payment_id = id.as_str(), %error);
        match error {
            StoreError::Refused(_) => Problem::NotCanceled(id.clone()),
            StoreError::Unresolved(_) | StoreError::Corrupt(_) => Problem::MayBeCanceled(id.clone()),
        }
    }

    /// The same order again: what is true now, or a refusal if it said something else before.
    async fn replay(&self, request: &Request, stands: Payment) -> Result<ApiGatewayV2httpResponse, Problem> {
        if stands.fingerprint != request.fingerprint {
            let fields = request::differences(&request.order, &stands);
            return Err(Problem::different(stands, &fields));
        }
        info!(
            event = EventName::PaymentReplayed.as_str(),
            payment_id = stands.id.as_str(),
            state = stands.state.as_str(),
        );
        let payment = if may_lack_its_message(&stands, self.ledger.now()) {
            let healed = tokio::time::timeout(HEAL_WITHIN, self.heal(stands.clone())).await;
            healed.unwrap_or(stands)
        } else {
            stands
        };
        Ok(self.told(status_of(&payment), &payment, Replayed::Yes))
    }

    /// Puts a message back for a payment whose first may never have been sent. It is a courtesy: the payment stands, is told
    /// as it stands whatever comes of this, and the sweep finds it.
    async fn heal(&self, payment: Payment) -> Payment {
        match self.decide(payment.clone(), &Event::Heal { replaces: None }).await {
            Ok(Outcome::Changed(healed)) => {
                info!(event = EventName::PaymentHealed.as_str(), payment_id = healed.id.as_str());
                // A failure is logged where it happens; the next repeat puts another message back.
                let _ = self.send(&healed).await;
                *healed
            }
            Ok(Outcome::Kept(stands, _)) => *stands,
            Ok(Outcome::Missing) => payment,
            Err(error) => {
                warn!(event = EventName::PaymentWriteFailed.as_str(), payment_id = payment.id.as_str(), %error);
                payment
            }
        }
    }

    async fn send(&self, payment: &Payment) -> Result<(), Problem> {
        let message = Message::new(payment.id.clone(), payment.order.merchant.clone(), self.ledger.now());
        self.ledger.queue().send(payment.order.lane, &message, 0).await.map_err(|error| {
            error!(event = EventName::MessageSendFailed.as_str(), payment_id = payment.id.as_str(), %error);
            // The item stands; whether it has a message nobody knows. Repeating finds it and sends again.
            Problem::MayBeAccepted(payment.id.clone())
        })
    }

    async fn cancel(
        &self,
        call: &Call<'_>,
        merchant: &Merchant,
        id: &PaymentId,
        progress: &Progress,
    ) -> Result<ApiGatewayV2httpResponse, Problem> {
        progress.is_at(Problem::NotCanceled(id.clone()));
        self.look_ahead().await;
        let payment = match self.find(merchant, id).await {
            Ok(payment) => payment,
            Err(Problem::NotFound) if call.has_body() => {
                return self.cancel_unseen(call, merchant, id, progress).await;
            }
            Err(Problem::NotRead(_)) => return Err(Problem::NotCanceled(id.clone())),
            Err(problem) => return Err(problem),
        };
        progress.is_at(Problem::MayBeCanceled(id.clone()));
        self.cancel_seen(payment).await
    }

    /// Cancels a payment that stands.
    async fn cancel_seen(&self, payment: Payment) -> Result<ApiGatewayV2httpResponse, Problem> {
        let id = payment.id.clone();
        match self.decide(payment, &Event::Cancel).await {
            Ok(Outcome::Changed(payment)) => {
                info!(
                    event = EventName::PaymentCancelRequested.as_str(),
                    payment_id = payment.id.as_str(),
                    state = payment.state.as_str(),
                );
                Ok(self.told(status_of(&payment), &payment, Replayed::No))
            }
            Ok(Outcome::Kept(payment, kept)) => canceled_before(&payment, kept),
            Ok(Outcome::Missing) => Err(Problem::NotFound),
            Err(error) => Err(Self::cancel_failed(&id, &error)),
        }
    }

    /// Cancels an order that is not here: whoever was told "may have been accepted" can make sure that it never will
    /// be. It takes the order's own body, because only that proves whose order the id is.
    async fn cancel_unseen(
        &self,
        call: &Call<'_>,
        merchant: &Merchant,
        id: &PaymentId,
        progress: &Progress,
    ) -> Result<ApiGatewayV2httpResponse, Problem> {
        // A cancelation is safe to repeat by itself: a key would mean nothing.
        let request = read(call, merchant, None)?;
        let derived = PaymentId::derive(&request.order.merchant, request.order.kind, &request.order.order_id);
        if derived != *id {
            return Err(Problem::NotFound);
        }
        // It writes an item as a new payment does, and counts as one.
        if let Some(admission) = &self.admission {
            progress.counted(admission.admit(merchant, self.ledger.now()).await?);
        }
        contract::check(self.provider_kind, &request.order).map_err(|error| Problem::Fields(vec![error]))?;
        // Only after a restore it is asked about.
        let request = if self.recovery.is_some() && contract::refunds_by_reference(self.provider_kind) {
            let asked = self.with_reference(request, &derived).await;
            asked.map_err(|_| Problem::NotCanceled(derived.clone()))?
        } else {
            request
        };
        let accepted = self.accepted(request);
        let moment = self.ledger.moment();
        let Some(canceled) = payments::transition::canceled_unseen(&accepted, &moment) else {
            return Err(Problem::NotCanceled(derived));
        };
        progress.is_at(Problem::MayBeCanceled(derived.clone()));
        match self.ledger.put(&canceled).await {
            Ok(Written::Applied(payment)) => {
                info!(
                    event = EventName::PaymentCanceledUnseen.as_str(),
                    payment_id = payment.id.as_str(),
                    state = payment.state.as_str(),
                );
                if !payment.state.is_terminal() {
                    // What is to be asked about first. A failure is logged where it happens, and the sweep finds the item.
                    let _ = self.send(&payment).await;
                }
                Ok(self.told(status_of(&payment), &payment, Replayed::No))
            }
            // It came in the meantime: cancel that one.
            Ok(Written::Refused(Some(stands))) => self.cancel_seen(*stands).await,
            // Something stands there that was not shown to us, or a charge does not bear what is to be asked about.
            Ok(Written::Refused(None) | Written::ChargeRefused(_)) => Err(Problem::NotCanceled(derived)),
            Err(error) => Err(Self::cancel_failed(id, &error)),
        }
    }

    async fn decide(&self, payment: Payment, event: &Event<'_>) -> Result<Outcome, StoreError> {
        self.ledger.decide(payment, event).await
    }

    /// Reads a payment of this merchant's; another merchant's is not there.
    async fn find(&self, merchant: &Merchant, id: &PaymentId) -> Result<Payment, Problem> {
        match self.read(id).await? {
            Some(payment) if payment.order.merchant == merchant.merchant => Ok(payment),
            Some(_) | None => Err(Problem::NotFound),
        }
    }

    async fn read(&self, id: &PaymentId) -> Result<Option<Payment>, Problem> {
        self.ledger.store().get(id).await.map_err(|error| {
            error!(event = EventName::PaymentReadFailed.as_str(), payment_id = id.as_str(), %error);
            Problem::NotRead(Some(id.clone()))
        })
    }
}

fn read(call: &Call<'_>, merchant: &Merchant, idempotency_key: Option<&str>) -> Result<Request, Problem> {
    request::read(call.body()?, merchant, idempotency_key).map_err(|fault| match fault {
        Fault::Foreign(Foreign::WideUnicode) => Problem::UnsupportedMediaType(Form::WideUnicode),
        Fault::Foreign(Foreign::Gzip) => Problem::UnsupportedMediaType(Form::Gzip),
        Fault::Fields(errors) => Problem::Fields(errors),
        Fault::NotPermitted(error) => Problem::NotPermitted(error),
    })
}

/// 202 while something is still to come, 200 when it has ended.
const fn status_of(payment: &Payment) -> StatusCode {
    if payment.state.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED }
}

/// A cancelation that had nothing to write: it was canceled before, is being seen to, or cannot be.
fn canceled_before(payment: &Payment, kept: Kept) -> Result<ApiGatewayV2httpResponse, Problem> {
    match (payment.state, kept) {
        (State::Canceled, _) => Ok(document::payment(StatusCode::OK, payment, Replayed::Yes, Ahead::default())),
        (_, Kept::NotDue) => Ok(document::payment(StatusCode::ACCEPTED, payment, Replayed::Yes, Ahead::default())),
        (_, _) => {
            Err(Problem::NotCancelable { id: payment.id.clone(), kind: payment.order.kind, state: payment.state })
        }
    }
}

fn charge_refused(request: &Request, charge: Option<&Payment>) -> Problem {
    let (field, reason) = match charge {
        Some(charge) if charge.order.merchant == request.order.merchant => {
            if charge.order.kind != Kind::Charge || !charge.has_moved_money() {
                ("original_order_id", "the charge has not succeeded, so there is nothing to give back yet")
            } else if charge.order.money.currency() != request.order.money.currency() {
                ("currency", "the charge was made in another currency")
            } else if charge.was_refunded_elsewhere() {
                ("original_order_id", "the charge was given back outside of Sluice")
            } else {
                ("amount", "more than what is left of the charge after its other refunds")
            }
        }
        Some(_) | None => ("original_order_id", "no charge with this order id is here"),
    };
    Problem::ChargeRefused(FieldError { field: field.to_owned(), reason: reason.to_owned() })
}
