//! Whole kinds of faults that a looser test lets through: a port that fails alone, an answer that leaves a message out,
//! an invocation without time, a document with a field of another.

use ::consumer::{Consumer, Limits};
use ::dead_letter::DeadLetter;
use http::Method;
use pacing::gate::{GateAnswer, GateState, GateUpdate};
use payments::merchant::{ApiKeyHash, Merchant};
use payments::payment::{Kind, Order, Payment, Reason, RefundOf, State};
use payments::transition::Recovery;
use ports::{GateStore, PortError};
use serde_json::json;
use simulator::memory::queue::Name;
use simulator::memory::{MemoryProvider, MemoryQueue};
use simulator::run::gate_settings;

use super::stage::{
    Stage, TheDeadLetter, UK, ask, cancel, charge, failed, get, merchant, message_for, post, request, seconds,
};
use crate::contract::samples::{NOW, accepted, charged, full_order, in_state, in_state_of, order, refund};

/// A gate that does not answer, while the table and the queues do.
#[derive(Debug)]
struct Down {
    reads: bool,
}

fn down() -> PortError {
    PortError::throttled("throttled")
}

impl GateStore for Down {
    async fn update(&self, _: &GateUpdate) -> Result<GateAnswer, PortError> {
        Err(down())
    }

    async fn read(&self, provider: &str) -> Result<Option<GateState>, PortError> {
        if self.reads { Ok(Some(GateState::new(provider, 100, 10))) } else { Err(down()) }
    }

    async fn create(&self, _: &GateState) -> Result<(), PortError> {
        Err(down())
    }
}

/// The table answers, so that nothing but the gate keeps the payments from being sent.
#[tokio::test(start_paused = true)]
async fn a_gate_that_fails_alone_sends_nothing_and_claims_nothing() {
    for reads in [false, true] {
        let stage = Stage::calm();
        let consumer = Consumer::new(
            stage.wired(stage.store()),
            Down { reads },
            MemoryProvider::new(&stage.ledger, &stage.environment),
            Limits { max_in_flight: 50, gate: gate_settings() },
            GateState::new("sandbox", 100, 10),
        );
        let payments: Vec<_> = (0..3).map(|_| stage.stands(accepted(order()))).collect();
        let before: Vec<_> = payments.iter().map(|id| stage.payment(id)).collect();
        let bodies: Vec<_> = before.iter().map(|payment| message_for(&stage, payment)).collect();
        let event = stage.batch(Name::Standard, &bodies);
        let response = consumer.handle(event.clone(), stage.now().plus_ms(60_000)).await;
        assert_eq!(failed(&event, &response), [0, 1, 2]);
        assert_eq!(stage.calls(), 0);
        let after: Vec<_> = payments.iter().map(|id| stage.payment(id)).collect();
        assert_eq!(after, before, "a gate that reads: {reads}");
        // A moment's throttling costs the batch five seconds, not its place in the lane.
        seconds(4).await;
        assert_eq!(stage.receive(Name::Standard, &bodies).records.len(), 0, "hidden");
        seconds(2).await;
        assert_eq!(stage.receive(Name::Standard, &bodies).records.len(), 3);
    }
}

fn triage(stage: &Stage) -> TheDeadLetter {
    DeadLetter::new(stage.wired(stage.store()))
}

/// Lambda deletes what an answer does not name.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_for_which_there_is_no_time_is_named_in_the_answer() {
    for within_ms in [0, 1, 15_999, 16_000, 16_010, 16_050, 60_000] {
        let stage = Stage::calm();
        let ids: Vec<_> = (0..5).map(|_| stage.stands(accepted(order()))).collect();
        let bodies: Vec<_> = ids.iter().map(|id| message_for(&stage, &stage.payment(id))).collect();
        let event = stage.batch(Name::DeadLetter, &bodies);
        let response = triage(&stage).handle(event.clone(), stage.now().plus_ms(within_ms)).await;
        let failed = failed(&event, &response);
        let lanes = stage.queues.depth(Name::High) + stage.queues.depth(Name::Standard);
        assert_eq!(failed.len() + lanes, 5, "{within_ms} ms: each is put back or named");
        for (index, id) in ids.iter().enumerate() {
            assert_eq!(stage.payment(id).heal.is_none(), failed.contains(&index), "{within_ms} ms, {index}");
        }
        match within_ms {
            0..16_000 => assert_eq!(failed, [0, 1, 2, 3, 4], "{within_ms} ms"),
            16_000..60_000 => assert!(!failed.contains(&0), "{within_ms} ms are enough for one"),
            _ => assert!(failed.is_empty()),
        }
    }
}

/// In the DLQ too nothing is given up that the provider may have: what was ever sent goes back to be asked about.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_of_what_was_ever_sent_goes_back_to_be_asked_about() {
    for state in [State::Sending, State::Pending, State::Unknown] {
        let stage = Stage::calm();
        let mut payment = in_state(state);
        // Nothing left to send with: it needs none to be asked about.
        payment.attempts_left = 0;
        let id = stage.stands(payment);
        // Whatever lease there was is over.
        seconds(120).await;
        let before = stage.payment(&id);
        let event = stage.batch(Name::DeadLetter, &[message_for(&stage, &before)]);
        let response = triage(&stage).handle(event.clone(), stage.now().plus_ms(60_000)).await;
        assert_eq!(failed(&event, &response), [0; 0], "{state:?}");
        assert_eq!(stage.payment(&id).state, state, "it is not parked");
        let back = stage.queues.depth(Name::High) + stage.queues.depth(Name::Standard);
        assert_eq!(back, 1, "{state:?}");
    }
}

/// The order may have been charged before the restore: its cancelation is an order to ask first, and somebody has to.
#[tokio::test(start_paused = true)]
async fn an_unseen_order_that_is_canceled_after_a_restore_is_asked_about_first() {
    let stage = Stage::calm();
    let recovery = Recovery { point: stage.now().minus_ms(3_600_000), at: stage.now() };
    let ingest = stage.ingest().with_recovery(Some(recovery));
    let id = ask(&Stage::calm().ingest(), post(&charge("536365"))).await.text("id").to_owned();
    let answer = ask(&ingest, cancel(&id, Some(&charge("536365")))).await;
    assert_eq!((answer.status, answer.text("state")), (202, "unknown"));
    assert!(!answer.text("cancel_requested_at").is_empty(), "{answer:?}");
    let stands = stage.table.payments().remove(0);
    assert_eq!((stands.reason, stands.version), (Reason::MayHaveBeenMade, 1));
    assert_eq!((stands.first_sent_at, stands.written_until), (Some(recovery.point), Some(recovery.at)));
    assert!(stands.cancel_requested_at.is_some() && stands.ever_sent());
    let event = stage.receive(Name::Standard, &[]);
    assert_eq!(event.records.len(), 1, "its message, or nobody would ask");
    assert!(event.records[0].body.as_ref().unwrap().contains(&id));
    // Asked about, it is found absent only after the bound, and ends as its merchant wished, without a charge.
    stage.consume(event).await;
    assert_eq!(stage.payment(&stands.id).state, State::Unknown, "too early to believe");
    assert_eq!(stage.ledger.effects_by_payment().get(&stands.id), None);
}

fn text(at: Option<payments::time::Timestamp>) -> serde_json::Value {
    at.map_or(serde_json::Value::Null, |at| json!(at.to_string()))
}

/// The document as a reader of infra/docs/api.md expects it, field by field, from what stands.
fn expected(payment: &Payment) -> serde_json::Value {
    let is_declined = payment.state == State::Declined;
    let said = payment.provider_text.as_ref().map(payments::answer::ProviderText::as_str);
    let mut document = json!({
        "id": payment.id.as_str(),
        "kind": payment.order.kind.as_str(),
        "order_id": payment.order.order_id.as_str(),
        "amount": payment.order.money.amount(),
        "currency": "GBP",
        "state": payment.state.as_str(),
        "reason": payment.reason.as_str(),
        "priority": payment.order.lane.as_str(),
        "created_at": payment.created_at.to_string(),
        "changed_at": payment.changed_at.to_string(),
        "expires_at": text(payment.order.expires_at),
        "cancel_requested_at": text(payment.cancel_requested_at),
        "original_order_id": match &payment.order.refund_of {
            Some(RefundOf::Charge { order_id, .. }) => json!(order_id.as_str()),
            Some(RefundOf::Unlinked) | None => serde_json::Value::Null,
        },
        "late_success_at": text(payment.case.as_ref().map(|case| case.opened_at)),
        "refundable_amount": if payment.state == State::Succeeded { json!(payment.refundable) } else { json!(null) },
        "provider_reference": if is_declined { json!(null) } else { json!(said) },
        "provider_code": if is_declined { json!(said) } else { json!(null) },
        "history_head": payment.history_head().map(|head| head.to_string()),
    });
    document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    document
}

#[tokio::test(start_paused = true)]
async fn a_payments_document_says_each_field_of_what_stands() {
    let kinds = Kind::ALL.iter().map(|&kind| Order { kind, ..full_order() });
    let linked = refund(&charged(10_000), 60).order;
    for order in kinds.chain([order(), linked]) {
        for &state in State::ALL {
            let stage = Stage::calm();
            let expires_at = order.expires_at.or((state == State::Expired).then_some(NOW));
            let mut payment = in_state_of(state, &Order { expires_at, ..order.clone() });
            payment.changed_at = payment.created_at.plus_ms(1_234);
            if !state.is_terminal() {
                payment.cancel_requested_at = Some(payment.created_at.plus_ms(777));
            }
            stage.table.set(payment.clone());
            let answer = ask(&stage.ingest(), get(&format!("/v1/payments/{}", payment.id))).await;
            let mut document = answer.document.clone();
            // What the wire has beside it is judged where it comes from.
            document.as_object_mut().unwrap().retain(|name, _| expected(&payment).get(name).is_some());
            assert_eq!(document, expected(&payment), "{state:?}");
            assert_eq!(answer.header("location"), Some(format!("/v1/payments/{}", payment.id).as_str()));
            for absent in ["provider_code", "provider_reference", "late_success_at", "refundable_amount"] {
                if expected(&payment).get(absent).is_none() {
                    assert_eq!(answer.document.get(absent), None, "{absent} in {state:?}");
                }
            }
        }
    }
}

/// In whole seconds, never sooner than the moment itself, and never at once: SQS would hand it out again and again.
#[test]
fn a_message_comes_again_in_whole_seconds_rounded_up_and_at_least_one() {
    for (after_ms, seconds) in [(0, 1), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (2_000, 2), (59_001, 60)] {
        let verdict = batch::Verdict::again_at(NOW.plus_ms(after_ms), NOW);
        assert_eq!(verdict, batch::Verdict::Again { seconds }, "{after_ms} ms");
    }
    assert_eq!(batch::Verdict::again_at(NOW.minus_ms(5_000), NOW), batch::Verdict::Again { seconds: 1 });
}

/// One that does not say when it was sent is never taken for one that a person put back.
#[tokio::test(start_paused = true)]
async fn a_message_without_its_time_of_sending_counts_as_old() {
    let stage = Stage::calm();
    let mut event = stage.batch(Name::Standard, &["hello".to_owned()]);
    event.records[0].attributes.clear();
    let records = batch::records(event, &MemoryQueue::new(&stage.queues, &stage.environment));
    assert_eq!(records[0].sent_timestamp, payments::time::Timestamp::from_ms(0));
}

#[tokio::test(start_paused = true)]
async fn a_body_may_have_its_most_bytes_and_not_one_more() {
    let most = payments::request::BODY_BYTES_MAX;
    for (bytes, status) in [(most - 1, 202), (most, 202), (most + 1, 413)] {
        let body = charge("536365").to_string();
        let body = format!("{body}{}", " ".repeat(bytes - body.len()));
        let answer = ask(&Stage::calm().ingest(), request(Method::POST, "/v1/payments", UK, Some(body))).await;
        assert_eq!(answer.status, status, "{bytes} bytes: {answer:?}");
    }
}

/// A key that was unknown a moment ago may have been given out since.
#[tokio::test(start_paused = true)]
async fn a_new_key_works_ten_seconds_after_it_was_refused() {
    const KEY: &str = "sandbox_key_that_is_new_00000001";
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let body = || Some(charge("536365").to_string());
    let first = ask(&ingest, request(Method::POST, "/v1/payments", KEY, body())).await;
    assert_eq!(first.status, 401);
    stage.table.add_merchant(Merchant { key_hash: ApiKeyHash::of(KEY).unwrap(), ..merchant(UK) });
    seconds(4).await;
    let before = ask(&ingest, request(Method::POST, "/v1/payments", KEY, body())).await;
    assert_eq!(before.status, 401, "believed for five seconds at least, so that a flood of wrong keys costs few reads");
    seconds(6).await;
    let after = ask(&ingest, request(Method::POST, "/v1/payments", KEY, body())).await;
    assert_eq!(after.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_text_may_have_its_most_characters_and_not_one_more() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    for (number, (length, status)) in [(127, 202), (128, 202), (129, 400)].into_iter().enumerate() {
        let mut body = charge(&format!("53636{number}"));
        body["customer"] = "c".repeat(length).into();
        let answer = ask(&ingest, post(&body)).await;
        assert_eq!(answer.status, status, "{length} characters: {answer:?}");
    }
}
