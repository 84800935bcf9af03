//! The breaker: opens on what all consumers have seen together, stops all of them, is tried by one call at a time, and
//! lets the rate grow back; I5 holds throughout.

use std::sync::Mutex;

use pacing::breaker::{Breaker, Cause, Counted, Health, Mode, WHOLE_PERMILLE, Window};
use pacing::gate::{GateView, Note, Operation, Reservation, Sending, Slots};
use ports::gate::{report, reserve};
use ports::operate;
use proptest::prelude::*;
use simulator::check::most_in_a_second;
use simulator::run::gate_settings;

use super::cases;
use super::gate::{Table, now_or_never};
use crate::contract::samples::NOW;

const RATE: u32 = 100;
/// Far enough that every wanted slot is in time.
const FAR_US: u64 = 3_600_000_000;

/// Consumers over one gate, and what reached the provider.
struct Consumers {
    table: Table,
    views: Vec<Mutex<GateView>>,
    now_us: u64,
    calls_us: Vec<u64>,
    probes_us: Vec<u64>,
}

impl Consumers {
    fn new(count: usize) -> Self {
        let table = Table::new(RATE);
        let views = (0..count).map(|_| Mutex::new(GateView::new(table.state(), gate_settings()))).collect();
        Self { table, views, now_us: NOW.us(), calls_us: Vec::new(), probes_us: Vec::new() }
    }

    fn reserve(&mut self, consumer: usize, wanted: u32) -> Reservation {
        let reserving = reserve(&self.table, &self.views[consumer], wanted, self.now_us, self.now_us + FAR_US);
        let reservation = now_or_never(reserving).unwrap();
        if let Reservation::Slots(slots) = reservation {
            let starts = (0..slots.count).map(|index| slots.start_us(index).unwrap());
            if slots.is_probe {
                self.probes_us.extend(starts.clone());
            }
            self.calls_us.extend(starts);
        }
        reservation
    }

    /// Reserves, waits until the last slot is over, and says how each call went.
    fn call(&mut self, consumer: usize, wanted: u32, health: Health) -> Option<Slots> {
        let Reservation::Slots(slots) = self.reserve(consumer, wanted) else { return None };
        self.now_us = self.now_us.max(slots.first_us + slots.span_us);
        for _ in 0..slots.count {
            self.tally(consumer, health, &slots);
        }
        Some(slots)
    }

    fn tally(&self, consumer: usize, health: Health, slots: &Slots) {
        {
            let mut view = self.views[consumer].lock().unwrap();
            let pace = view.sends(slots, self.now_us);
            view.tally(health, slots.version, slots.is_probe);
            if let Health::RateLimits { retry_after_ms } = health {
                view.is_limited(pace, retry_after_ms);
            }
        }
        now_or_never(report(&self.table, &self.views[consumer], self.now_us)).unwrap();
    }

    fn wait_ms(&mut self, ms: u64) {
        self.now_us += ms * 1_000;
    }

    fn breaker(&self) -> Breaker {
        self.table.state().breaker
    }

    fn opened(count: usize) -> Self {
        let mut consumers = Self::new(count);
        consumers.call(0, 5, Health::Fails);
        assert!(matches!(consumers.breaker().mode, Mode::Open { .. }), "{:?}", consumers.breaker());
        consumers
    }

    fn operate(&self, operation: Operation) {
        let note = Note::new(payments::time::Timestamp::from_us(self.now_us), "ann", "because").unwrap();
        now_or_never(operate(&self.table, "provider", operation, &note)).unwrap();
    }
}

fn health() -> impl Strategy<Value = Health> {
    prop_oneof![
        4 => Just(Health::Answers),
        4 => Just(Health::Fails),
        1 => (0_u64..100_000).prop_map(|ms| Health::RateLimits { retry_after_ms: Some(ms) }),
        1 => Just(Health::RateLimits { retry_after_ms: None }),
        1 => Just(Health::Unsaid),
    ]
}

proptest! {
    #![proptest_config(cases(200))]

    /// I5 while it opens, is tried, ramps and closes, and while 429s pull the brake.
    #[test]
    fn whatever_the_provider_does_no_second_holds_more_calls_than_the_rate(
        steps in proptest::collection::vec((0_usize..6, 1_u32..40, health(), 0_u64..20_000), 40..120),
    ) {
        let mut consumers = Consumers::new(6);
        for (consumer, wanted, health, wait_ms) in steps {
            consumers.call(consumer, wanted, health);
            consumers.wait_ms(wait_ms / 4);
        }
        prop_assert!(most_in_a_second(&consumers.calls_us) <= u64::from(RATE));
    }

    /// Whoever asks, however often: while it is open there is one call, and another only when the first has failed or
    /// its lease is over.
    #[test]
    fn of_all_consumers_one_makes_the_probe(asks in proptest::collection::vec((0_usize..8, 0_u64..4_000), 20..80)) {
        let mut consumers = Consumers::opened(8);
        consumers.calls_us.clear();
        for (consumer, wait_ms) in asks {
            consumers.wait_ms(wait_ms);
            let reservation = consumers.reserve(consumer, 10);
            let is_probe_or_none = matches!(
                reservation,
                Reservation::Open { .. } | Reservation::Slots(Slots { count: 1, is_probe: true, .. })
            );
            prop_assert!(is_probe_or_none, "{:?}", reservation);
        }
        // Nobody says how a probe went: each next one waits for the lease.
        let lease_us = gate_settings().breaker.probe_lease_ms * 1_000;
        prop_assert!(!consumers.probes_us.is_empty());
        prop_assert!(consumers.probes_us.windows(2).all(|pair| pair[1] >= pair[0] + lease_us));
        prop_assert_eq!(consumers.calls_us, consumers.probes_us);
    }

    #[test]
    fn a_provider_that_answers_is_never_stopped_and_costs_no_more_than_the_gate(
        calls in proptest::collection::vec((0_usize..6, 1_u32..40), 20..80),
    ) {
        let mut consumers = Consumers::new(6);
        for (consumer, wanted) in calls {
            consumers.table.requests();
            prop_assert!(consumers.call(consumer, wanted, Health::Answers).is_some());
            prop_assert!(consumers.table.requests() <= 2);
        }
        prop_assert_eq!(consumers.breaker(), Breaker::default());
        prop_assert_eq!(consumers.table.state().failures, 0);
    }

    /// Each sees too few failures of its own; together they are enough.
    #[test]
    fn failures_in_a_row_open_it_whoever_saw_them(order in Just([0_usize, 1, 2, 3, 4]).prop_shuffle()) {
        let mut consumers = Consumers::new(6);
        for consumer in order {
            prop_assert_eq!(consumers.breaker().mode, Mode::Closed);
            consumers.call(consumer, 1, Health::Fails);
        }
        // The next to ask has everybody's counts in front of it before it sends.
        for consumer in 0..6 {
            let reservation = consumers.reserve(consumer, 1);
            if consumer > 4 || !matches!(reservation, Reservation::Slots(_)) {
                prop_assert!(matches!(reservation, Reservation::Open { .. }), "{:?}", reservation);
            }
        }
        prop_assert_eq!(consumers.breaker().cause, Cause::ConsecutiveFailures);
    }

    /// A row that somebody else has broken is no row, however long ago we looked.
    #[test]
    fn a_success_in_between_keeps_it_closed(failures in 1_u32..5) {
        let mut consumers = Consumers::new(3);
        consumers.call(0, failures, Health::Fails);
        // With this reservation they are told, and it sees its own row.
        let Reservation::Slots(slots) = consumers.reserve(0, 5 - failures) else { panic!("it is closed") };
        prop_assert_eq!(consumers.table.state().in_a_row, u64::from(failures));
        consumers.call(1, 1, Health::Answers);
        consumers.call(1, 1, Health::Answers);
        for _ in 0..slots.count {
            consumers.tally(0, Health::Fails, &slots);
        }
        consumers.reserve(0, 1);
        prop_assert_eq!(consumers.breaker().mode, Mode::Closed);
        prop_assert_eq!(consumers.table.state().in_a_row, u64::from(slots.count));
    }

    #[test]
    fn a_share_of_failures_opens_it_only_with_enough_calls(calls in 1_u64..100, percent in 0_u64..=100) {
        let settings = gate_settings().breaker;
        let failures = calls * percent / 100;
        let counted = Counted { calls, failures, ..Counted::default() };
        let judged = Breaker::default().judged(&counted, &settings, NOW.us(), 2);
        let opens = calls >= settings.calls_min && failures * 100 >= calls * settings.failing_percent;
        prop_assert_eq!(judged.is_some(), opens);
        prop_assert!(judged.is_none_or(|breaker| breaker.cause == Cause::FailingShare));
    }

    /// The ramp grows with time alone, from a share to the whole, and never beyond.
    #[test]
    fn the_ramp_doubles_up_to_the_rate(percent in 1_u32..=100, step_ms in 1_u64..60_000, times in proptest::collection::vec(0_u64..600_000, 2..20)) {
        let settings = pacing::breaker::BreakerSettings { ramp_percent: percent, ramp_step_ms: step_ms, ..gate_settings().breaker };
        let ramp = Breaker { mode: Mode::Ramp, since_us: NOW.us(), ..Breaker::default() };
        let mut times = times;
        times.sort_unstable();
        let shares: Vec<u32> = times.iter().map(|ms| ramp.permille(&settings, NOW.us() + ms * 1_000)).collect();
        prop_assert!(shares.is_sorted() && shares.iter().all(|share| (percent * 10..=WHOLE_PERMILLE).contains(share)));
        let one_step = ramp.permille(&settings, NOW.us() + step_ms * 1_000);
        prop_assert_eq!(one_step, (percent * 20).min(WHOLE_PERMILLE));
        let done = ramp.judged(&Counted::default(), &settings, NOW.us() + step_ms * 7_000, 9).unwrap();
        prop_assert_eq!((done.mode, done.cause, done.reopened), (Mode::Closed, Cause::RampOver, 0));
    }

    /// What was counted in the window, whatever was marked when.
    #[test]
    fn a_window_forgets_what_is_older(gaps in proptest::collection::vec(0_u64..5_000, 1..60)) {
        let window_ms = 10_000;
        let mut window = Window::default();
        let (mut now_us, mut calls) = (NOW.us(), 0_u64);
        let mut made_us = Vec::new();
        for gap_ms in gaps {
            now_us += gap_ms * 1_000;
            window.mark(calls, 0, window_ms, now_us);
            calls += 1;
            made_us.push(now_us);
            let within = |ms: u64| made_us.iter().filter(|at_us| **at_us + ms * 1_000 >= now_us).count() as u64;
            let (counted, _) = window.since(calls, 0);
            // To a mark's distance, a sixteenth of the window.
            prop_assert!(counted <= within(window_ms) && counted >= within(window_ms - window_ms / 16 - 5_000).min(calls), "{}", counted);
        }
    }
}

#[test]
fn an_open_breaker_gives_nothing_until_its_probe_is_answered_and_then_ramps() {
    let mut consumers = Consumers::opened(2);
    assert_eq!(consumers.breaker().cause, Cause::ConsecutiveFailures);
    assert!(matches!(consumers.reserve(1, 10), Reservation::Open { probe_at_us: Some(_) }));
    consumers.wait_ms(5_000);
    let probe = consumers.call(1, 10, Health::Answers).unwrap();
    assert!(probe.is_probe && probe.count == 1);
    assert_eq!(consumers.breaker().mode, Mode::Ramp);
    // A tenth of the rate, then a fifth, and after four doublings all of it.
    let settings = gate_settings();
    for (after_ms, permille) in [(0, 100), (5_000, 200), (5_000, 400), (5_000, 800), (5_000, 1_000)] {
        consumers.wait_ms(after_ms);
        let begun_us = consumers.now_us;
        let since_us = consumers.breaker().since_us;
        let within = begun_us - since_us < 20_000_000;
        let sending = consumers.table.state().sending(&settings, begun_us);
        assert_eq!(sending, Sending::Pace(permille), "{within}");
    }
    assert!(consumers.call(0, 1, Health::Answers).is_some());
    assert_eq!((consumers.breaker().mode, consumers.breaker().cause), (Mode::Closed, Cause::RampOver));
}

#[test]
fn each_probe_that_fails_doubles_the_wait_up_to_the_longest() {
    let mut consumers = Consumers::opened(1);
    for wait_ms in [5_000, 10_000, 20_000, 40_000, 60_000, 60_000] {
        let Mode::Open { probe_at_us: Some(probe_at_us) } = consumers.breaker().mode else { panic!("it is open") };
        assert_eq!(probe_at_us - consumers.breaker().since_us, wait_ms * 1_000);
        consumers.now_us = probe_at_us;
        assert!(consumers.call(0, 1, Health::Fails).unwrap().is_probe);
        assert_eq!(consumers.breaker().cause, Cause::ProbeFailed);
    }
}

#[test]
fn a_probe_that_is_never_made_is_made_by_the_next() {
    let mut consumers = Consumers::opened(2);
    consumers.wait_ms(5_000);
    assert!(consumers.call(0, 1, Health::Unsaid).unwrap().is_probe);
    assert_eq!(consumers.breaker().cause, Cause::ProbeNotMade);
    assert!(consumers.call(1, 1, Health::Answers).unwrap().is_probe);
    assert_eq!(consumers.breaker().mode, Mode::Ramp);
}

#[test]
fn refused_credentials_stop_everything_at_once_until_an_operator_says_so() {
    let mut consumers = Consumers::new(2);
    consumers.call(0, 1, Health::RefusesCredentials);
    for _ in 0..100 {
        consumers.wait_ms(60_000);
        assert_eq!(consumers.reserve(1, 10), Reservation::Open { probe_at_us: None });
    }
    consumers.operate(Operation::Resume);
    assert!(consumers.call(1, 10, Health::Answers).unwrap().is_probe);
    assert_eq!(consumers.breaker().mode, Mode::Ramp);
}

#[test]
fn an_operator_holds_it_open_and_sees_that_it_is() {
    let mut consumers = Consumers::opened(1);
    consumers.operate(Operation::Pause);
    for _ in 0..100 {
        consumers.wait_ms(60_000);
        assert_eq!(consumers.reserve(0, 10), Reservation::Paused);
    }
    let gate = consumers.table.state();
    assert!(gate.paused && matches!(gate.breaker.mode, Mode::Open { .. }));
    assert_eq!(gate.pause_note.unwrap().who, "ann");
    consumers.operate(Operation::Resume);
    assert!(consumers.call(0, 10, Health::Answers).unwrap().is_probe, "it is tried before it is trusted");
}

/// Calls that were under way when it opened are answered when it is half open: they are why it opened, not news.
#[test]
fn late_failures_from_before_do_not_open_it_again() {
    let mut consumers = Consumers::new(2);
    let Reservation::Slots(before) = consumers.reserve(1, 10) else { panic!("it is closed") };
    consumers.call(0, 5, Health::Fails);
    consumers.wait_ms(5_000);
    consumers.call(0, 1, Health::Answers);
    assert_eq!(consumers.breaker().mode, Mode::Ramp);
    consumers.reserve(1, 1);
    for _ in 0..10 {
        consumers.tally(1, Health::Fails, &before);
    }
    assert_eq!(consumers.breaker().mode, Mode::Ramp);
    assert_eq!(consumers.table.state().in_a_row, 0);
}

/// What others had reserved when it opened is not used by whoever has heard of it.
#[test]
fn slots_from_before_it_opened_are_not_used_once_that_is_known() {
    let mut consumers = Consumers::new(2);
    let Reservation::Slots(before) = consumers.reserve(1, 10) else { panic!("it is closed") };
    let may_send =
        |consumers: &Consumers, version| consumers.views[1].lock().unwrap().may_send(version, consumers.now_us);
    consumers.call(0, 5, Health::Fails);
    assert!(may_send(&consumers, before.version), "it has not heard");
    consumers.reserve(1, 1);
    assert!(!may_send(&consumers, before.version));
    consumers.wait_ms(5_000);
    let probe = consumers.reserve(1, 1);
    assert!(
        matches!(probe, Reservation::Slots(Slots { is_probe: true, version, .. }) if may_send(&consumers, version))
    );
}

/// Somebody has deleted the item: it is written again as it was last seen, and what was reserved holds.
#[test]
fn a_gate_that_was_put_back_to_an_older_version_is_believed() {
    let mut consumers = Consumers::opened(1);
    let fresh = Table::new(RATE).state();
    consumers.table.change(|gate| *gate = fresh);
    assert!(matches!(consumers.reserve(0, 10), Reservation::Slots(_)));
}
