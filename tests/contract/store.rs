//! The contract of `Store`.

use payments::answer::{Found, SendAnswer};
use payments::history::{ENTRIES_MAX, Entry};
use payments::id::{MerchantId, OrderId, PaymentId};
use payments::payment::{Kind, Payment, Reason, State};
use payments::transition::{Event, Kept};
use payments::write::{SendClaim, Written};
use ports::{Outcome, Store, StoreError, claim, decide, put};

use super::samples::{
    Counting, NOW, Stopped, accepted, charged, claim_of, drawn, full_order, held, in_state, nonce, order, policy,
    reference, sending, step,
};

/// Every promise of a store that needs no fault.
pub async fn store_contract<S: Store>(store: &S) {
    a_new_payment_is_written_and_reads_back(store).await;
    a_second_put_is_refused_with_what_stands(store).await;
    a_claim_does_in_each_state_what_apply_does(store).await;
    a_claim_that_does_not_fit_changes_nothing(store).await;
    a_claim_is_known_again_though_a_cancelation_came_between(store).await;
    a_replace_writes_every_change(store).await;
    a_replace_of_what_no_longer_stands_is_refused(store).await;
    a_decision_is_made_anew_on_what_stands(store).await;
}

/// Makes the next write act and lose its answer.
pub trait Lossy {
    /// The answer of the next write is lost once.
    fn lose_next_answer(&self);
}

/// A write whose answer was lost is known again by its nonce, whoever retries it: the adapter or the caller.
pub async fn lost_answer_contract<S: Store, L: Lossy>(store: &S, lossy: &L) {
    let payment = accepted(full_order());
    lossy.lose_next_answer();
    let written = until_resolved(async || put(store, &payment).await).await;
    assert_eq!(written, Written::Applied(Box::new(payment.clone())), "put");

    let send = claim_of(&payment);
    let expected = send.apply(&payment, &policy()).expect("it can be claimed");
    lossy.lose_next_answer();
    let written = until_resolved(async || claim(store, &send).await).await;
    assert_eq!(written, Written::Applied(Box::new(expected.clone())), "claim");

    let claim_id = held(&expected);
    let answer = SendAnswer::Found(Found::Approved { reference: reference() });
    let event = Event::SendAnswered { claim: &claim_id, answer: &answer };
    lossy.lose_next_answer();
    let outcome =
        until_resolved(async || decide(store, &Stopped, &Counting, &policy(), expected.clone(), &event).await).await;
    // A caller that decides anew finds the payment ended, by its own hand.
    match outcome {
        Outcome::Changed(stands) | Outcome::Kept(stands, Kept::Ended) => {
            assert_eq!(stands.state, State::Succeeded, "settle");
            assert_eq!(stands.version, expected.version + 1, "settled once");
        }
        other => panic!("settle: {other:?}"),
    }

    let payment = accepted(order());
    applied(store.put(&payment).await);
    let after = step(&payment, &Event::Cancel, NOW);
    lossy.lose_next_answer();
    match until_resolved(async || store.replace(&payment, &after).await).await {
        Written::Applied(stands) | Written::Refused(Some(stands)) => {
            assert_eq!(stands.nonce, after.nonce, "replace");
        }
        other => panic!("replace: {other:?}"),
    }

    let charge = charged(100);
    applied(store.put(&charge).await);
    let refund = super::samples::refund(&charge, 60);
    lossy.lose_next_answer();
    let written = until_resolved(async || put(store, &refund).await).await;
    assert_eq!(written, Written::Applied(Box::new(refund)), "a refund's put");
    assert_eq!(stands(store, &charge.id).await.refundable, Some(40), "reserved once");
}

/// Does it until its answer is heard.
pub async fn until_resolved<T>(write: impl AsyncFn() -> Result<T, StoreError>) -> T {
    for _ in 0..3 {
        match write().await {
            Ok(written) => return written,
            Err(StoreError::Unresolved(_)) => {}
            Err(other) => panic!("a lost answer is unresolved and nothing else: {other:?}"),
        }
    }
    panic!("one answer was lost, not three")
}

async fn a_new_payment_is_written_and_reads_back<S: Store>(store: &S) {
    for payment in [accepted(order()), accepted(full_order())] {
        assert_eq!(store.get(&payment.id).await, Ok(None));
        assert_eq!(store.put(&payment).await, Ok(Written::Applied(Box::new(payment.clone()))));
        assert_eq!(stands(store, &payment.id).await, payment);
    }
}

async fn a_second_put_is_refused_with_what_stands<S: Store>(store: &S) {
    let first = accepted(full_order());
    applied(store.put(&first).await);
    let second = Payment { nonce: nonce(), ..accepted(first.order.clone()) };
    assert_eq!(store.put(&second).await, Ok(Written::Refused(Some(Box::new(first.clone())))));
    assert_eq!(stands(store, &first.id).await, first);
}

async fn a_claim_does_in_each_state_what_apply_does<S: Store>(store: &S) {
    for &state in State::ALL {
        let payment = in_state(state);
        assert_eq!(payment.state, state);
        let claim = claim_of(&payment);
        assert_eq!(claim.apply(&payment, &policy()).is_some(), state == State::Queued, "{state:?}");
        claims_like_apply(store, &payment, &claim, &format!("{state:?}")).await;
    }
    // Back in the queue after an attempt that was proved refused: a first attempt again, with a longer history.
    for (early_ms, is_due) in [(1, false), (0, true)] {
        let payment = sending(full_order());
        let claim_id = held(&payment);
        let answer = SendAnswer::NotTaken(payments::answer::NotTaken::RateLimited { retry_after_ms: Some(2_000) });
        let payment = step(&payment, &Event::SendAnswered { claim: &claim_id, answer: &answer }, NOW);
        let now = payment.due_at.expect("a 429 says when").minus_ms(early_ms);
        let claim = SendClaim { now, ..claim_of(&payment) };
        assert_eq!(claim.apply(&payment, &policy()).is_some(), is_due);
        claims_like_apply(store, &payment, &claim, "back in the queue").await;
    }
}

async fn a_claim_that_does_not_fit_changes_nothing<S: Store>(store: &S) {
    type Change = fn(&mut Payment, &mut SendClaim);
    let cases: [(&str, bool, Change); 10] = [
        ("expired", false, |payment, _| payment.order.expires_at = Some(NOW)),
        ("not yet expired", true, |payment, _| payment.order.expires_at = Some(NOW.plus_ms(1))),
        ("no attempts left", false, |payment, _| payment.attempts_left = 0),
        ("the last attempt", true, |payment, _| payment.attempts_left = 1),
        ("another merchant", false, |_, claim| claim.merchant = MerchantId::new("france").unwrap()),
        ("the key may be forgotten", false, |payment, claim| {
            payment.first_sent_at = Some(claim.first_sent_after);
        }),
        ("the key is surely known", true, |payment, claim| {
            payment.first_sent_at = Some(claim.first_sent_after.plus_ms(1));
        }),
        ("sent before", false, |payment, _| payment.attempts = 1),
        ("a cancel is wanted", false, |payment, _| payment.cancel_requested_at = Some(NOW)),
        ("the history is full", false, |payment, _| {
            payment.history = (0..ENTRIES_MAX).map(|_| entry(payment)).collect();
        }),
    ];
    for (name, fits, change) in cases {
        let mut payment = accepted(full_order());
        let mut claim = claim_of(&payment);
        change(&mut payment, &mut claim);
        assert_eq!(claim.apply(&payment, &policy()).is_some(), fits, "{name}");
        claims_like_apply(store, &payment, &claim, name).await;
    }
    let nobody = accepted(order());
    assert_eq!(store.claim(&claim_of(&nobody)).await, Ok(Written::Refused(None)), "no item");
    assert_eq!(store.get(&nobody.id).await, Ok(None), "a claim creates nothing");
}

fn entry(payment: &Payment) -> Entry {
    let attempt = u32::try_from(drawn() % 1_000).unwrap();
    Entry { attempt, reason: Reason::Accepted, ..payment.history[0].clone() }
}

async fn claims_like_apply<S: Store>(store: &S, payment: &Payment, claim: &SendClaim, name: &str) {
    applied(store.put(payment).await);
    let expected = claim.apply(payment, &policy());
    let written = match &expected {
        Some(after) => Written::Applied(Box::new(after.clone())),
        None => Written::Refused(Some(Box::new(payment.clone()))),
    };
    assert_eq!(store.claim(claim).await, Ok(written), "{name}");
    assert_eq!(&stands(store, &payment.id).await, expected.as_ref().unwrap_or(payment), "{name}");
}

/// The claim's answer is lost, the merchant asks to cancel, and the claim is tried again.
async fn a_claim_is_known_again_though_a_cancelation_came_between<S: Store>(store: &S) {
    let payment = accepted(order());
    applied(store.put(&payment).await);
    let send = claim_of(&payment);
    applied(store.claim(&send).await);
    let claimed = stands(store, &payment.id).await;
    applied(store.replace(&claimed, &step(&claimed, &Event::Cancel, NOW)).await);
    let asked = stands(store, &payment.id).await;
    assert!(asked.cancel_requested_at.is_some() && asked.nonce != send.nonce);
    assert_eq!(claim(store, &send).await, Ok(Written::Applied(Box::new(asked.clone()))));
    // Somebody else's claim is not ours.
    let other = claim_of(&payment);
    assert_eq!(claim(store, &other).await, Ok(Written::Refused(Some(Box::new(asked)))));
}

async fn a_replace_writes_every_change<S: Store>(store: &S) {
    for &state in State::ALL {
        let before = accepted(full_order());
        applied(store.put(&before).await);
        // Everything but the identity may differ from one version to the next, in both directions.
        let template = in_state(state);
        let after = Payment {
            id: before.id.clone(),
            order: before.order.clone(),
            version: before.version + 1,
            nonce: nonce(),
            ..template
        };
        assert_eq!(store.replace(&before, &after).await, Ok(Written::Applied(Box::new(after.clone()))), "{state:?}");
        assert_eq!(stands(store, &before.id).await, after, "{state:?}");
        let back = Payment { version: after.version + 1, nonce: nonce(), ..before.clone() };
        applied(store.replace(&after, &back).await);
        assert_eq!(stands(store, &before.id).await, back, "back from {state:?}");
    }
}

async fn a_replace_of_what_no_longer_stands_is_refused<S: Store>(store: &S) {
    let before = accepted(full_order());
    applied(store.put(&before).await);
    let canceled = step(&before, &Event::Cancel, NOW);
    applied(store.replace(&before, &canceled).await);
    let late = claim_of(&before).apply(&before, &policy()).unwrap();
    assert_eq!(store.replace(&before, &late).await, Ok(Written::Refused(Some(Box::new(canceled.clone())))));
    assert_eq!(stands(store, &before.id).await, canceled);

    let nobody = accepted(order());
    let after = step(&nobody, &Event::Cancel, NOW);
    assert_eq!(store.replace(&nobody, &after).await, Ok(Written::Refused(None)));
    assert_eq!(store.get(&nobody.id).await, Ok(None), "a replace creates nothing");
}

async fn a_decision_is_made_anew_on_what_stands<S: Store>(store: &S) {
    let before = accepted(order());
    applied(store.put(&before).await);
    let claimed = claim_of(&before).apply(&before, &policy()).unwrap();
    applied(store.replace(&before, &claimed).await);
    // Read before the claim; a payment that is being sent only notes that its cancellation is wanted.
    let outcome = decide(store, &Stopped, &Counting, &policy(), before, &Event::Cancel).await.unwrap();
    let Outcome::Changed(after) = outcome else { panic!("{outcome:?}") };
    assert_eq!((after.state, after.cancel_requested_at), (State::Sending, Some(NOW)));
    assert_eq!(stands(store, &claimed.id).await, *after);

    let nobody = accepted(order());
    let outcome = decide(store, &Stopped, &Counting, &policy(), nobody, &Event::Cancel).await;
    assert_eq!(outcome, Ok(Outcome::Missing));
}

/// What stands under an id.
pub async fn stands<S: Store>(store: &S, id: &PaymentId) -> Payment {
    store.get(id).await.expect("the table answers").expect("there is an item")
}

/// Asserts that a write was applied.
#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "it is handed the write's own answer")]
pub fn applied(written: Result<Written, StoreError>) {
    assert!(matches!(written, Ok(Written::Applied(_))), "{written:?}");
}

/// A payment's id that nothing stands under.
pub fn nobody() -> PaymentId {
    PaymentId::derive(&super::samples::merchant(), Kind::Charge, &OrderId::new("nobody").unwrap())
}
