//! `POST /v1/payments/{id}/cancel`: a payment is taken back while it surely was not made.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use http::StatusCode;
use payments::id::PaymentId;
use payments::merchant::Merchant;
use payments::payment::{Payment, State};
use payments::transition::{Event, Kept};
use payments::write::Written;
use ports::{Admission, EventName, Ledger, Merchants, Outcome, StoreError};
use providers::contract;
use tracing::{error, info};

use crate::api::Call;
use crate::document::{self, Ahead, Problem, Replayed};
use crate::progress::Progress;
use crate::{Ingest, read, status_of};

impl<L: Ledger, M: Merchants, A: Admission> Ingest<L, M, A> {
    /// Takes a payment back, also one that is not here.
    pub(crate) async fn cancel(
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

    fn cancel_failed(id: &PaymentId, error: &StoreError) -> Problem {
        error!(event = EventName::PaymentWriteFailed.as_str(), payment_id = id.as_str(), %error);
        match error {
            StoreError::Refused(_) => Problem::NotCanceled(id.clone()),
            StoreError::Unresolved(_) | StoreError::Corrupt(_) => Problem::MayBeCanceled(id.clone()),
        }
    }
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
