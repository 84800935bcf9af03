//! The contract of `EndedPayments`: what is gone through part by part, and forgotten.

use std::collections::BTreeSet;

use payments::id::{MerchantId, PaymentId};
use payments::idempotency::Binding;
use payments::pass::Part;
use payments::payment::{Payment, State};
use payments::time::Timestamp;
use payments::transition::{Event, Kept};
use payments::write::Written;
use ports::{EndedPayments, Outcome, Store, decide};

use super::samples::{Counting, NOW, Stopped, accepted, charged, in_state, order, policy, reference, refund, step};
use super::store::{applied, stands};

const WHOLE: Part = Part { number: 0, of: 1 };

/// Every promise that a store makes about the whole table and about what is forgotten.
pub async fn ended_contract<S: Store + EndedPayments>(store: &S) {
    what_may_be_forgotten_is_found_page_by_page_and_nothing_else(store).await;
    what_is_forgotten_is_written_and_not_found_again(store).await;
    a_forgotten_order_is_still_there(store).await;
    a_forgotten_charge_bears_a_refund_and_no_more_than_is_left(store).await;
    a_forgotten_refund_that_succeeds_late_is_taken_back(store).await;
}

/// A payment that ended so long ago that its details may be forgotten at [`NOW`].
fn old(payment: Payment) -> Payment {
    Payment { forget_at: Some(NOW), ..payment }
}

/// Everything that is found in a part, by pages of so many items.
async fn found<S: EndedPayments>(store: &S, part: Part, now: Timestamp, most: u32) -> Vec<Payment> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.to_forget(part, after.as_ref(), now, most).await.expect("the table answers");
        assert!(page.payments.len() <= usize::try_from(most).unwrap());
        found.extend(page.payments.into_iter().map(|payment| payment.expect("each item can be read")));
        match page.next {
            Some(next) => after = Some(next),
            None => return found,
        }
    }
}

async fn found_ids<S: EndedPayments>(store: &S, now: Timestamp, most: u32) -> BTreeSet<PaymentId> {
    let ids: Vec<PaymentId> = found(store, WHOLE, now, most).await.into_iter().map(|payment| payment.id).collect();
    let each_once: BTreeSet<PaymentId> = ids.iter().cloned().collect();
    assert_eq!(ids.len(), each_once.len(), "nothing comes twice");
    each_once
}

async fn what_may_be_forgotten_is_found_page_by_page_and_nothing_else<S: Store + EndedPayments>(store: &S) {
    let mut due = BTreeSet::new();
    for &state in State::ALL {
        let payment = in_state(state);
        applied(store.put(&payment).await);
        if state.is_terminal() {
            let payment = old(in_state(state));
            applied(store.put(&payment).await);
            due.insert(payment.id);
        }
    }
    let open_case = step(
        &in_state(State::Declined),
        &Event::CalledBack(&payments::answer::Found::Approved { reference: reference() }),
        NOW,
    );
    applied(store.put(&open_case).await);
    let key = Binding::new(&MerchantId::new("france").unwrap(), "a-key", &open_case.id, NOW.minus_ms(90_000_000), 1);
    store.bind(&key).await.expect("a key is bound");
    for most in [1, 3, 1_000] {
        assert_eq!(found_ids(store, NOW, most).await, due, "by pages of {most}");
        assert!(found_ids(store, NOW.minus_ms(1), most).await.is_empty(), "a moment before");
    }
}

/// Each payment is in one part, whatever the number of parts.
pub async fn parts_contract<S: Store + EndedPayments>(store: &S) {
    for _ in 0..20 {
        applied(store.put(&old(in_state(State::Succeeded))).await);
    }
    let all = found_ids(store, NOW, 1_000).await;
    for of in [2, 7, 322_560] {
        let (mut in_parts, mut parts) = (Vec::new(), 0);
        // So many parts are looked at as hold something; the rest is empty.
        for number in (0..of).filter(|number| of < 100 || number % 40_320 == 0) {
            let part = found(store, Part { number, of }, NOW, 4).await;
            parts += usize::from(!part.is_empty());
            in_parts.extend(part.into_iter().map(|payment| payment.id));
        }
        let each_once: BTreeSet<PaymentId> = in_parts.iter().cloned().collect();
        assert_eq!(in_parts.len(), each_once.len(), "no payment is in two of {of} parts");
        assert!(each_once.is_subset(&all));
        assert!(of > 100 || (each_once == all && parts > 1), "{of} parts hold all of it: {parts}");
    }
}

async fn what_is_forgotten_is_written_and_not_found_again<S: Store + EndedPayments>(store: &S) {
    let payment = old(in_state(State::Declined));
    applied(store.put(&payment).await);
    let read = found(store, WHOLE, NOW, 1_000).await.into_iter().find(|it| it.id == payment.id).expect("it is found");
    assert_eq!(read, payment, "as it stands, every attribute");
    let outcome = decide(store, &Stopped, &Counting, &policy(), read, &Event::Forget).await;
    let Ok(Outcome::Changed(short)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(short.forgotten_at, Some(NOW));
    assert_eq!(stands(store, &payment.id).await, *short, "and every attribute that it lacks is gone");
    assert!(!found_ids(store, NOW, 1_000).await.contains(&payment.id));
    let again = decide(store, &Stopped, &Counting, &policy(), *short.clone(), &Event::Forget).await;
    assert_eq!(again, Ok(Outcome::Kept(short, Kept::NotDue)));

    // What opened a case meanwhile is left alone.
    let read = old(in_state(State::Canceled));
    applied(store.put(&read).await);
    let late = payments::answer::Found::Approved { reference: reference() };
    let case = step(&read, &Event::CalledBack(&late), NOW);
    applied(store.replace(&read, &case).await);
    let outcome = decide(store, &Stopped, &Counting, &policy(), read, &Event::Forget).await;
    assert_eq!(outcome, Ok(Outcome::Kept(Box::new(case.clone()), Kept::NotDue)));
    assert_eq!(stands(store, &case.id).await, case);
}

async fn a_forgotten_order_is_still_there<S: Store + EndedPayments>(store: &S) {
    let first = accepted(order());
    applied(store.put(&first).await);
    let ended = old(step(&first, &Event::Cancel, NOW));
    applied(store.replace(&first, &ended).await);
    let short = step(&ended, &Event::Forget, NOW);
    applied(store.replace(&ended, &short).await);
    let again = accepted(first.order.clone());
    assert_eq!(store.put(&again).await, Ok(Written::Refused(Some(Box::new(short.clone())))));
    assert_eq!(short.fingerprint, again.fingerprint);
}

async fn forgotten_charge<S: Store>(store: &S, pence: u64) -> Payment {
    let charge = old(charged(pence));
    applied(store.put(&charge).await);
    let short = step(&charge, &Event::Forget, NOW);
    applied(store.replace(&charge, &short).await);
    short
}

async fn a_forgotten_charge_bears_a_refund_and_no_more_than_is_left<S: Store>(store: &S) {
    let charge = forgotten_charge(store, 100).await;
    let (first, second) = (refund(&charge, 60), refund(&charge, 60));
    applied(store.put(&first).await);
    assert_eq!(stands(store, &charge.id).await.refundable, Some(40));
    assert!(matches!(store.put(&second).await, Ok(Written::ChargeRefused(Some(_)))));
    // A refund that is taken while the charge is being forgotten keeps what it took.
    let charge = old(charged(100));
    applied(store.put(&charge).await);
    applied(store.put(&refund(&charge, 60)).await);
    applied(store.replace(&charge, &step(&charge, &Event::Forget, NOW)).await);
    assert_eq!(stands(store, &charge.id).await.refundable, Some(40));
}

async fn a_forgotten_refund_that_succeeds_late_is_taken_back<S: Store>(store: &S) {
    let charge = forgotten_charge(store, 100).await;
    let refund = refund(&charge, 60);
    applied(store.put(&refund).await);
    let canceled = old(step(&refund, &Event::Cancel, NOW));
    applied(store.replace(&refund, &canceled).await);
    let short = step(&canceled, &Event::Forget, NOW);
    applied(store.replace(&canceled, &short).await);
    assert_eq!(stands(store, &charge.id).await.refundable, Some(100));
    let late = payments::answer::Found::Approved { reference: reference() };
    applied(store.replace(&short, &step(&short, &Event::CalledBack(&late), NOW)).await);
    assert_eq!(stands(store, &charge.id).await.refundable, Some(40), "the money has moved all the same");
}
