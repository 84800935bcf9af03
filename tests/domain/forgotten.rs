//! What is forgotten of a payment and what never is: after the retention its details are gone, and its order, its end and
//! whatever decides about money stand for ever.

use std::time::Instant;

use payments::answer::Found;
use payments::case::{Case, CaseResolution};
use payments::evidence::{Evidence, Operator};
use payments::fingerprint::Fingerprint;
use payments::history::{
    Anchor, ENTRIES_MAX, Entry, Finding, HistoryKey, HistoryKeys, KEPT_AT_THE_BEGINNING, anchored, verify,
};
use payments::payment::{Kind, Lane, Order, Payment, Reason, RefundOf, State, case_shard};
use payments::policy::Policy;
use payments::request;
use payments::time::Timestamp;
use payments::transition::{Event, Kept, Step, transition};
use proptest::prelude::*;

use super::cases;
use super::walk::{Walk, any_order, turn};
use crate::contract::samples::{
    NOW, accepted, charged, full_order, history_keys, in_state, moment, policy, reference, refund, step,
};

const ENDS: [State; 4] = [State::Succeeded, State::Declined, State::Canceled, State::Expired];

fn forgets(payment: &Payment, now: Timestamp) -> Result<Payment, Kept> {
    forgets_by(payment, &policy(), now)
}

fn forgets_by(payment: &Payment, policy: &Policy, now: Timestamp) -> Result<Payment, Kept> {
    match transition(payment, &Event::Forget, &moment(policy, now)) {
        Step::Change(after) => Ok(*after),
        Step::Keep(kept) => Err(kept),
    }
}

fn line(payment: &Payment, at: Timestamp, reason: Reason) -> Entry {
    let attempt = payment.attempts;
    Entry { at, state: payment.state, reason, attempt, times: 1, provider_text: None, tag: None }
}

fn untagged(payment: &Payment) -> Vec<Entry> {
    payment.history.iter().map(|line| Entry { tag: None, ..line.clone() }).collect()
}

#[test]
fn an_end_is_forgotten_at_its_millisecond_and_exactly_this_is_kept() {
    for state in ENDS {
        let ended = in_state(state);
        let at = ended.forget_at.unwrap();
        assert_eq!(at, ended.changed_at.plus_ms(policy().retention_ms), "{state:?}");
        assert_eq!(forgets(&ended, at.minus_ms(1)), Err(Kept::NotDue), "{state:?}");
        let after = forgets(&ended, at).unwrap();
        let Order { merchant, order_id, .. } = ended.order.clone();
        let expected = Payment {
            order: Order {
                merchant,
                kind: Kind::Charge,
                order_id,
                money: ended.order.money,
                payment_method: None,
                customer: None,
                description: None,
                metadata: std::collections::BTreeMap::default(),
                lane: Lane::High,
                expires_at: None,
                refund_of: None,
                idempotency_key: None,
            },
            version: ended.version + 1,
            nonce: after.nonce.clone(),
            waits: 0,
            claim: None,
            first_sent_at: None,
            written_until: None,
            due_at: None,
            cancel_requested_at: None,
            recovered_at: None,
            heal: None,
            forget_at: None,
            forgotten_at: Some(at),
            history: after.history.clone(),
            chain: after.chain.clone(),
            ..ended.clone()
        };
        assert_eq!(after, expected, "{state:?}");
        let end = Entry { provider_text: ended.provider_text.clone(), ..line(&ended, ended.changed_at, ended.reason) };
        assert_eq!(untagged(&after), [end, line(&ended, at, Reason::Forgotten)], "{state:?}");
        assert!(verify(&after, &history_keys()).holds(), "{state:?}");
        assert_eq!(forgets(&after, at.plus_ms(policy().retention_ms)), Err(Kept::NotDue), "there is no more to forget");
    }
}

#[test]
fn what_is_open_is_never_forgotten() {
    for &state in State::ALL {
        let payment = in_state(state);
        let kept = match state {
            State::Parked => Kept::Parked,
            State::Queued | State::Sending | State::Pending | State::Unknown => Kept::NotDue,
            State::Succeeded | State::Declined | State::Canceled | State::Expired => continue,
        };
        // Not even where somebody has written that it may be.
        let marked = Payment { forget_at: Some(NOW), ..payment };
        assert_eq!(forgets(&marked, NOW.plus_ms(u64::MAX / 2)), Err(kept), "{state:?}");
    }
}

proptest! {
    #![proptest_config(cases(250))]

    #[test]
    fn whatever_happened_only_ends_without_an_open_case_are_forgotten_and_their_money_stands(
        order in any_order(), turns in proptest::collection::vec(turn(), 1..60), later in proptest::collection::vec(turn(), 0..20),
    ) {
        let mut walk = Walk::new(order);
        for turn in &turns {
            walk.take(turn);
        }
        let before = walk.payment.clone();
        let now = Timestamp::from_ms(walk.now + policy().retention_ms + 600_000);
        let forgotten = forgets(&before, now);
        prop_assert_eq!(forgotten.is_ok(), before.state.is_terminal() && !before.has_open_case());
        let Ok(after) = forgotten else { return Ok(()) };
        let money = |payment: &Payment| {
            let case = payment.case.clone().map(|case| Case { owner: None, ..case });
            (payment.state, payment.reason, payment.order.money, payment.refundable, payment.refundable_amount(), case)
        };
        prop_assert_eq!(money(&after), money(&before));
        prop_assert_eq!((&after.id, &after.fingerprint), (&before.id, &before.fingerprint));
        prop_assert_eq!(&after.order, &before.order.clone().without_details());
        prop_assert!(verify(&after, &history_keys()).holds());
        // And whatever happens then, the end stays and the history verifies.
        let (policy, claims) = (walk.policy.clone(), Vec::new());
        let mut walk = Walk { payment: after.clone(), policy, now: now.ms(), claims, acknowledged: false };
        for turn in &later {
            let done = walk.take(turn);
            prop_assert_eq!((done.after.state, done.after.reason), (after.state, after.reason));
            prop_assert_eq!(done.after.forgotten_at, after.forgotten_at);
            prop_assert!(verify(&done.after, &history_keys()).holds());
        }
    }
}

#[test]
fn a_late_success_of_what_is_forgotten_opens_a_case_that_is_forgotten_in_its_turn() {
    let ended = in_state(State::Declined);
    let at = ended.forget_at.unwrap();
    let forgotten = forgets(&ended, at).unwrap();
    let late = Found::Approved { reference: reference() };
    let case = step(&forgotten, &Event::CalledBack(&late), at.plus_ms(1));
    assert!(case.has_open_case() && case.is_forgotten());
    assert_eq!((case.forget_at, &case.open_shard), (None, &Some(case_shard(&case.id))));
    assert_eq!(forgets(&case, at.plus_ms(policy().retention_ms * 2)), Err(Kept::NotDue), "a case is open");

    let (anna, evidence) = (Operator::new("anna").unwrap(), Evidence::new("rf-1", "anna", "in the console").unwrap());
    let taken = step(&case, &Event::TakeCase { owner: &anna }, at.plus_ms(2));
    let close = Event::CloseCase { resolution: CaseResolution::RefundElsewhere, evidence: &evidence };
    let closed = step(&taken, &close, at.plus_ms(3));
    let again = closed.forget_at.unwrap();
    let short = forgets(&closed, again).unwrap();
    let case = short.case.clone().unwrap();
    assert_eq!((case.owner, case.resolution), (None, Some(CaseResolution::RefundElsewhere)));
    assert_eq!(short.forgotten_at, Some(again));
    let reasons: Vec<Reason> = short.history.iter().map(|line| line.reason).collect();
    let expected = [ended.reason, Reason::LateSuccess, Reason::CaseRefundedElsewhere, Reason::Forgotten];
    assert_eq!(reasons, expected);
    assert!(short.was_refunded_elsewhere() && verify(&short, &history_keys()).holds());
    assert!(!serde_json::to_string(&short).unwrap().contains("anna"), "{short:?}");
}

#[test]
fn nothing_that_may_say_who_paid_is_left_in_the_item() {
    let ended = in_state(State::Succeeded);
    let whole = serde_json::to_string(&ended).unwrap();
    let short = serde_json::to_string(&forgets(&ended, ended.forget_at.unwrap()).unwrap()).unwrap();
    for detail in ["pm_1OqR3k2eZvKYlo2CqTzGk0Xu", "17850", "Weiße Herz-Laterne", "b-17", "0d5e9a3c-7f0e-4a58"] {
        assert!(whole.contains(detail) && !short.contains(detail), "{detail}");
    }
}

#[test]
fn a_forgotten_refund_still_names_its_charge() {
    let charge = charged(100);
    let refund = step(&refund(&charge, 60), &Event::Cancel, NOW);
    let short = forgets(&refund, refund.forget_at.unwrap()).unwrap();
    let order_id = charge.order.order_id;
    assert_eq!(short.order.refund_of, Some(RefundOf::Charge { payment_id: charge.id, order_id, reference: None }));
}

/// A history that was changed by hand is evidence, and would be blessed by one that begins anew.
#[test]
fn a_history_that_does_not_verify_is_not_forgotten() {
    let mut ended = in_state(State::Succeeded);
    let at = ended.forget_at.unwrap();
    ended.history[1].at = ended.history[1].at.plus_ms(1);
    assert_eq!(forgets(&ended, at), Err(Kept::HistoryDoubted));
    let changed = in_state(State::Succeeded);
    let order = Order { customer: Some("17851".to_owned()), ..changed.order.clone() };
    assert_eq!(forgets(&Payment { order, ..changed }, at), Err(Kept::HistoryDoubted));
}

#[test]
fn a_chain_whose_key_is_gone_is_not_begun_anew() {
    let ended = in_state(State::Succeeded);
    let at = ended.forget_at.unwrap();
    let other =
        Policy { history_keys: HistoryKeys::one(HistoryKey::of(b"another key of thirty-two bytes.")), ..policy() };
    let short = forgets_by(&ended, &other, at).unwrap();
    assert_eq!((short.chain.clone(), short.is_forgotten()), (None, true));
    assert_eq!(verify(&short, &other.history_keys).findings, [Finding::NoChain]);
    let older = Payment { chain: None, ..in_state(State::Succeeded) };
    assert_eq!(forgets(&older, at).unwrap().chain, None);
}

#[test]
fn a_short_history_is_linked_under_the_current_key() {
    let ended = in_state(State::Succeeded);
    let base64_of_the_samples = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let rotated = HistoryKeys::parse(&format!("{},{base64_of_the_samples}", "ab".repeat(32))).unwrap();
    let rotated = Policy { history_keys: rotated, ..policy() };
    let short = forgets_by(&ended, &rotated, ended.forget_at.unwrap()).unwrap();
    assert_eq!(short.chain.as_ref().unwrap().key, rotated.history_keys.current().id());
    assert!(verify(&short, &rotated.history_keys).holds());
}

/// The log still has the heads of the long history.
#[test]
fn heads_from_before_are_known_as_forgotten_and_an_item_that_was_set_back_is_found() {
    let head = |payment: &Payment| Anchor { version: payment.version, head: payment.history_head().unwrap() };
    let ended = in_state(State::Declined);
    let at = ended.forget_at.unwrap();
    let short = forgets(&ended, at).unwrap();
    let anchors = [head(&ended), head(&short)];
    let found = anchored(&short, &verify(&short, &history_keys()), &anchors);
    assert_eq!((found.passed, found.forgotten, found.findings), (1, 1, vec![]));
    let case = step(&short, &Event::CalledBack(&Found::Approved { reference: reference() }), at.plus_ms(1));
    let found = anchored(&case, &verify(&case, &history_keys()), &[head(&ended), head(&short), head(&case)]);
    assert_eq!((found.passed, found.forgotten, found.findings), (2, 1, vec![]));
    // Forgotten by somebody else: the log has no head of that.
    let found = anchored(&short, &verify(&short, &history_keys()), &[head(&ended)]);
    assert!(!found.findings.is_empty());
    let set_back = anchored(&ended, &verify(&ended, &history_keys()), &anchors);
    assert!(!set_back.findings.is_empty());
}

#[test]
fn another_body_is_told_from_the_first_by_what_is_kept() {
    let order = full_order();
    let short = {
        let ended = step(&accepted(order.clone()), &Event::Cancel, NOW);
        forgets(&ended, ended.forget_at.unwrap()).unwrap()
    };
    assert_eq!(request::differences(&order, &short), Vec::<&str>::new(), "what was forgotten is not said to differ");
    let other_method = Order { payment_method: None, ..order.clone() };
    assert_eq!(request::differences(&other_method, &short), Vec::<&str>::new());
    let other_lane = Order { lane: Lane::Standard, customer: None, ..order };
    assert_eq!(request::differences(&other_lane, &short), ["priority"]);
    // The fingerprint knows all the same.
    assert_ne!(short.fingerprint, Fingerprint::of([("order_id", "another")]));
}

/// A count that was written by hand into a line must not keep the next writer at work.
#[test]
fn a_line_with_an_absurd_count_delays_nobody_and_is_found() {
    let doubtful = |index: usize| {
        let mut payment = accepted(full_order());
        while payment.history.len() < ENTRIES_MAX {
            payment = step(&Payment { attempts_left: 0, ..payment }, &Event::DeadLettered, NOW);
            payment = step(&payment, &Event::Replay, NOW);
        }
        payment.history[index].times = u32::MAX;
        Payment { version: u64::MAX / 2, ..payment }
    };
    for index in [KEPT_AT_THE_BEGINNING - 1, KEPT_AT_THE_BEGINNING] {
        let begun = Instant::now();
        let written = step(&Payment { attempts_left: 0, ..doubtful(index) }, &Event::DeadLettered, NOW);
        assert!(begun.elapsed().as_secs() < 10, "line {index}: {:?}", begun.elapsed());
        assert!(!verify(&written, &history_keys()).holds(), "line {index}");
    }
}
