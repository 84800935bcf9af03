//! The contract of `GateStore`: slots are handed out once each and at the rate, whoever asks at the same time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use payments::gate::{Form, GateAnswer, GateState, GateUpdate, GateView, Reservation, Take, reserve};
use payments::ports::GateStore;
use simulator::run::gate_settings;

use super::samples::{NOW, drawn};

/// Every promise of a table of gates.
pub async fn gate_contract<G: GateStore + Send + Sync + 'static>(gates: Arc<G>) {
    a_missing_gate_is_said_to_be_missing(&*gates).await;
    each_form_does_what_apply_does(&*gates).await;
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
    let take = Take { form, now_us, span_us: gate.span_us(20), next_at_most_us: now_us + 10_000 };
    GateUpdate { take: Some(take), ..GateUpdate::of(gate) }
}
