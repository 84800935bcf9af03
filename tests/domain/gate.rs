//! I5: however many consumers reserve, by clocks that are apart and late by what the margin allows, no window of one
//! second holds more calls than the rate; and next to nothing of the rate is lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pacing::gate::{
    GateAnswer, GateState, GateUpdate, GateView, PARTITION_WRITES_PER_SECOND, Reservation, Slots, writes_per_second,
};
use ports::gate::reserve;
use ports::{GateStore, PortError};
use proptest::prelude::*;
use simulator::check::most_in_a_second;
use simulator::run::gate_settings;

use super::cases;
use crate::contract::samples::NOW;

/// A table of gates that answers at once, and counts its requests.
pub(super) struct Table {
    gate: Mutex<GateState>,
    requests: AtomicU64,
}

impl GateStore for Table {
    async fn update(&self, request: &GateUpdate) -> Result<GateAnswer, PortError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut gate = self.gate.lock().unwrap();
        Ok(match request.apply(&gate) {
            Some(after) => {
                *gate = after.clone();
                GateAnswer::Done(Box::new(after))
            }
            None => GateAnswer::Refused(Some(Box::new(gate.clone()))),
        })
    }

    async fn read(&self, _: &str) -> Result<Option<GateState>, PortError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        Ok(Some(self.state()))
    }

    async fn create(&self, _: &GateState) -> Result<(), PortError> {
        Ok(())
    }
}

impl Table {
    pub(super) fn new(rate: u32) -> Self {
        let gate = Mutex::new(GateState::new("provider", rate, MARGIN_MS));
        Self { gate, requests: AtomicU64::new(0) }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut GateState)) {
        change(&mut self.gate.lock().unwrap());
    }

    pub(super) fn state(&self) -> GateState {
        self.gate.lock().unwrap().clone()
    }

    /// Requests since this was last asked.
    pub(super) fn requests(&self) -> u64 {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

const MARGIN_MS: u32 = 10;
/// Clocks are at most twice this apart, and calls late by what then remains of the margin.
const SKEW_US: i64 = 2_000;
const LATE_US: u64 = 6_000;

pub(super) fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

/// One reservation of a consumer: when, whose, how many, and how late its calls are.
#[derive(Clone, Debug)]
struct Ask {
    after_share: f64,
    consumer: usize,
    wanted: u32,
    late_us: u64,
    ahead_us: u64,
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let ask = (0.0_f64..1.0, 0_usize..8, 1_u32..200, 0..=LATE_US, 0_u64..3_000_000).prop_map(
        |(after_share, consumer, wanted, late_us, ahead_us)| Ask { after_share, consumer, wanted, late_us, ahead_us },
    );
    proptest::collection::vec(ask, 60..200)
}

fn rate() -> impl Strategy<Value = u32> {
    prop_oneof![1_u32..10, 1_u32..300, 300_u32..20_001]
}

/// Consumers, each with its own clock and its own memory of the gate.
struct Consumers {
    table: Table,
    seen: Vec<Mutex<GateView>>,
    skews_us: Vec<i64>,
    now_us: u64,
    /// The gate's own times of the slots, and the true times of the calls made in them.
    starts_us: Vec<u64>,
    calls_us: Vec<u64>,
}

impl Consumers {
    fn new(rate: u32, skews_us: Vec<i64>) -> Self {
        let table = Table::new(rate);
        let view = || Mutex::new(GateView::new(table.state(), gate_settings()));
        let seen = skews_us.iter().map(|_| view()).collect();
        Self { table, seen, skews_us, now_us: NOW.us(), starts_us: Vec::new(), calls_us: Vec::new() }
    }

    fn ask(&mut self, ask: &Ask, latest_us: u64) -> Reservation {
        let consumer = ask.consumer % self.seen.len();
        let clock_us = self.now_us.saturating_add_signed(self.skews_us[consumer]);
        let reserving = reserve(&self.table, &self.seen[consumer], ask.wanted, clock_us, latest_us);
        let reservation = now_or_never(reserving).unwrap();
        if let Reservation::Slots(slots) = reservation {
            let late_us = ask.late_us.min(u64::from(MARGIN_MS) * 1_000 - 2 * SKEW_US.unsigned_abs());
            for start_us in starts(&slots) {
                self.starts_us.push(start_us);
                self.calls_us.push(start_us.saturating_add_signed(-self.skews_us[consumer]) + late_us * (start_us % 2));
            }
        }
        reservation
    }
}

fn starts(slots: &Slots) -> Vec<u64> {
    (0..slots.count).map(|index| slots.start_us(index).unwrap()).collect()
}

fn skews() -> impl Strategy<Value = Vec<i64>> {
    proptest::collection::vec(-SKEW_US..=SKEW_US, 8)
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn no_second_holds_more_calls_than_the_rate_whatever_they_ask(rate in rate(), skews in skews(), asks in asks()) {
        let mut consumers = Consumers::new(rate, skews);
        for ask in &asks {
            // Sometimes idle for a while, sometimes all at once.
            if ask.after_share > 0.7 {
                consumers.now_us += ask.ahead_us / 4;
            }
            let latest_us = consumers.now_us + SKEW_US.unsigned_abs() + ask.ahead_us;
            let clock_us = consumers.now_us.saturating_add_signed(consumers.skews_us[ask.consumer % 8]);
            if let Reservation::Slots(slots) = consumers.ask(ask, latest_us) {
                let starts = starts(&slots);
                prop_assert!(slots.count >= 1 && slots.count <= ask.wanted);
                prop_assert!(starts[0] >= clock_us && starts[starts.len() - 1] <= latest_us, "{:?}", slots);
                prop_assert_eq!(slots.start_us(slots.count), None);
            }
        }
        prop_assert!(!consumers.calls_us.is_empty());
        let most = most_in_a_second(&consumers.calls_us);
        prop_assert!(most <= u64::from(rate), "{} calls in a second at a rate of {}", most, rate);
    }

    #[test]
    fn with_enough_to_do_nearly_all_of_the_rate_is_used(rate in rate(), skews in skews(), asks in asks()) {
        let mut consumers = Consumers::new(rate, skews);
        for ask in &asks {
            // On average twice as much is wanted as there is.
            let spent_us = f64::from(ask.wanted) * 1_000_000.0 / f64::from(rate);
            consumers.now_us += u64::try_from(std::time::Duration::from_secs_f64(spent_us * ask.after_share / 1e6).as_micros()).unwrap();
            // Whoever waits long enough is always given all of what it wants.
            let reservation = consumers.ask(ask, u64::MAX / 4);
            prop_assert!(matches!(reservation, Reservation::Slots(Slots { count, .. }) if count == ask.wanted), "{:?}", reservation);
        }
        let mut starts_us = consumers.starts_us;
        starts_us.sort_unstable();
        // The beginning may have had too little to do: the busy time is the longest one without a pause.
        let pace_us = 1_100_000 / u64::from(rate) + 2;
        let runs: Vec<&[u64]> = starts_us.chunk_by(|one, two| two - one <= pace_us).collect();
        let busy = runs.iter().max_by_key(|run| run.len()).unwrap();
        let took_us = busy[busy.len() - 1] - busy[0];
        let possible = u128::from(took_us) * u128::from(rate) / 1_000_000;
        prop_assert!((busy.len() as u128 - 1) * 100 >= possible * 98, "{} of {} calls", busy.len(), possible);
        prop_assert!(busy.len() * 3 >= starts_us.len(), "it was busy for {} of {}", busy.len(), starts_us.len());
    }

    #[test]
    fn no_slot_is_given_twice(rate in rate(), skews in skews(), asks in asks()) {
        let mut consumers = Consumers::new(rate, skews);
        for ask in &asks {
            consumers.now_us += ask.ahead_us / 100;
            let latest_us = consumers.now_us + SKEW_US.unsigned_abs() + ask.ahead_us;
            consumers.ask(ask, latest_us);
        }
        // Rounded down to whole microseconds, two may be one closer than the pace.
        let pace_us = consumers.table.state().span_us(1) - 2;
        prop_assert!(consumers.starts_us.windows(2).all(|pair| pair[1] >= pair[0] + pace_us));
    }

    #[test]
    fn a_new_rate_holds_from_the_next_reservation_on(old in rate(), new in rate(), skews in skews(), asks in asks()) {
        let mut consumers = Consumers::new(old, skews);
        for (index, ask) in asks.iter().enumerate() {
            if index == asks.len() / 2 {
                consumers.table.change(|gate| {
                    gate.rate_per_second = new;
                    gate.rate_version += 1;
                });
                consumers.starts_us.clear();
            }
            consumers.ask(ask, u64::MAX / 4);
        }
        let pace_us = consumers.table.state().span_us(1) - 2;
        prop_assert!(consumers.starts_us.windows(2).all(|pair| pair[1] >= pair[0] + pace_us));
        prop_assert!(consumers.seen.iter().any(|seen| seen.lock().unwrap().state().rate_per_second == new));
    }

    #[test]
    fn a_paused_gate_gives_nothing_until_it_is_open_again(rate in rate(), skews in skews(), asks in asks()) {
        let mut consumers = Consumers::new(rate, skews);
        consumers.table.change(|gate| gate.paused = true);
        let paused = consumers.table.state();
        for ask in &asks {
            prop_assert_eq!(consumers.ask(ask, u64::MAX / 4), Reservation::Paused);
        }
        prop_assert_eq!(consumers.table.state(), paused);
        consumers.table.change(|gate| gate.paused = false);
        prop_assert!(matches!(consumers.ask(&asks[0], u64::MAX / 4), Reservation::Slots(_)));
    }

    #[test]
    fn a_gate_that_is_taken_says_when_it_is_free(rate in rate(), ahead_us in 1_u64..10_000_000, wanted in 1_u32..200) {
        let mut consumers = Consumers::new(rate, vec![0]);
        let free_us = consumers.now_us + ahead_us;
        consumers.table.change(|gate| gate.next_us = free_us);
        let ask = Ask { after_share: 0.0, consumer: 0, wanted, late_us: 0, ahead_us: 0 };
        prop_assert_eq!(consumers.ask(&ask, free_us - 1), Reservation::Later { free_us });
        let last_chance = consumers.ask(&ask, free_us);
        prop_assert!(matches!(last_chance, Reservation::Slots(Slots { count: 1, first_us, .. }) if first_us == free_us), "{:?}", last_chance);
    }
}

/// One item is one partition, and one partition takes 1,000 write units a second.
#[test]
fn the_gates_one_item_bears_20_000_calls_a_second_with_batches_of_200_and_not_of_10() {
    // 100 updates and as many refusals, and each of 1,000 consumers that find no slot once a second would be too much;
    // 100 are not.
    assert_eq!(writes_per_second(20_000, 200, 0, 1_000), 200);
    assert_eq!(writes_per_second(20_000, 200, 100, 1_000), 300);
    assert!(writes_per_second(20_000, 200, 700, 1_000) < PARTITION_WRITES_PER_SECOND);
    assert!(writes_per_second(20_000, 200, 1_000, 1_000) > PARTITION_WRITES_PER_SECOND);
    assert_eq!(writes_per_second(20_000, 10, 0, 1_000), 4_000);
    // The fewest slots an update with which it goes.
    let fewest = (1..=200).find(|slots| writes_per_second(20_000, *slots, 100, 1_000) <= PARTITION_WRITES_PER_SECOND);
    assert_eq!(fewest, Some(45));
}

proptest! {
    #![proptest_config(cases(150))]

    /// The arithmetic, against the gate itself: consumers that reserve in turn, each with what it remembers.
    #[test]
    fn a_reservation_is_one_update_or_two(rate in 300_u32..20_001, wanted in 1_u32..200, gaps in proptest::collection::vec(0_u64..2_000_000, 20..60)) {
        let mut consumers = Consumers::new(rate, vec![0; 8]);
        for (index, gap_us) in gaps.iter().enumerate() {
            consumers.now_us += gap_us;
            let ask = Ask { after_share: 0.0, consumer: index, wanted, late_us: 0, ahead_us: 0 };
            consumers.ask(&ask, u64::MAX / 4);
            let requests = consumers.table.requests();
            prop_assert!(requests <= 2, "{} requests", requests);
        }
    }
}

/// A table whose next answer is held back until the test lets it go: another question overtakes it.
struct Held<'a> {
    table: &'a Table,
    go_on: tokio::sync::Notify,
}

impl GateStore for Held<'_> {
    async fn update(&self, update: &GateUpdate) -> Result<GateAnswer, PortError> {
        let answer = self.table.update(update).await;
        self.go_on.notified().await;
        answer
    }

    async fn read(&self, provider: &str) -> Result<Option<GateState>, PortError> {
        self.table.read(provider).await
    }

    async fn create(&self, gate: &GateState) -> Result<(), PortError> {
        self.table.create(gate).await
    }
}

/// Two calls of one environment ask side by side, an operator pauses in between, and the older answer comes last.
#[tokio::test]
async fn an_answer_that_was_overtaken_does_not_unlearn_a_pause() {
    let table = Table::new(100);
    let view = Mutex::new(GateView::new(table.state(), gate_settings()));
    let held = Held { table: &table, go_on: tokio::sync::Notify::new() };
    let now_us = NOW.us();
    let overtaken = reserve(&held, &view, 1, now_us, now_us + 60_000_000);
    let overtaking = async {
        tokio::task::yield_now().await;
        table.change(|gate| {
            gate.paused = true;
            gate.rate_version += 1;
        });
        let stopped = reserve(&table, &view, 1, now_us, now_us + 60_000_000).await.unwrap();
        assert_eq!(stopped, Reservation::Paused);
        held.go_on.notify_one();
    };
    let (slots, ()) = tokio::join!(overtaken, overtaking);
    let Ok(Reservation::Slots(slots)) = slots else { panic!("it was free when it was asked: {slots:?}") };
    let view = view.lock().unwrap();
    assert!(view.state().paused, "the older answer undid the pause");
    assert!(!view.may_send(slots.version, now_us));
}
