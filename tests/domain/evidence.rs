//! What a person says: all of it is kept, or it is refused, and it can be read again in the item's history.

use payments::case::CaseResolution;
use payments::evidence::{Evidence, EvidenceError, OPERATOR_MAX, Operator, WHY_MAX};
use payments::history::Entry;
use payments::payment::{Reason, State};
use payments::transition::{Event, Resolution};
use proptest::prelude::*;

use crate::contract::samples::{NOW, in_state, reference, step};

#[test]
fn a_resolved_payments_history_says_where_to_look_who_and_why() {
    let evidence = Evidence::new("ch_1", "anna@shop.example", "the console shows it, 31 January").unwrap();
    for (end, state) in [
        (Resolution::Succeeded, State::Succeeded),
        (Resolution::Declined, State::Declined),
        (Resolution::Canceled, State::Canceled),
    ] {
        let parked = in_state(State::Parked);
        let ended = step(&parked, &Event::Resolve { end, evidence: &evidence }, NOW);
        assert_eq!((ended.state, ended.reason), (state, Reason::ResolvedByOperator));
        assert_eq!(ended.provider_text.as_ref().unwrap().as_str(), "ch_1", "the merchant is shown no more");
        let last = ended.history.last().unwrap().to_string();
        let told = "ch_1;by=anna@shop.example;why=the_console_shows_it,_31_January";
        // Between them stands the line's link.
        assert!(last.starts_with(&format!("{} {} resolved_by_operator 0 1#", NOW.ms(), state.as_str())), "{last}");
        assert!(last.ends_with(&format!(" {told}")), "{last}");
    }
}

#[test]
fn a_case_is_taken_handed_over_and_closed_once() {
    let case = step(&in_state(State::Declined), &Event::CalledBack(&approved()), NOW);
    let (anna, otto) = (Operator::new("anna").unwrap(), Operator::new("otto").unwrap());
    let taken = step(&case, &Event::TakeCase { owner: &anna }, NOW);
    let handed_over = step(&taken, &Event::TakeCase { owner: &otto }, NOW);
    assert_eq!(handed_over.case.as_ref().unwrap().owner, Some(otto));
    let evidence = Evidence::new("rf_1", "anna", "given back in the console").unwrap();
    let close = Event::CloseCase { resolution: CaseResolution::Refund, evidence: &evidence };
    let closed = step(&handed_over, &close, NOW.plus_ms(5));
    assert_eq!(closed.case.as_ref().unwrap().closed_at, Some(NOW.plus_ms(5)));
    assert_eq!((closed.state, closed.forget_at.is_some()), (State::Declined, true));
    let told: Vec<_> = closed.history.iter().rev().take(3).map(|entry| entry.reason).collect();
    assert_eq!(told, [Reason::CaseRefunded, Reason::CaseTaken, Reason::CaseTaken]);
    let nothing = std::panic::catch_unwind(|| step(&closed, &close, NOW));
    assert!(nothing.is_err(), "it is closed");
    // A success that comes once more is the one that the case was about.
    assert!(std::panic::catch_unwind(|| step(&closed, &Event::CalledBack(&approved()), NOW)).is_err());
}

fn approved() -> payments::answer::Found {
    payments::answer::Found::Approved { reference: reference() }
}

#[test]
fn what_cannot_be_kept_whole_is_refused_and_named() {
    let long = "x".repeat(WHY_MAX + 1);
    for (reference, by, why, expected) in [
        ("", "anna", "why", EvidenceError::Empty("the reference")),
        ("ref", " ", "why", EvidenceError::Empty("the operator")),
        ("ref", "anna", "", EvidenceError::Empty("the reason")),
        ("ref", "anna", long.as_str(), EvidenceError::TooLong("the reason", WHY_MAX)),
        ("ref", &long[..=OPERATOR_MAX], "why", EvidenceError::TooLong("the operator", OPERATOR_MAX)),
        (&long[..49], "anna", "why", EvidenceError::TooLong("the reference", 48)),
        ("4111111111111111", "anna", "why", EvidenceError::CardNumber("the reference")),
        ("ref", "anna", "card 4111 1111 1111 1111", EvidenceError::CardNumber("the reason")),
    ] {
        assert_eq!(Evidence::new(reference, by, why), Err(expected), "{reference:?} {by:?} {why:?}");
    }
    for (reference, by, why) in [("a b", "anna", "why"), ("ref", "anna;by=otto", "why"), ("ref", "anna", "line\nline")]
    {
        assert!(matches!(Evidence::new(reference, by, why), Err(EvidenceError::Alphabet(..))), "{reference:?} {by:?}");
    }
}

proptest! {
    #[test]
    fn a_line_with_evidence_is_read_as_it_was_written(
        reference in "[!-~]{1,48}", by in "[A-Za-z0-9._@-]{1,24}", why in "[!-~][ -~]{0,59}",
    ) {
        let Ok(evidence) = Evidence::new(&reference, &by, &why) else {
            prop_assume!(false);
            return Ok(());
        };
        let text = evidence.text();
        let expected = format!("{reference};by={by};why={}", why.replace(' ', "_"));
        prop_assert_eq!(text.as_str(), expected.as_str());
        let entry = Entry {
            at: NOW,
            state: State::Succeeded,
            reason: Reason::ResolvedByOperator,
            attempt: 1,
            times: 1,
            provider_text: Some(text),
            tag: None,
        };
        prop_assert_eq!(Entry::try_from(entry.to_string()), Ok(entry));
    }
}
