//! The contract of `GateStore`: slots are handed out once each and at the rate, whoever asks at the same time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use pacing::brake::{Brake, Paced};
use pacing::breaker::{Breaker, Cause, Health, Mode};
use pacing::gate::{Control, Counts, GateAnswer, GateState, GateUpdate, GateView, Note, Operation, Reservation, Slots};
use pacing::schedule::{Advance, Form};
use ports::gate::reserve;
use ports::{GateStore, OperateError, operate};
use simulator::run::gate_settings;

use super::samples::{NOW, drawn};

/// Every promise of a table of gates.
pub async fn gate_contract<G: GateStore + Send + Sync + 'static>(gates: Arc<G>) {
    a_missing_gate_is_said_to_be_missing(&*gates).await;
    each_form_does_what_apply_does(&*gates).await;
    each_update_does_what_apply_does(&*gates).await;
    a_reservation_at_an_old_rate_is_refused_and_made_anew(&*gates).await;
    an_operators_changes_undo_nobodys(Arc::clone(&gates)).await;
    of_many_at_once_one_takes_the_probe(Arc::clone(&gates)).await;
    what_many_report_at_once_adds_up(Arc::clone(&gates)).await;
    many_at_once_never_share_a_slot(gates).await;
}

async fn a_missing_gate_is_said_to_be_missing<G: GateStore>(gates: &G) {
    let gate = new_gate();
    let request = request(&gate, Form::Idle, NOW.us());
    assert_eq!(gates.update(&request).await, Ok(GateAnswer::Refused(None)));
    assert_eq!(gates.create(&gate).await, Ok(()));
    let taken = request.apply(&gate).unwrap();
    assert_eq!(gates.update(&request).await, Ok(GateAnswer::Done(Box::new(taken.clone()))));
    // Whoever comes second with a new gate changes nothing.
    assert_eq!(gates.create(&gate).await, Ok(()));
    assert_eq!(gates.update(&request).await, Ok(GateAnswer::Refused(Some(Box::new(taken)))));
}

async fn each_form_does_what_apply_does<G: GateStore>(gates: &G) {
    let now_us = NOW.us();
    for next_us in [0, now_us - 1, now_us, now_us + 1, now_us + 5_000, now_us + 10_000, now_us + 10_001] {
        for form in [Form::Idle, Form::Busy] {
            for (rate_version, paused) in [(1, false), (2, false), (1, true)] {
                let gate = GateState { next_us, paused, rate_version, ..new_gate() };
                gates.create(&gate).await.unwrap();
                let request = GateUpdate { rate_version: 1, ..request(&gate, form, now_us) };
                let expected = match request.apply(&gate) {
                    Some(after) => GateAnswer::Done(Box::new(after)),
                    None => GateAnswer::Refused(Some(Box::new(gate.clone()))),
                };
                assert_eq!(gates.update(&request).await, Ok(expected), "{form:?} on {gate:?}");
            }
        }
    }
}

/// Slots or none, counts of every kind, a change of everything or nothing, on a gate that has been through something.
async fn each_update_does_what_apply_does<G: GateStore>(gates: &G) {
    let take = Advance { form: Form::Busy, now_us: NOW.us(), span_us: 5, at_most_us: NOW.us() + 9 };
    let counts = [(0, 0, 0, 0, 0), (3, 0, 0, 2, 0), (3, 3, 3, 3, 1), (5, 3, 1, 0, 2), (5, 4, 0, 0, 0)];
    for take in [None, Some(take)] {
        for (calls, failures, in_a_row, paced, limited) in counts {
            for (control, version) in [(None, 7), (Some(changed(2)), 7), (Some(changed(8)), 7), (Some(changed(8)), 6)] {
                let gate = stopped_gate();
                gates.create(&gate).await.unwrap();
                let update = GateUpdate {
                    rate_version: version,
                    take,
                    counts: Counts { calls, failures, in_a_row, paced: Paced { calls: paced, limited } },
                    control: control.clone().map(Box::new),
                    ..GateUpdate::of(&gate)
                };
                let expected = match update.apply(&gate) {
                    Some(after) => GateAnswer::Done(Box::new(after)),
                    None => GateAnswer::Refused(Some(Box::new(gate.clone()))),
                };
                assert_eq!(gates.update(&update).await, Ok(expected.clone()), "{update:?}");
                let (GateAnswer::Done(stands) | GateAnswer::Refused(Some(stands))) = expected else { unreachable!() };
                assert_eq!(gates.read(&gate.provider).await, Ok(Some(*stands)), "{update:?}");
            }
        }
    }
    assert_eq!(gates.read("nobody").await, Ok(None));
}

/// Everything that can be changed, with a breaker that came with this version.
fn changed(breaker_version: u64) -> Control {
    let note = |why| Some(Note::new(NOW, "ann", why).unwrap());
    let mode = Mode::Open { probe_at_us: Some(NOW.us()) };
    Control {
        rate_per_second: 77,
        rate_before: 5_000,
        paused: false,
        pause_note: note("it is over"),
        rate_note: None,
        breaker: Breaker {
            mode,
            cause: Cause::FailingShare,
            since_us: NOW.us(),
            version: breaker_version,
            reopened: 3,
        },
        brake: Brake {
            permille: 500,
            hold_until_us: NOW.us(),
            version: breaker_version,
            seen_permille: 400,
            stray_permille: 20,
            found_permille: 480,
        },
    }
}

fn stopped_gate() -> GateState {
    let note = Some(Note::new(NOW, "ben", "slower for now").unwrap());
    let breaker = Breaker { mode: Mode::Ramp, version: 2, ..Breaker::default() };
    let next_us = NOW.us() + 3;
    let counted = GateState { calls: 1_000, failures: 100, in_a_row: 9, paced: 700, limited: 6, ..new_gate() };
    GateState { next_us, rate_version: 7, rate_note: note, breaker, ..counted }
}

async fn a_reservation_at_an_old_rate_is_refused_and_made_anew<G: GateStore>(gates: &G) {
    let gate = new_gate();
    gates.create(&gate).await.unwrap();
    let view = Mutex::new(GateView::new(gate.clone(), gate_settings()));
    let old = GateUpdate { take: request(&gate, Form::Idle, NOW.us()).take, ..GateUpdate::of(&gate) };
    let note = Note::new(NOW, "ann", "asked for by the provider").unwrap();
    let done = operate(gates, &gate.provider, Operation::Rate(100), &note).await.unwrap();
    assert_eq!((done.before.clone(), done.after.rate_per_second), (gate.clone(), 100));
    assert_eq!(done.after.rate_note, Some(note));
    assert_eq!(gates.update(&old).await, Ok(GateAnswer::Refused(Some(Box::new(done.after.clone())))));
    // Somebody who edits the item by hand may forget the version: the rate itself is required too.
    let by_hand = GateUpdate { rate_version: done.after.rate_version, ..old };
    assert!(matches!(gates.update(&by_hand).await, Ok(GateAnswer::Refused(Some(_)))));
    let Ok(Reservation::Slots(slots)) = reserve(gates, &view, 20, NOW.us(), NOW.us() + 60_000_000).await else {
        panic!("there is room");
    };
    assert_eq!((slots.count, slots.span_us), (20, done.after.span_us(20)));
    assert!(matches!(operate(gates, "nobody", Operation::Pause, &Note::new(NOW, "ann", "no").unwrap()).await,
        Err(OperateError::Missing(name)) if name == "nobody"));
}

/// Ten people set rates and pause while consumers reserve: each change is there, none has undone another, and none was
/// done twice.
async fn an_operators_changes_undo_nobodys<G: GateStore + Send + Sync + 'static>(gates: Arc<G>) {
    let gate = new_gate();
    gates.create(&gate).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..10_u32 {
        let (gates, gate) = (Arc::clone(&gates), gate.clone());
        tasks.spawn(async move {
            let note = Note::new(NOW, &format!("person {number}"), "at once").unwrap();
            let operation = if number == 0 { Operation::Pause } else { Operation::Rate(1_000 + number) };
            let done = loop {
                match operate(&*gates, &gate.provider, operation, &note).await {
                    Ok(done) => break done,
                    Err(OperateError::Contended(_)) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            };
            let view = Mutex::new(GateView::new(gate.clone(), gate_settings()));
            reserve(&*gates, &view, 3, NOW.us(), NOW.us() + 60_000_000).await.unwrap();
            done.after
        });
    }
    let mut afters = tasks.join_all().await;
    afters.sort_by_key(|gate| gate.rate_version);
    let versions: Vec<u64> = afters.iter().map(|gate| gate.rate_version).collect();
    assert_eq!(versions, (2..=11).collect::<Vec<u64>>());
    let stands = gates.read(&gate.provider).await.unwrap().unwrap();
    assert!(stands.paused && stands.pause_note.is_some_and(|note| note.who == "person 0"));
    assert_eq!(stands.rate_per_second, afters[9].rate_per_second);
}

async fn of_many_at_once_one_takes_the_probe<G: GateStore + Send + Sync + 'static>(gates: Arc<G>) {
    let breaker = Breaker { mode: Mode::Open { probe_at_us: Some(NOW.us()) }, version: 1, ..Breaker::default() };
    let gate = GateState { breaker, ..new_gate() };
    gates.create(&gate).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (gates, gate) = (Arc::clone(&gates), gate.clone());
        tasks.spawn(async move {
            let view = Mutex::new(GateView::new(gate, gate_settings()));
            reserve(&*gates, &view, 20, NOW.us(), NOW.us() + 60_000_000).await.unwrap()
        });
    }
    let answers = tasks.join_all().await;
    let probes =
        answers.iter().filter(|answer| matches!(answer, Reservation::Slots(Slots { count: 1, is_probe: true, .. })));
    assert_eq!(probes.count(), 1, "{answers:?}");
    let lease_until_us = NOW.us() + gate_settings().breaker.probe_lease_ms * 1_000;
    let others = answers.iter().filter(|answer| **answer == Reservation::Open { probe_at_us: Some(lease_until_us) });
    assert_eq!(others.count(), 19, "{answers:?}");
}

async fn what_many_report_at_once_adds_up<G: GateStore + Send + Sync + 'static>(gates: Arc<G>) {
    let gate = new_gate();
    gates.create(&gate).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (gates, gate) = (Arc::clone(&gates), gate.clone());
        tasks.spawn(async move {
            let view = Mutex::new(GateView::new(gate, gate_settings()));
            let (mut calls, mut failures) = (0, 0);
            for turn in 0..10 {
                let slots = match reserve(&*gates, &view, 4, NOW.us(), NOW.us() + 600_000_000).await.unwrap() {
                    Reservation::Slots(slots) => slots,
                    // Contended more than it tries for: what it has to tell waits.
                    Reservation::Later { .. } => continue,
                    other => panic!("{other:?}"),
                };
                for health in
                    [Health::Answers, Health::Answers, Health::Fails, Health::Unsaid].into_iter().take(1 + turn % 4)
                {
                    view.lock().unwrap().tally(health, slots.version, false);
                    calls += u64::from(health != Health::Unsaid);
                    failures += u64::from(health == Health::Fails);
                }
            }
            // What is left is told with the next reservation.
            while let Ok(Reservation::Later { .. }) = reserve(&*gates, &view, 1, NOW.us(), NOW.us() + 600_000_000).await
            {
            }
            (calls, failures)
        });
    }
    let told = tasks.join_all().await.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let stands = gates.read(&gate.provider).await.unwrap().unwrap();
    assert!(told.1 > 20, "{told:?}");
    assert_eq!((stands.calls, stands.failures), told);
}

/// Twenty tasks reserve side by side, some more than there is time for and some less, so that both forms occur.
async fn many_at_once_never_share_a_slot<G: GateStore + Send + Sync + 'static>(gates: Arc<G>) {
    let gate = GateState::new(&format!("provider-{}", drawn()), 1_000, 10);
    let clock_us = Arc::new(AtomicU64::new(NOW.us()));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0_u32..20 {
        let (gates, gate, clock_us) = (Arc::clone(&gates), gate.clone(), Arc::clone(&clock_us));
        tasks.spawn(async move {
            let seen = Mutex::new(GateView::new(gate, gate_settings()));
            let mut starts_us = Vec::new();
            for turn in 0_u32..10 {
                let wanted = 1 + (task + turn) % 7;
                loop {
                    let now_us = clock_us.fetch_add(3_000, Ordering::Relaxed);
                    let latest_us = now_us + 60_000_000;
                    match reserve(&*gates, &seen, wanted, now_us, latest_us).await.unwrap() {
                        Reservation::Slots(slots) => {
                            assert!(slots.count >= 1 && slots.count <= wanted);
                            assert!(slots.first_us >= now_us && slots.start_us(slots.count - 1) <= Some(latest_us));
                            starts_us.extend((0..slots.count).filter_map(|index| slots.start_us(index)));
                            break;
                        }
                        // Contended more than it tries for: it asks again.
                        Reservation::Later { .. } => tokio::task::yield_now().await,
                        Reservation::Paused | Reservation::Open { .. } => panic!("nobody stopped it"),
                    }
                }
            }
            starts_us
        });
    }
    let mut starts_us: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    starts_us.sort_unstable();
    assert!(starts_us.len() >= 200, "{} slots", starts_us.len());
    let pace_us = gate.span_us(1) - 1;
    for pair in starts_us.windows(2) {
        assert!(pair[1] - pair[0] >= pace_us, "slots {} and {} are closer than {pace_us} µs", pair[0], pair[1]);
    }
}

fn new_gate() -> GateState {
    GateState::new(&format!("provider-{}", drawn()), 5_000, 10)
}

fn request(gate: &GateState, form: Form, now_us: u64) -> GateUpdate {
    let take = Advance { form, now_us, span_us: gate.span_us(20), at_most_us: now_us + 10_000 };
    GateUpdate { take: Some(take), ..GateUpdate::of(gate) }
}
