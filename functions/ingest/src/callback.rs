//! `POST /v1/providers/{name}/events`: the provider says by itself what became of a payment.
//!
//! It settles through the same transition function as everybody else, so that it may come before the send's answer,
//! after a query, twice, or never. One read, and one write if it changes anything.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use payments::payment::Payment;
use payments::transition::Event;
use ports::{Admission, EventName, Ledger, Merchants, Outcome};
use providers::callback::{Known, NotTaken, Received};
use tracing::{error, info, warn};

use crate::Ingest;
use crate::api::Call;
use crate::document::{self, Problem};
use crate::progress::Progress;

/// Whose callbacks are taken, and how they are known.
#[derive(Clone, Debug)]
pub struct Callbacks {
    /// The provider's name in the path.
    pub provider: String,
    /// What its callbacks are known by.
    pub known: Known,
}

impl<L: Ledger, M: Merchants, A: Admission> Ingest<L, M, A> {
    /// Takes a callback. Whatever is answered with 200 need not be sent again; nothing is believed unsigned.
    pub(crate) async fn called_back(
        &self,
        call: &Call<'_>,
        callbacks: &Callbacks,
        progress: &Progress,
    ) -> Result<ApiGatewayV2httpResponse, Problem> {
        let provider = callbacks.provider.as_str();
        let body = call.body_of(callbacks.known.body_form())?;
        let signature = call.header(callbacks.known.signature_header());
        let callback = match callbacks.known.read(&Received { signature, body, at: self.ledger.now() }) {
            Ok(callback) => callback,
            Err(NotTaken::Untrusted(why)) => {
                warn!(event = EventName::CallbackUntrusted.as_str(), provider, reason = why.as_str());
                return Err(Problem::Untrusted(why));
            }
            Err(NotTaken::Unreadable) => {
                error!(event = EventName::CallbackUnreadable.as_str(), provider);
                return Err(Problem::UnreadableCallback);
            }
            // It would come again for days, and there is nothing to do about it.
            Err(NotTaken::Foreign) => {
                info!(event = EventName::CallbackNotOurs.as_str(), provider);
                return Ok(document::received_nothing());
            }
        };
        let id = callback.payment_id();
        let unknown = || {
            // The provider has an effect, or says so, for which there is no item: a case for a person.
            error!(event = EventName::CallbackUnknownPayment.as_str(), payment_id = id.as_str(), provider);
            Problem::UnknownPayment(id.clone())
        };
        progress.is_at(Problem::CallbackNotTaken(id.clone()));
        let stands = self.read(id).await.map_err(|_| Problem::CallbackNotTaken(id.clone()))?;
        let payment = stands.ok_or_else(unknown)?;
        if !callback.is_about(&payment) {
            error!(event = EventName::CallbackContradicts.as_str(), payment_id = id.as_str(), provider);
            return Err(Problem::Contradicts(id.clone()));
        }
        match self.decide(payment, &Event::CalledBack(callback.found())).await {
            Ok(Outcome::Changed(payment)) => log_settled(&payment),
            Ok(Outcome::Kept(payment, _)) => log_kept(&payment),
            Ok(Outcome::Missing) => return Err(unknown()),
            Err(error) => {
                warn!(event = EventName::PaymentWriteFailed.as_str(), payment_id = id.as_str(), %error);
                return Err(Problem::CallbackNotTaken(id.clone()));
            }
        }
        Ok(document::received(callbacks.known.receipt(), id))
    }
}

fn log_settled(payment: &Payment) {
    let (payment_id, state) = (payment.id.as_str(), payment.state.as_str());
    info!(event = EventName::PaymentCalledBack.as_str(), payment_id, state, reason = payment.reason.as_str());
    if payment.has_open_case() {
        error!(event = EventName::LateSuccess.as_str(), payment_id, state);
    }
}

fn log_kept(payment: &Payment) {
    let (payment_id, state) = (payment.id.as_str(), payment.state.as_str());
    info!(event = EventName::CallbackChangesNothing.as_str(), payment_id, state);
}
