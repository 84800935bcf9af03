//! The model checker: the deployed rules hold in every state of the small bounds, and wrong rules are found, each by the
//! property that it breaks. The wrong ones stand for a change to `payments` that somebody might make.

use std::collections::BTreeSet;

use model::{ARRIVES, Bounds, DEPLOYED, Report, Rules, check};
use payments::answer::{Found, ProviderText, QueryAnswer, SendAnswer};
use payments::payment::{Payment, State};
use payments::policy::Policy;
use payments::time::Timestamp;
use payments::transition::triage::{Triage, triage};
use payments::transition::{Event, Kept, Moment, Step, transition};
use payments::write::SendClaim;

#[test]
fn the_deployed_rules_hold_in_every_state_of_the_small_bounds() {
    let mut nowhere: Option<BTreeSet<&str>> = None;
    for bounds in Bounds::SMALL {
        let report = check(bounds, DEPLOYED);
        assert!(report.held(), "{report}");
        assert!(report.states > 100_000, "{report}");
        let not_reached: BTreeSet<&str> = report.not_reached.iter().copied().collect();
        nowhere = Some(nowhere.map_or(not_reached.clone(), |before| &before & &not_reached));
    }
    assert_eq!(nowhere, Some(BTreeSet::new()), "what the properties are about has to come about somewhere");
}

/// The report of the first bounds in which these rules break something.
fn found(rules: Rules) -> Report {
    let reports = Bounds::SMALL.into_iter().map(|bounds| check(bounds, rules));
    reports.into_iter().find(|report| !report.held()).expect("a wrong rule is found")
}

fn breaks(rules: Rules, property: &str) {
    let report = found(rules);
    let violation = report.violation.as_ref().expect("it did not hold");
    assert!(violation.property.starts_with(property), "{report}");
    assert!(violation.path.len() > 2, "{report}");
    // What a person would repeat is read back as the same bounds.
    assert_eq!(Bounds::parse(&report.bounds.to_string()), Ok(vec![report.bounds]));
}

fn with(transition: for<'a, 'b, 'c> fn(&'a Payment, &'b Event<'b>, &'c Moment<'c>) -> Step) -> Rules {
    Rules { transition, ..DEPLOYED }
}

#[test]
fn a_time_out_taken_for_a_decline_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        let declined = SendAnswer::Found(Found::Declined { code: ProviderText::new("timed_out") });
        match event {
            Event::SendAnswered { claim, answer: SendAnswer::Unclear(_) } => {
                transition(payment, &Event::SendAnswered { claim, answer: &declined }, moment)
            }
            _ => transition(payment, event, moment),
        }
    }
    breaks(with(wrong), "I1: no effect under declined");
}

#[test]
fn an_absence_believed_at_once_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        match event {
            Event::QueryAnswered { answer: QueryAnswer::NotFound, .. } => {
                transition(&Payment { written_until: None, ..payment.clone() }, event, moment)
            }
            _ => transition(payment, event, moment),
        }
    }
    breaks(with(wrong), "I1: ");
}

/// As the rule was until the checker found it.
#[test]
fn an_absence_judged_by_when_it_is_written_down_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        match event {
            Event::QueryAnswered { answer: QueryAnswer::NotFound, .. } => {
                transition(&Payment { changed_at: moment.now, ..payment.clone() }, event, moment)
            }
            _ => transition(payment, event, moment),
        }
    }
    breaks(with(wrong), "I1: ");
}

#[test]
fn an_absence_counted_from_the_first_claim_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        match event {
            Event::QueryAnswered { answer: QueryAnswer::NotFound, .. } => {
                transition(&Payment { written_until: payment.first_sent_at, ..payment.clone() }, event, moment)
            }
            _ => transition(payment, event, moment),
        }
    }
    breaks(with(wrong), "I1: ");
}

#[test]
fn an_absence_that_is_never_believed_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        match event {
            Event::QueryAnswered { answer: QueryAnswer::NotFound, .. } => {
                let written_until = Some(moment.now.plus_ms(1_000));
                match transition(&Payment { written_until, ..payment.clone() }, event, moment) {
                    Step::Change(after) => {
                        Step::Change(Box::new(Payment { written_until: payment.written_until, ..*after }))
                    }
                    kept @ Step::Keep(_) => kept,
                }
            }
            _ => transition(payment, event, moment),
        }
    }
    breaks(with(wrong), ARRIVES);
}

#[test]
fn a_lease_taken_over_to_send_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        match event {
            Event::Claim { .. } if payment.state == State::Sending => {
                transition(&Payment { state: State::Queued, claim: None, ..payment.clone() }, event, moment)
            }
            _ => transition(payment, event, moment),
        }
    }
    breaks(with(wrong), "I1: nothing is sent again");
}

#[test]
fn a_request_written_without_a_look_at_the_lease_is_found() {
    fn wrong(_: &Policy, _: Timestamp) -> Timestamp {
        Timestamp::from_ms(u64::MAX)
    }
    breaks(Rules { latest_write: wrong, ..DEPLOYED }, "I1: ");
}

#[test]
fn a_terminal_state_overwritten_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        match event {
            Event::Cancel if payment.state == State::Succeeded => {
                transition(&Payment { state: State::Queued, ..payment.clone() }, event, moment)
            }
            _ => transition(payment, event, moment),
        }
    }
    breaks(with(wrong), "I3: ");
}

#[test]
fn a_replay_that_skips_the_query_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        match (event, transition(payment, event, moment)) {
            (Event::Replay, Step::Change(after)) => Step::Change(Box::new(Payment { state: State::Queued, ..*after })),
            (_, step) => step,
        }
    }
    breaks(with(wrong), "I1: nothing is sent");
}

#[test]
fn a_payment_canceled_while_it_is_sent_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        match event {
            Event::Cancel if payment.state == State::Sending => {
                transition(&Payment { state: State::Queued, claim: None, ..payment.clone() }, event, moment)
            }
            _ => transition(payment, event, moment),
        }
    }
    breaks(with(wrong), "I1: no effect under declined, canceled");
}

#[test]
fn a_key_window_that_is_forgotten_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        transition(&Payment { first_sent_at: None, ..payment.clone() }, event, moment)
    }
    fn wrong_claim(claim: &SendClaim, payment: &Payment, policy: &Policy) -> Option<Payment> {
        claim.apply(&Payment { first_sent_at: None, ..payment.clone() }, policy)
    }
    breaks(Rules { claim: wrong_claim, ..with(wrong) }, "I1: nothing is sent past the key window");
}

#[test]
fn a_dead_letter_dropped_while_its_payment_is_unknown_is_found() {
    fn wrong(payment: &Payment, is_replay: bool, now: Timestamp) -> Triage {
        if payment.state == State::Unknown { Triage::Drop } else { triage(payment, is_replay, now) }
    }
    breaks(Rules { triage: wrong, ..DEPLOYED }, "I4: ");
}

#[test]
fn a_heal_that_is_taken_for_one_of_another_message_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        match (event, &payment.heal) {
            (Event::Heal { replaces: Some(it) }, Some(heal)) if heal.message_id.as_deref() != Some(it.message_id) => {
                Step::Keep(Kept::HealedElsewhere)
            }
            _ => transition(payment, event, moment),
        }
    }
    breaks(with(wrong), "I4: ");
}

#[test]
fn a_version_that_is_not_raised_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        match (event, transition(payment, event, moment)) {
            (Event::Cancel, Step::Change(after)) => {
                Step::Change(Box::new(Payment { version: payment.version, ..*after }))
            }
            (_, step) => step,
        }
    }
    breaks(with(wrong), "every decision raises the version");
}

#[test]
fn a_claim_that_nobody_may_take_over_is_found() {
    fn wrong(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
        match event {
            Event::Claim { .. } if payment.state == State::Sending => {
                Step::Keep(Kept::LeaseHeld { until: moment.now.plus_ms(1) })
            }
            _ => transition(payment, event, moment),
        }
    }
    breaks(with(wrong), ARRIVES);
}

#[test]
fn bounds_are_read_as_they_are_written_and_refused_if_they_are_none() {
    assert_eq!(Bounds::parse("small"), Ok(Bounds::SMALL.to_vec()));
    assert_eq!(Bounds::parse("large"), Ok(Bounds::LARGE.to_vec()));
    assert_eq!(Bounds::parse("queues,cancels=1"), Ok(vec![Bounds { cancels: 1, ..Bounds::QUEUES }]));
    for (text, says) in [
        ("huge", "\"huge\" is no bounds"),
        ("race,clouds=1", "no bound is named \"clouds\""),
        ("race,consumers=3", "consumers has to be from 1 to 2, not 3"),
        ("race,messages=many", "messages has to be a small number, not \"many\""),
    ] {
        let refused = Bounds::parse(text).expect_err(text);
        assert!(refused.starts_with(says), "{refused}");
    }
}
