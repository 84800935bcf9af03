use super::*;

fn effect(payment_id: &str, amount: u64) -> Effect {
    Effect { payment_id: payment_id.to_owned(), kind: "charge".to_owned(), amount, currency: "GBP".to_owned() }
}

fn accepted(payment_id: &str, amount: u64, state: Option<State>) -> Accepted {
    let standing = |state| Standing { state, settled_after_ms: Some(5), amount, reasons: BTreeSet::new() };
    Accepted {
        payment_id: payment_id.to_owned(),
        kind: "charge".to_owned(),
        amount,
        currency: "GBP".to_owned(),
        stands: state.map(standing),
    }
}

fn call(at_ms: u64) -> Call {
    Call { payment_id: "a".to_owned(), at_ms, operation: "send".to_owned(), answer: "approved".to_owned() }
}

#[test]
fn calls_count_for_the_rate_while_a_payment_waits_for_its_first() {
    let of = |payment_id: &str, at_ms| Call { payment_id: payment_id.to_owned(), ..call(at_ms) };
    assert_eq!(made_while_queued(&[]), None);
    assert_eq!(made_while_queued(&[of("a", 5), of("a", 9)]), None, "nothing waits but for its second");
    assert_eq!(made_while_queued(&[of("a", 5), of("a", 9), of("b", 25), of("a", 30)]), Some((2, 20)));
}

fn judged(accepted: &[Accepted], ledger: &[Effect], calls: &[Call]) -> Vec<String> {
    faults(&Evidence { accepted, unanswered: 0, ledger, calls, limit: 2, books_are_torn: false })
}

#[test]
fn the_busiest_second_is_found_wherever_it_lies() {
    assert_eq!(most_in_a_second([]), 0);
    assert_eq!(most_in_a_second([5]), 1);
    // Three between 900 and 1,899, though no whole second by the clock holds more than two.
    assert_eq!(most_in_a_second([1_899, 0, 900, 1_000, 2_500]), 3);
    // A second is half open: what comes 1,000 ms later is in the next.
    assert_eq!(most_in_a_second([0, 1_000, 2_000]), 1);
    assert_eq!(most_in_a_second([7, 7, 7]), 3);
}

#[test]
fn percentiles_are_of_the_nearest_rank() {
    assert_eq!(percentile([], 50), None);
    assert_eq!(percentile([9], 99), Some(9));
    assert_eq!(percentile([4, 1, 3, 2], 50), Some(2));
    assert_eq!(percentile(1..=100, 99), Some(99));
    assert_eq!(percentile(1..=100, 100), Some(100));
    assert_eq!(percentile(1..=10, 99), Some(10));
    assert_eq!(percentile(1..=10, 0), Some(1));
}

#[test]
fn amounts_add_up_by_kind_and_currency() {
    let sums = sums([("charge", "GBP", 1), ("charge", "GBP", 2), ("refund", "GBP", 4), ("charge", "EUR", 8)]);
    assert_eq!(sums[&("charge".to_owned(), "GBP".to_owned())], 3);
    assert_eq!(sums.len(), 3);
}

#[test]
fn a_clean_run_has_no_faults() {
    let accepted = [
        accepted("a", 5, Some(State::Succeeded)),
        accepted("b", 6, Some(State::Declined)),
        accepted("c", 7, Some(State::Parked)),
    ];
    assert_eq!(judged(&accepted, &[effect("a", 5)], &[call(0), call(1), call(1_000)]), Vec::<String>::new());
}

#[test]
fn what_is_lost_is_named() {
    let accepted = [accepted("a", 5, None), accepted("b", 5, Some(State::Unknown))];
    assert_eq!(judged(&accepted, &[], &[]), ["1 accepted without an item: lost, such as a", "1 still open, such as b"]);
}

#[test]
fn a_double_charge_is_a_fault() {
    let accepted = [accepted("a", 5, Some(State::Succeeded))];
    let faults = judged(&accepted, &[effect("a", 5), effect("a", 5)], &[]);
    assert_eq!(faults, ["1 charged more than once, such as a"]);
}

#[test]
fn success_and_ledger_have_to_be_the_same() {
    let accepted = [
        accepted("a", 5, Some(State::Succeeded)),
        accepted("b", 5, Some(State::Declined)),
        accepted("c", 5, Some(State::Succeeded)),
    ];
    let faults = judged(&accepted, &[effect("b", 5), effect("c", 50), effect("x", 1)], &[]);
    assert_eq!(
        faults,
        [
            "1 succeeded without an effect, such as a",
            "2 in the ledger without having succeeded, such as b",
            "1 in the ledger with another amount, currency or kind than was sent, such as c",
        ]
    );
}

#[test]
fn a_rate_beyond_the_limit_is_a_fault() {
    let faults = judged(&[], &[], &[call(0), call(500), call(999)]);
    assert_eq!(faults, ["3 calls in one second against a limit of 2"]);
}

#[test]
fn what_was_never_answered_is_a_fault() {
    let evidence = Evidence { accepted: &[], unanswered: 2, ledger: &[], calls: &[], limit: 1, books_are_torn: false };
    assert_eq!(faults(&evidence).len(), 1);
}
