//! `POST /v1/payments`: an order becomes a payment once, and its repeats are told what is true.

use std::time::Duration;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use http::StatusCode;
use payments::id::PaymentId;
use payments::idempotency::{Binding, Bound};
use payments::merchant::Merchant;
use payments::message::Message;
use payments::payment::{Kind, Order, Payment, RefundOf};
use payments::request::{self, FieldError, Request};
use payments::transition::{Event, accepted_after_recovery, may_lack_its_message};
use payments::write::Written;
use ports::{Admission, EventName, Ledger, Merchants, Outcome, Queue, Store, StoreError};
use providers::contract;
use tracing::{error, info, warn};

use crate::api::Call;
use crate::document::{Problem, Replayed};
use crate::progress::Progress;
use crate::{Ingest, read, status_of};

/// How long a repeated request waits for its payment's message to be put back; nobody needs the answer.
const HEAL_WITHIN: Duration = Duration::from_secs(3);

impl<L: Ledger, M: Merchants, A: Admission> Ingest<L, M, A> {
    /// Takes a new payment, or tells what became of the one that stands under its order.
    pub(crate) async fn create(
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
    pub(crate) async fn with_reference(&self, request: Request, id: &PaymentId) -> Result<Request, Problem> {
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

    pub(crate) fn accepted(&self, request: Request) -> Payment {
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

    pub(crate) async fn send(&self, payment: &Payment) -> Result<(), Problem> {
        let message = Message::new(payment.id.clone(), payment.order.merchant.clone(), self.ledger.now());
        self.ledger.queue().send(payment.order.lane, &message, 0).await.map_err(|error| {
            error!(event = EventName::MessageSendFailed.as_str(), payment_id = payment.id.as_str(), %error);
            // The item stands; whether it has a message nobody knows. Repeating finds it and sends again.
            Problem::MayBeAccepted(payment.id.clone())
        })
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
