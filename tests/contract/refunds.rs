//! The contract of `Store` for refunds: what is given back was there to give.

use payments::answer::{Found, ProviderText, SendAnswer};
use payments::case::CaseResolution;
use payments::evidence::Evidence;
use payments::id::MerchantId;
use payments::money::{Currency, Money};
use payments::payment::{Order, Payment, State};
use payments::transition::Event;
use payments::write::Written;
use ports::Store;

use super::samples::{
    NOW, accepted, charged, claim_of, held, in_state, nonce, order, policy, pounds, reference, refund, step,
};
use super::store::{applied, nobody, stands};

/// Every promise of a store about refunds.
pub async fn refund_contract<S: Store>(store: &S) {
    two_of_sixty_on_a_hundred_cannot_both_pass(store).await;
    nor_at_the_same_time(store).await;
    a_success_keeps_what_it_took(store).await;
    a_repeated_refund_reserves_once(store).await;
    only_a_charge_that_fits_can_be_refunded(store).await;
    a_late_success_can_be_reserved_against(store).await;
    a_refund_that_is_written_as_ended_reserves_nothing(store).await;
    a_write_of_the_charge_leaves_the_reservation_alone(store).await;
    a_write_that_changes_what_is_left_is_done(store).await;
    a_refund_that_succeeds_late_is_taken_back(store).await;
    what_a_late_refund_found_too_little_for_the_next_release_pays(store).await;
    a_late_refund_in_another_currency_takes_nothing(store).await;
    a_charge_that_was_refunded_elsewhere_bears_nothing_more(store).await;
    a_refund_whose_charge_is_gone_or_counts_nothing_ends_all_the_same(store).await;
}

async fn two_of_sixty_on_a_hundred_cannot_both_pass<S: Store>(store: &S) {
    let charge = charged(100);
    applied(store.put(&charge).await);
    let (first, second) = (refund(&charge, 60), refund(&charge, 60));
    assert_eq!(store.put(&first).await, Ok(Written::Applied(Box::new(first.clone()))));
    let left = Payment { refundable: Some(40), ..charge.clone() };
    assert_eq!(stands(store, &charge.id).await, left);
    assert_eq!(store.put(&second).await, Ok(Written::ChargeRefused(Some(Box::new(left)))));
    assert_eq!(store.get(&second.id).await, Ok(None), "all or nothing");

    // The end without success gives it back, in the same write.
    let declined = settled(store, &first, &declined()).await;
    assert_eq!(declined.state, State::Declined);
    assert_eq!(stands(store, &charge.id).await.refundable, Some(100));
    applied(store.put(&second).await);
    assert_eq!(stands(store, &charge.id).await.refundable, Some(40));
}

async fn nor_at_the_same_time<S: Store>(store: &S) {
    for _ in 0..10 {
        let charge = charged(100);
        applied(store.put(&charge).await);
        let (first, second) = (refund(&charge, 60), refund(&charge, 60));
        let (one, other) = tokio::join!(store.put(&first), store.put(&second));
        let passed = [&one, &other].into_iter().filter(|put| matches!(put, Ok(Written::Applied(_)))).count();
        assert_eq!(passed, 1, "{one:?} {other:?}");
        assert_eq!(stands(store, &charge.id).await.refundable, Some(40));
    }
}

async fn a_success_keeps_what_it_took<S: Store>(store: &S) {
    let charge = charged(100);
    applied(store.put(&charge).await);
    let refund = refund(&charge, 60);
    applied(store.put(&refund).await);
    let approved = SendAnswer::Found(Found::Approved { reference: ProviderText::new("re_1") });
    assert_eq!(settled(store, &refund, &approved).await.state, State::Succeeded);
    assert_eq!(stands(store, &charge.id).await.refundable, Some(40));
}

async fn a_repeated_refund_reserves_once<S: Store>(store: &S) {
    let charge = charged(100);
    applied(store.put(&charge).await);
    let first = refund(&charge, 40);
    applied(store.put(&first).await);
    let again = Payment { nonce: nonce(), ..first.clone() };
    assert_eq!(store.put(&again).await, Ok(Written::Refused(Some(Box::new(first.clone())))));
    assert_eq!(stands(store, &charge.id).await.refundable, Some(60));

    // Released once too, however often its end is written.
    let canceled = step(&first, &Event::Cancel, NOW);
    applied(store.replace(&first, &canceled).await);
    let once_more = Payment { nonce: nonce(), ..canceled.clone() };
    assert_eq!(store.replace(&first, &once_more).await, Ok(Written::Refused(Some(Box::new(canceled)))));
    assert_eq!(stands(store, &charge.id).await.refundable, Some(100));
}

async fn only_a_charge_that_fits_can_be_refunded<S: Store>(store: &S) {
    let waiting = accepted(Order { money: pounds(100), ..order() });
    let foreign = {
        let charge = charged(100);
        let merchant = MerchantId::new("france").unwrap();
        Payment { order: Order { merchant, ..charge.order.clone() }, ..charge }
    };
    let euros = {
        let charge = charged(100);
        let money = Money::new(100, Currency::new("EUR").unwrap()).unwrap();
        Payment { order: Order { money, ..charge.order.clone() }, ..charge }
    };
    for (name, charge) in [("not succeeded", waiting), ("another merchant's", foreign), ("another currency", euros)] {
        applied(store.put(&charge).await);
        let ours = Payment {
            order: Order { merchant: super::samples::merchant(), money: pounds(60), ..refund(&charge, 60).order },
            ..refund(&charge, 60)
        };
        assert_eq!(store.put(&ours).await, Ok(Written::ChargeRefused(Some(Box::new(charge.clone())))), "{name}");
        assert_eq!(store.get(&ours.id).await, Ok(None), "{name}");
        assert_eq!(stands(store, &charge.id).await, charge, "{name}");
    }
    let nothing = refund(&Payment { id: nobody(), ..charged(100) }, 60);
    assert_eq!(store.put(&nothing).await, Ok(Written::ChargeRefused(None)));
    assert_eq!(store.get(&nobody()).await, Ok(None), "reserving creates no charge");
}

/// The provider has the money of a late success, whatever its state says: it can be given back, and not twice.
async fn a_late_success_can_be_reserved_against<S: Store>(store: &S) {
    for state in [State::Declined, State::Canceled, State::Expired] {
        let charge = Payment { open_shard: None, ..in_state(state) };
        applied(store.put(&charge).await);
        let pence = charge.order.money.amount();
        let early = refund(&charge, pence);
        assert_eq!(store.put(&early).await, Ok(Written::ChargeRefused(Some(Box::new(charge.clone())))), "{state:?}");
        let case = step(&charge, &Event::CalledBack(&Found::Approved { reference: reference() }), NOW);
        applied(store.replace(&charge, &case).await);
        applied(store.put(&early).await);
        let refused = store.put(&refund(&charge, 1)).await;
        assert!(matches!(refused, Ok(Written::ChargeRefused(Some(_)))), "{refused:?}");
        let evidence = Evidence::new("rf-1", "anna", "given back").unwrap();
        let close = Event::CloseCase { resolution: CaseResolution::Refund, evidence: &evidence };
        let (read, closed) = (stands(store, &charge.id).await, step(&case, &close, NOW));
        assert_eq!((&read.case, read.refundable), (&case.case, Some(0)), "{state:?}");
        applied(store.replace(&case, &closed).await);
        assert_eq!(stands(store, &charge.id).await, Payment { refundable: Some(0), ..closed });
    }
}

async fn a_refund_that_is_written_as_ended_reserves_nothing<S: Store>(store: &S) {
    let charge = charged(100);
    applied(store.put(&charge).await);
    let refund = step(&refund(&charge, 60), &Event::Cancel, NOW);
    applied(store.put(&refund).await);
    assert_eq!(stands(store, &charge.id).await.refundable, Some(100));
}

/// A charge's write that was decided before a refund came must not undo the refund's reservation.
async fn a_write_of_the_charge_leaves_the_reservation_alone<S: Store>(store: &S) {
    let charge = charged(100);
    applied(store.put(&charge).await);
    applied(store.put(&refund(&charge, 60)).await);
    let noted =
        Payment { version: charge.version + 1, nonce: nonce(), cancel_requested_at: Some(NOW), ..charge.clone() };
    applied(store.replace(&charge, &noted).await);
    let stands = stands(store, &charge.id).await;
    assert_eq!((stands.refundable, stands.cancel_requested_at), (Some(40), Some(NOW)));
}

/// The end without success gives the amount back, and the provider's late word takes it once more: in the write that
/// opens the case, so that no refund can come in between.
/// No decision does it; one that did by mistake must show in every store.
async fn a_write_that_changes_what_is_left_is_done<S: Store>(store: &S) {
    let charge = charged(100);
    applied(store.put(&charge).await);
    let without = Payment { refundable: None, version: charge.version + 1, nonce: nonce(), ..charge.clone() };
    applied(store.replace(&charge, &without).await);
    assert_eq!(stands(store, &charge.id).await.refundable, None);
}

async fn a_refund_that_succeeds_late_is_taken_back<S: Store>(store: &S) {
    let charge = charged(100);
    applied(store.put(&charge).await);
    let first = refund(&charge, 60);
    applied(store.put(&first).await);
    let declined = settled(store, &first, &declined()).await;
    assert_eq!(stands(store, &charge.id).await.refundable, Some(100));

    let case = step(&declined, &Event::CalledBack(&Found::Approved { reference: reference() }), NOW);
    assert_eq!(store.replace(&declined, &case).await, Ok(Written::Applied(Box::new(case.clone()))));
    assert_eq!(stands(store, &charge.id).await.refundable, Some(40));
    assert_eq!(stands(store, &first.id).await, case);
    let refused = store.put(&refund(&charge, 100)).await;
    assert!(matches!(refused, Ok(Written::ChargeRefused(Some(_)))), "160 would go back on 100: {refused:?}");

    // Once, however often it is said, and whatever is written about the case later.
    let once_more = Payment { nonce: nonce(), ..case.clone() };
    assert_eq!(store.replace(&declined, &once_more).await, Ok(Written::Refused(Some(Box::new(case.clone())))));
    for resolution in [CaseResolution::Accept, CaseResolution::Refund, CaseResolution::RefundElsewhere] {
        let before = stands(store, &first.id).await;
        let evidence = Evidence::new("rf-1", "anna", "looked up").unwrap();
        let closed = step(&case, &Event::CloseCase { resolution, evidence: &evidence }, NOW);
        applied(store.replace(&before, &Payment { version: before.version + 1, ..closed }).await);
        assert_eq!(stands(store, &charge.id).await.refundable, Some(40), "{resolution:?}");
    }
    applied(store.put(&refund(&charge, 40)).await);
}

/// The order that nobody can prevent: the amount was given to another refund before the provider's late word came. What
/// was too little then is not free when that other refund ends.
async fn what_a_late_refund_found_too_little_for_the_next_release_pays<S: Store>(store: &S) {
    let charge = charged(100);
    applied(store.put(&charge).await);
    let first = refund(&charge, 60);
    applied(store.put(&first).await);
    let declined = settled(store, &first, &declined()).await;
    let second = refund(&charge, 100);
    applied(store.put(&second).await);
    let case = step(&declined, &Event::CalledBack(&Found::Approved { reference: reference() }), NOW);
    applied(store.replace(&declined, &case).await);
    let overdrawn = stands(store, &charge.id).await;
    assert_eq!((overdrawn.refundable, overdrawn.refundable_amount()), (Some(-60), Some(0)));
    assert!(matches!(store.put(&refund(&charge, 1)).await, Ok(Written::ChargeRefused(Some(_)))));

    let canceled = step(&second, &Event::Cancel, NOW);
    applied(store.replace(&second, &canceled).await);
    let left = stands(store, &charge.id).await;
    assert_eq!((left.refundable, left.refundable_amount()), (Some(40), Some(40)), "60 of the 100 are given back");
}

async fn a_late_refund_in_another_currency_takes_nothing<S: Store>(store: &S) {
    let charge = charged(100);
    applied(store.put(&charge).await);
    let money = Money::new(60, Currency::new("EUR").unwrap()).unwrap();
    let other = refund(&charge, 60);
    // Taken back before it was ever seen here, so that nobody compared it with its charge.
    let canceled = step(&Payment { order: Order { money, ..other.order.clone() }, ..other }, &Event::Cancel, NOW);
    applied(store.put(&canceled).await);
    let case = step(&canceled, &Event::CalledBack(&Found::Approved { reference: reference() }), NOW);
    applied(store.replace(&canceled, &case).await);
    assert_eq!(stands(store, &canceled.id).await, case);
    assert_eq!(stands(store, &charge.id).await.refundable, Some(100));
}

async fn a_charge_that_was_refunded_elsewhere_bears_nothing_more<S: Store>(store: &S) {
    let closings =
        [(CaseResolution::Accept, true), (CaseResolution::Refund, true), (CaseResolution::RefundElsewhere, false)];
    for (resolution, bears) in closings {
        let charge = Payment { open_shard: None, ..in_state(State::Canceled) };
        applied(store.put(&charge).await);
        let case = step(&charge, &Event::CalledBack(&Found::Approved { reference: reference() }), NOW);
        applied(store.replace(&charge, &case).await);
        // One that is under way when the case is closed, and ends without success afterwards.
        let under_way = refund(&charge, 60);
        applied(store.put(&under_way).await);
        let evidence = Evidence::new("rf-1", "anna", "given back").unwrap();
        let closed = step(&case, &Event::CloseCase { resolution, evidence: &evidence }, NOW);
        applied(store.replace(&case, &closed).await);
        applied(store.replace(&under_way, &step(&under_way, &Event::Cancel, NOW)).await);
        let read = stands(store, &charge.id).await;
        let whole = bears.then_some(charge.order.money.amount()).or(Some(0));
        assert_eq!(read.refundable_amount(), whole, "{resolution:?}");
        let written = store.put(&refund(&charge, 60)).await;
        assert_eq!(matches!(written, Ok(Written::Applied(_))), bears, "{resolution:?}: {written:?}");
        assert_eq!(matches!(written, Ok(Written::ChargeRefused(Some(_)))), !bears, "{resolution:?}: {written:?}");
    }
}

async fn a_refund_whose_charge_is_gone_or_counts_nothing_ends_all_the_same<S: Store>(store: &S) {
    let counts_nothing = Payment { refundable: None, ..charged(100) };
    applied(store.put(&counts_nothing).await);
    for charge in [Payment { id: nobody(), ..charged(100) }, counts_nothing] {
        let first = refund(&charge, 60);
        // Written past its charge, as it stands when that has gone since.
        let alone = Payment { order: Order { refund_of: None, ..first.order.clone() }, ..first.clone() };
        applied(store.put(&alone).await);
        let canceled = step(&first, &Event::Cancel, NOW);
        applied(store.replace(&first, &canceled).await);
        assert_eq!(stands(store, &first.id).await.state, State::Canceled);
        let case = step(&canceled, &Event::CalledBack(&Found::Approved { reference: reference() }), NOW);
        applied(store.replace(&canceled, &case).await);
        assert_eq!(stands(store, &first.id).await.case, case.case);
    }
    assert_eq!(store.get(&nobody()).await, Ok(None), "giving back creates no charge");
}

fn declined() -> SendAnswer {
    SendAnswer::Found(Found::Declined { code: ProviderText::new("refund_not_possible") })
}

async fn settled<S: Store>(store: &S, payment: &Payment, answer: &SendAnswer) -> Payment {
    let claim = claim_of(payment);
    applied(store.claim(&claim).await);
    let claimed = claim.apply(payment, &policy()).unwrap();
    let after = step(&claimed, &Event::SendAnswered { claim: &held(&claimed), answer }, NOW);
    applied(store.replace(&claimed, &after).await);
    assert_eq!(stands(store, &payment.id).await, after);
    after
}
