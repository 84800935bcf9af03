//! A payment's whole story as its merchant sees it.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use http::StatusCode;
use payments::answer::ProviderText;
use payments::history::{Call, Entry, lines};
use payments::payment::Payment;
use serde::Serialize;

use super::{headers, respond};

#[derive(Serialize)]
struct HistoryDocument<'a> {
    id: &'a str,
    state: &'static str,
    reason: &'static str,
    /// The same as the payment's `history_head`.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    /// Lines that there was no room for; they stood after the sixteenth.
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped_lines: Option<u32>,
    lines: Vec<LineDocument<'a>>,
}

#[derive(Serialize)]
struct LineDocument<'a> {
    at: String,
    state: &'static str,
    reason: &'static str,
    explanation: &'static str,
    attempt: u32,
    times: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_text: Option<&'a str>,
}

impl<'a> LineDocument<'a> {
    fn of(entry: &'a Entry, call: Option<Call>) -> Self {
        let Entry { at, state, reason, attempt, times, provider_text, tag: _ } = entry;
        Self {
            at: at.to_string(),
            state: state.as_str(),
            reason: reason.as_str(),
            explanation: reason.sentence(),
            attempt: *attempt,
            times: *times,
            call: call.map(Call::as_str),
            provider_text: provider_text.as_ref().map(ProviderText::as_str),
        }
    }
}

/// The answer to a request for a payment's history.
pub(crate) fn history(payment: &Payment) -> ApiGatewayV2httpResponse {
    let document = HistoryDocument {
        id: payment.id.as_str(),
        state: payment.state.as_str(),
        reason: payment.reason.as_str(),
        head: payment.history_head().map(|head| head.to_string()),
        dropped_lines: payment.chain.as_ref().and_then(|chain| chain.gap).map(|gap| gap.lines),
        lines: lines(payment).map(|(_, entry, call)| LineDocument::of(entry, call)).collect(),
    };
    respond(StatusCode::OK, headers("application/json"), &document)
}
