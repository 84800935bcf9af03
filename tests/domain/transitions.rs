//! The transition function over random walks: I1, I3 and I9 as far as one payment's item can hold them, and what has to
//! be true of an item in each state.

use std::collections::BTreeSet;

use payments::answer::{Found, QueryAnswer, SendAnswer};
use payments::history::ENTRIES_MAX;
use payments::payment::{Payment, Reason, State, case_shard, open_shard, parked_shard};
use payments::transition::Kept;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::cases;
use super::walk::{Done, Turn, Walk, What, any_order, turn};

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    proptest::collection::vec(turn(), 1..60)
}

/// Walks, and holds a rule at each step against what is true after it.
fn holds(
    order: payments::payment::Order,
    turns: &[Turn],
    rule: impl Fn(&Walk, &Done) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut walk = Walk::new(order);
    for turn in turns {
        let done = walk.take(turn);
        rule(&walk, &done)?;
    }
    Ok(())
}

fn begins_to_send(done: &Done) -> bool {
    matches!(done.what, What::Claim { .. }) && done.before.state == State::Queued && done.after.state == State::Sending
}

proptest! {
    #![proptest_config(cases(250))]

    #[test]
    fn an_end_is_for_ever_and_a_late_success_only_opens_a_case(order in any_order(), turns in turns()) {
        holds(order, &turns, |_, Done { before, after, .. }| {
            if before.state.is_terminal() {
                let case = Payment {
                    version: after.version,
                    nonce: after.nonce.clone(),
                    case: after.case.clone(),
                    open_shard: after.open_shard.clone(),
                    forget_at: after.forget_at,
                    history: after.history.clone(),
                    chain: after.chain.clone(),
                    ..before.clone()
                };
                prop_assert_eq!(after, &case);
                if after != before {
                    prop_assert!(before.state != State::Succeeded);
                    let (case, was_closed) = (after.case.as_ref().unwrap(), before.case.as_ref().is_some_and(|case| !case.is_open()));
                    prop_assert!(!was_closed, "a case is closed once");
                    let last = after.history.last().map(|entry| entry.reason);
                    match &before.case {
                        None => prop_assert!(case.is_open() && case.owner.is_none() && last == Some(Reason::LateSuccess)),
                        Some(was) => {
                            prop_assert_eq!((case.opened_at, &case.reference), (was.opened_at, &was.reference));
                            prop_assert!(case.owner.is_some(), "whoever takes or closes it is its owner");
                            let by_person = [
                                Reason::CaseTaken,
                                Reason::CaseRefunded,
        Reason::CaseRefundedElsewhere,
                                Reason::CaseAccepted,
                            ];
                            prop_assert!(last.is_some_and(|reason| by_person.contains(&reason)));
                            prop_assert_eq!(case.is_open(), last == Some(Reason::CaseTaken));
                            prop_assert_eq!(case.is_open(), case.closed_at.is_none());
                        }
                    }
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn each_change_is_the_next_version_under_its_own_nonce(order in any_order(), turns in turns()) {
        holds(order, &turns, |_, Done { before, after, kept, nonce, .. }| {
            match kept {
                Some(_) => prop_assert_eq!(before, after),
                None => {
                    prop_assert_eq!(after.version, before.version + 1);
                    prop_assert_eq!(&after.nonce, nonce);
                }
            }
            prop_assert_eq!((&after.id, &after.order, &after.fingerprint), (&before.id, &before.order, &before.fingerprint));
            Ok(())
        })?;
    }

    #[test]
    fn what_the_provider_has_is_never_sent_again_nor_taken_back(order in any_order(), turns in turns()) {
        holds(order, &turns, |walk, done| {
            if walk.acknowledged {
                prop_assert_ne!(done.after.state, State::Queued);
                prop_assert!(!begins_to_send(done));
                let by_operator = done.after.reason == Reason::ResolvedByOperator;
                let ended_now = !done.before.state.is_terminal();
                let taken_back = matches!(done.after.state, State::Canceled | State::Expired);
                prop_assert!(!(ended_now && taken_back && !by_operator), "{:?}", done);
            }
            Ok(())
        })?;
    }

    #[test]
    fn nothing_is_sent_again_while_an_earlier_request_may_yet_have_an_effect(order in any_order(), turns in turns()) {
        holds(order, &turns, |walk, done| {
            if begins_to_send(done) {
                // The newest of them is the request that is about to be written.
                prop_assert_eq!(walk.at_large().len(), 1, "{:?}", walk.claims);
                let first = walk.claims.iter().filter(|held| held.to_send && !held.refused).map(|held| held.taken_at).min();
                prop_assert!(walk.now - first.unwrap() < walk.policy.key_window_ms, "the key may be forgotten");
            }
            Ok(())
        })?;
    }

    #[test]
    fn it_is_canceled_or_expired_only_if_nothing_was_sent_or_that_was_proved_absent(order in any_order(), turns in turns()) {
        holds(order, &turns, |walk, Done { before, after, .. }| {
            let ends = !before.state.is_terminal() && matches!(after.state, State::Canceled | State::Expired);
            if ends && after.reason != Reason::ResolvedByOperator {
                prop_assert!(walk.at_large().is_empty(), "{:?}", walk.claims);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_decline_ends_only_what_nothing_else_may_have_done(order in any_order(), turns in turns()) {
        holds(order, &turns, |walk, done| {
            let Some(held) = &done.answered else { return Ok(()) };
            if held.to_send && done.before.state != State::Declined && done.after.state == State::Declined {
                let others = walk.claims.iter().filter(|other| other.to_send && !other.refused && other.id != held.id);
                prop_assert_eq!(others.count(), 0);
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_wait_uses_up_an_attempt_or_parks(order in any_order(), turns in turns()) {
        holds(order, &turns, |_, Done { before, after, answered, mine, kept, .. }| {
            let Some(held) = answered else { return Ok(()) };
            let Some((send, query)) = &held.answered else { return Ok(()) };
            let waits = if held.to_send {
                matches!(send, SendAnswer::NotTaken(_))
            } else {
                !matches!(query, QueryAnswer::Found(_) | QueryAnswer::NotFound)
            };
            if waits && *mine {
                prop_assert_eq!(*kept, None);
                prop_assert_eq!((after.attempts, after.attempts_left), held.attempts);
                prop_assert_ne!(after.state, State::Parked);
            } else if waits {
                prop_assert_eq!(after, before);
            }
            Ok(())
        })?;
    }

    #[test]
    fn only_what_nothing_but_a_person_can_help_is_parked_for_being_long(order in any_order(), turns in turns()) {
        holds(order, &turns, |walk, Done { before, after, what, .. }| {
            if after.reason == Reason::Overdue && before.reason != Reason::Overdue {
                prop_assert!(matches!(what, What::Overdue));
                prop_assert!(matches!(before.state, State::Sending | State::Pending | State::Unknown), "{:?}", before.state);
                prop_assert!(before.claim.as_ref().is_none_or(|held| held.lease_until <= after.changed_at), "a live lease");
                prop_assert_eq!((after.attempts, after.attempts_left), (before.attempts, before.attempts_left));
                let begun = before.first_sent_at.unwrap_or(before.created_at);
                let open_ms = after.changed_at.since_ms(begun);
                prop_assert!(open_ms >= walk.policy.key_window_ms && open_ms >= walk.policy.park_overdue_after_ms);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_callback_in_any_order_ends_a_payment_once_and_the_first_success_wins(order in any_order(), turns in turns()) {
        let mut ends: Option<State> = None;
        let mut walk = Walk::new(order);
        for turn in &turns {
            let Done { before, after, what, kept, .. } = walk.take(turn);
            let What::CalledBack(found) = what else {
                ends = ends.or(after.state.is_terminal().then_some(after.state));
                continue;
            };
            match (&found, ends) {
                (Found::Approved { .. }, None) => prop_assert_eq!(after.state, State::Succeeded),
                (Found::Declined { .. }, None) => prop_assert_eq!(after.state, State::Declined),
                (Found::Accepted { .. }, None) => {
                    prop_assert!(after.acknowledged && !after.state.is_terminal());
                    prop_assert!(!matches!(after.state, State::Queued | State::Unknown), "{:?}", after.state);
                }
                (Found::Approved { .. }, Some(end)) if end != State::Succeeded && before.case.is_none() => {
                    prop_assert!(after.state == end && after.has_open_case());
                }
                (_, Some(end)) => {
                    prop_assert_eq!((after.state, kept), (end, Some(Kept::Ended)));
                    prop_assert_eq!(&after, &before);
                }
            }
            ends = ends.or(after.state.is_terminal().then_some(after.state));
            // The same again, at any later time, changes nothing.
            let again = Turn { what: What::CalledBack(found), ..turn.clone() };
            let Done { before, after, .. } = walk.take(&again);
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn attempts_are_used_by_sending_and_given_back_by_a_refusal_and_by_a_person_only(order in any_order(), turns in turns()) {
        holds(order, &turns, |_, done| {
            let Done { before, after, .. } = done;
            let (spent, left) = (i64::from(after.attempts) - i64::from(before.attempts), i64::from(after.attempts_left) - i64::from(before.attempts_left));
            let refused = done.mine && done.answered.as_ref().is_some_and(|held| {
                held.to_send && matches!(held.answered, Some((SendAnswer::NotTaken(_), _)))
            });
            let expected: &[(i64, i64)] = if begins_to_send(done) {
                &[(1, -1)]
            } else if refused {
                &[(-1, 1)]
            } else if matches!(done.what, What::Replay) {
                &[(0, 0), (0, 1)]
            } else {
                &[(0, 0)]
            };
            prop_assert!(expected.contains(&(spent, left)), "{:?}", done);
            Ok(())
        })?;
    }

    #[test]
    fn an_item_carries_what_its_state_implies_and_nothing_else(order in any_order(), turns in turns()) {
        holds(order, &turns, |_, Done { after, .. }| {
            let shard = match after.state {
                State::Queued | State::Sending | State::Pending | State::Unknown => Some(open_shard(&after.id)),
                State::Parked => Some(parked_shard(&after.id)),
                State::Succeeded | State::Declined | State::Canceled | State::Expired => {
                    after.has_open_case().then(|| case_shard(&after.id))
                }
            };
            prop_assert_eq!(&after.open_shard, &shard);
            prop_assert_eq!(after.claim.is_some(), after.state == State::Sending);
            prop_assert_eq!(after.parked_at.is_some(), after.state == State::Parked);
            prop_assert_eq!(after.forget_at.is_some(), after.state.is_terminal() && !after.has_open_case());
            prop_assert!(after.case.is_none() || after.state.is_terminal());
            prop_assert_eq!(after.attempts > 0, after.first_sent_at.is_some());
            prop_assert_eq!(after.attempts > 0, after.written_until.is_some());
            prop_assert_eq!(after.ever_sent(), after.attempts > 0 || after.acknowledged);
            Ok(())
        })?;
    }

    #[test]
    fn the_history_ends_with_what_is_and_never_loses_its_beginning(order in any_order(), turns in turns()) {
        let begin = Walk::new(order.clone()).payment.created_at;
        holds(order, &turns, |_, Done { after, .. }| {
            prop_assert!(after.history.len() <= ENTRIES_MAX);
            prop_assert_eq!((after.history[0].reason, after.history[0].at), (Reason::Accepted, begin));
            let last = after.history.last().unwrap();
            let a_query = after.state == State::Sending && after.claim.as_ref().is_some_and(|claim| claim.from != State::Queued);
            if !a_query {
                prop_assert_eq!(last.state, after.state);
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_replay_grants_an_attempt_and_queries_first_what_was_ever_sent(order in any_order(), turns in turns()) {
        holds(order, &turns, |walk, done| {
            if matches!(done.what, What::Replay) {
                let Done { before, after, kept, .. } = done;
                if before.state != State::Parked {
                    prop_assert_eq!(*kept, Some(if before.state.is_terminal() { Kept::Ended } else { Kept::NotParked }));
                    return Ok(());
                }
                prop_assert!(after.attempts_left >= 1 && after.attempts_left == before.attempts_left.max(1));
                let touched = walk.ever_sent() || walk.acknowledged;
                prop_assert_eq!(after.state, if touched { State::Unknown } else { State::Queued });
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_lease_that_holds_keeps_everybody_else_out(order in any_order(), turns in turns()) {
        holds(order, &turns, |_, done| {
            let (What::Claim { .. }, Some(claim), Some(Kept::LeaseHeld { until })) = (&done.what, &done.before.claim, done.kept) else {
                let took = matches!(done.what, What::Claim { .. }) && done.kept.is_none();
                if let (true, Some(before), Some(after)) = (took, &done.before.claim, &done.after.claim) {
                    prop_assert!(before.lease_until <= done.after.changed_at, "a live lease was taken");
                    prop_assert_ne!(&before.id, &after.id);
                }
                return Ok(());
            };
            prop_assert_eq!(until, claim.lease_until);
            Ok(())
        })?;
    }

    #[test]
    fn heals_are_counted_paced_and_bounded_and_change_nothing_else(
        beats in proptest::collection::vec(
            (proptest::option::weighted(0.8, (0_u8..4, 0_u64..300_000)), prop_oneof![9 => 0_u64..200_000, 1 => 1_700_000_u64..1_900_000]),
            1..60,
        ),
    ) {
        let mut walk = Walk::new(crate::contract::samples::order());
        for (message, after_ms) in beats {
            let turn = Turn { what: What::Heal(message), after_ms, skew_ms: 0, dice: 0 };
            let Done { before, after, kept, .. } = walk.take(&turn);
            let name = message.map(|(id, _)| format!("m-{id}"));
            let Some(last) = &before.heal else {
                prop_assert_eq!(after.heal.unwrap().times, 1);
                continue;
            };
            let same = name.is_some() && last.message_id == name;
            let others_turn = name.is_some() && last.message_id.is_some() && !same;
            // What was written after the last heal may itself be what that heal put back.
            let older = message.is_some_and(|(_, ago_ms)| walk.now - ago_ms < last.at.ms());
            let soon = older && walk.now - last.at.ms() < payments::transition::HEAL_PAUSE_MS;
            let waited = walk.now - last.at.ms() >= payments::transition::HEAL_WAITED_MS;
            let used_up = last.times >= walk.policy.max_heals && name.is_some() && !same && !waited;
            let expected = match (used_up, others_turn && soon) {
                (true, _) => Some(Kept::HealsUsedUp),
                (false, true) => Some(Kept::HealedElsewhere),
                (false, false) => None,
            };
            prop_assert_eq!(kept, expected);
            if kept.is_none() {
                let healed = after.heal.clone().unwrap();
                prop_assert_eq!(healed.times, last.times + u32::from(!(same || waited && name.is_some())));
                prop_assert_eq!(healed.message_id, name);
                let but_for_it = Payment { heal: before.heal.clone(), version: before.version, nonce: before.nonce.clone(), ..after };
                prop_assert_eq!(but_for_it, before);
            }
        }
    }
}

/// A rule that no walk comes near holds nothing: the walks go everywhere.
#[test]
fn the_walks_reach_every_state_and_every_reason_to_stop() {
    let mut runner = TestRunner::deterministic();
    let (mut states, mut reasons) = (BTreeSet::new(), BTreeSet::new());
    let (mut sent_again, mut lost_claims, mut late_successes, mut closed) = (0, 0, 0, 0);
    // A heal and a lapsed lease are noted beside the state, a case in the history; a table is restored in `restored.rs`,
    // and forgotten in `forgotten.rs`.
    let beside = [
        Reason::Healed,
        Reason::LateSuccess,
        Reason::LeaseEnded,
        Reason::CaseTaken,
        Reason::CaseRefunded,
        Reason::CaseRefundedElsewhere,
        Reason::CaseAccepted,
        Reason::Restored,
        Reason::MayHaveBeenMade,
        Reason::AbsentAfterRestore,
        Reason::Forgotten,
    ];
    for _ in 0..20_000 {
        if sent_again > 50
            && lost_claims > 50
            && late_successes > 5
            && closed > 2
            && reasons.len() + beside.len() == Reason::ALL.len()
        {
            break;
        }
        let (order, turns) = (any_order(), turns()).new_tree(&mut runner).expect("a walk is drawn").current();
        let mut walk = Walk::new(order);
        for turn in &turns {
            let done = walk.take(turn);
            states.insert(done.after.state);
            reasons.insert(done.after.reason);
            sent_again += u32::from(begins_to_send(&done) && done.after.attempts > 1);
            lost_claims += u32::from(done.answered.is_some() && !done.mine);
            late_successes += u32::from(done.after.case.is_some() && done.before.case.is_none());
            closed += u32::from(done.before.has_open_case() && !done.after.has_open_case());
        }
    }
    assert_eq!(states.len(), State::ALL.len(), "{states:?}");
    let missed: Vec<_> =
        Reason::ALL.iter().filter(|reason| !reasons.contains(reason) && !beside.contains(reason)).collect();
    assert!(missed.is_empty(), "no walk comes to {missed:?}");
    assert!(sent_again > 50 && lost_claims > 50, "{sent_again} {lost_claims}");
    assert!(late_successes > 5 && closed > 2, "{late_successes} {closed}");
}
