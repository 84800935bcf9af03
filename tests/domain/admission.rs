//! What a merchant is told about its wait, and what is refused at once: nothing by a figure that is old, and no payment
//! that could be made.

use std::sync::Mutex;

use payments::admission::{
    AdmissionSettings, BUSY_MS, BUSY_PAYMENTS, Backlog, Depth, MEASURE_MS, Outlook, Pace, Provider, Refusal, STALE_MS,
    look,
};
use payments::breaker::{Breaker, Mode};
use payments::gate::GateState;
use payments::id::MerchantId;
use payments::limit::{Take, Taken};
use payments::payment::Lane;
use payments::ports::{Admission, AdmissionError};
use payments::time::Timestamp;
use proptest::prelude::*;
use simulator::run::gate_settings;

use super::cases;
use crate::contract::samples::{NOW, backlog};

fn settings() -> AdmissionSettings {
    AdmissionSettings {
        gate: gate_settings(),
        high_concurrency: 30,
        standard_concurrency: 70,
        queue_depth_max: 1_000_000,
    }
}

/// A hundred calls a second, none of them kept back.
fn gate() -> GateState {
    GateState::new("acme", 100, 0)
}

fn whale() -> MerchantId {
    MerchantId::new("whale").unwrap()
}

/// Of an environment that has seen who fills the lanes: the whale.
fn outlook(gate: GateState, high: u64, standard: u64) -> Outlook {
    let mut outlook = Outlook::default();
    for lane in [Lane::High, Lane::Standard] {
        (0..100).for_each(|_| outlook.count(&whale(), lane));
    }
    outlook.saw(Some(gate), Some(backlog(NOW, high, standard)), NOW);
    outlook
}

fn wait(outlook: &Outlook, lane: Lane) -> Option<u32> {
    outlook.wait_seconds(&whale(), lane, &settings(), NOW)
}

#[test]
fn the_wait_is_the_backlog_by_the_rate_and_a_lane_has_its_share_of_it() {
    assert_eq!(wait(&outlook(gate(), 0, 0), Lane::Standard), Some(1), "the next second");
    assert_eq!(wait(&outlook(gate(), 0, 100_000), Lane::Standard), Some(1_001));
    // Three in ten consumers are the high lane's, whatever stands in the other.
    assert_eq!(wait(&outlook(gate(), 3_000, 1_000_000), Lane::High), Some(101));
    // The other one is empty soon, and then its consumers' calls are this one's.
    assert_eq!(wait(&outlook(gate(), 3_000, 100), Lane::High), Some(32));
    assert_eq!(wait(&outlook(gate(), 100, 7_000), Lane::Standard), Some(72));
    // The margin is not sent in.
    assert_eq!(wait(&outlook(GateState::new("acme", 100, 100), 0, 900), Lane::Standard), Some(11));
}

#[test]
fn what_an_environment_accepted_since_counts_until_somebody_measures() {
    let mut outlook = outlook(gate(), 0, 1_000);
    for _ in 0..500 {
        outlook.count(&whale(), Lane::Standard);
    }
    assert_eq!(wait(&outlook, Lane::Standard), Some(16));
    outlook.saw(Some(gate()), Some(backlog(NOW, 0, 1_000)), NOW);
    assert_eq!(wait(&outlook, Lane::Standard), Some(16), "the same figure again");
    outlook.saw(Some(gate()), Some(backlog(NOW.plus_ms(1), 0, 1_500)), NOW);
    assert_eq!(wait(&outlook, Lane::Standard), Some(16), "it is in the new one");
}

#[test]
fn nothing_is_said_and_nobody_refused_by_what_is_old_or_was_never_known() {
    let full = outlook(gate(), 0, 2_000_000);
    let refuses = |outlook: &Outlook, at: Timestamp| outlook.refuses(&whale(), Lane::Standard, None, &settings(), at);
    assert!(refuses(&full, NOW.plus_ms(STALE_MS)).is_some());
    assert_eq!(refuses(&full, NOW.plus_ms(STALE_MS + 1)), None);
    assert_eq!(full.wait_seconds(&whale(), Lane::Standard, &settings(), NOW.plus_ms(STALE_MS + 1)), None);
    assert_eq!(wait(&Outlook::default(), Lane::High), None);
    assert_eq!(refuses(&Outlook::default(), NOW), None);
    // Depths without a gate say how much waits, and not for how long.
    let mut no_gate = Outlook::default();
    no_gate.saw(None, Some(backlog(NOW, 5, 5)), NOW);
    assert_eq!((wait(&no_gate, Lane::High), no_gate.provider(&settings(), NOW)), (None, Provider::Runs));
}

#[test]
fn a_pause_is_told_and_its_end_is_nobodys_to_know() {
    let paused = outlook(GateState { paused: true, ..gate() }, 0, 10);
    assert_eq!(paused.provider(&settings(), NOW), Provider::Paused);
    assert_eq!(wait(&paused, Lane::Standard), None);
    let soon = Some(NOW.plus_ms(1_000));
    assert_eq!(paused.refuses(&whale(), Lane::Standard, soon, &settings(), NOW), None, "it may end in a moment");
}

#[test]
fn an_open_breaker_is_told_with_the_probe_and_the_ramp_in_the_wait() {
    let open = |probe_at_us| {
        let breaker = Breaker { mode: Mode::Open { probe_at_us }, ..Breaker::default() };
        outlook(GateState { breaker, ..gate() }, 0, 99)
    };
    let probed = open(Some(NOW.us() + 20_000_000));
    assert_eq!(probed.provider(&settings(), NOW), Provider::Down);
    // 20 s to the probe; then 10 calls a second for 5 s, and 20 for the rest.
    assert_eq!(wait(&probed, Lane::Standard), Some(20 + 5 + 3));
    let held = open(None);
    assert_eq!((held.provider(&settings(), NOW), wait(&held, Lane::Standard)), (Provider::Down, None));
}

#[test]
fn what_cannot_make_its_expiry_is_refused_with_the_time_when_it_could() {
    let behind = outlook(gate(), 0, 10_000);
    let refuses = |left_ms| behind.refuses(&whale(), Lane::Standard, Some(NOW.plus_ms(left_ms)), &settings(), NOW);
    assert_eq!(refuses(41_000), Some(Refusal::TooLate { wait_seconds: 101, retry_after_seconds: 60 }));
    assert_eq!(refuses(101_000), None);
    assert_eq!(behind.refuses(&whale(), Lane::Standard, None, &settings(), NOW), None, "it may wait for ever");
    assert_eq!(
        behind.refuses(&whale(), Lane::High, Some(NOW.plus_ms(1_000)), &settings(), NOW),
        None,
        "that lane is empty"
    );
}

#[test]
fn a_lane_takes_no_more_than_it_may_hold() {
    let settings = AdmissionSettings { queue_depth_max: 1_000, ..settings() };
    let refuses = |outlook: &Outlook, lane| outlook.refuses(&whale(), lane, None, &settings, NOW);
    let mut standing = outlook(gate(), 0, 999);
    assert_eq!(refuses(&standing, Lane::Standard), None);
    standing.count(&whale(), Lane::Standard);
    assert_eq!(refuses(&standing, Lane::Standard), Some(Refusal::LaneFull { retry_after_seconds: 1 }));
    assert_eq!(refuses(&standing, Lane::High), None);
    let deep = outlook(gate(), 0, 3_500);
    assert_eq!(refuses(&deep, Lane::Standard), Some(Refusal::LaneFull { retry_after_seconds: 26 }));
    let stopped = outlook(GateState { paused: true, ..gate() }, 0, 3_500);
    assert_eq!(refuses(&stopped, Lane::Standard), Some(Refusal::LaneFull { retry_after_seconds: 60 }));
}

/// A minute in which a whale brought a million payments and a small merchant a thousand, to a provider that takes 1,000 a
/// second; 4,000 are under way.
fn sale() -> (Outlook, MerchantId, Timestamp) {
    let (whale, small, end) = (whale(), MerchantId::new("small").unwrap(), NOW.plus_ms(60_000));
    let mut outlook = Outlook::default();
    outlook.saw(Some(GateState::new("acme", 1_000, 0)), Some(backlog(NOW, 0, 0)), NOW);
    for number in 0..10_010 {
        outlook.count(if number % 1_001 == 0 { &small } else { &whale }, Lane::Standard);
    }
    let depth = Depth { waiting: 940_000, in_flight: 4_000 };
    let figure = Backlog::measured(end, Depth::default(), depth, Some(backlog(NOW, 0, 0)));
    outlook.saw(Some(GateState::new("acme", 1_000, 0)), Some(figure), end);
    (outlook, small, end)
}

#[test]
fn whoever_brings_little_waits_for_what_is_under_way_and_is_not_refused_for_others() {
    let (outlook, small, end) = sale();
    assert_eq!(outlook.pace(&small, Lane::Standard, end), Pace::Quiet);
    assert_eq!(outlook.wait_seconds(&small, Lane::Standard, &settings(), end), Some(5));
    let soon = Some(end.plus_ms(60_000));
    assert_eq!(outlook.refuses(&small, Lane::Standard, soon, &settings(), end), None);
    // The whale's own backlog is the whale's.
    assert_eq!(outlook.pace(&whale(), Lane::Standard, end), Pace::Noisy);
    assert_eq!(outlook.wait_seconds(&whale(), Lane::Standard, &settings(), end), Some(945));
    let refusal = outlook.refuses(&whale(), Lane::Standard, soon, &settings(), end);
    assert_eq!(refusal, Some(Refusal::TooLate { wait_seconds: 945, retry_after_seconds: 885 }));
}

#[test]
fn an_environment_that_has_seen_too_little_tells_the_longest_wait_and_refuses_nobody() {
    let mut fresh = Outlook::default();
    (0..19).for_each(|_| fresh.count(&whale(), Lane::Standard));
    fresh.saw(Some(gate()), Some(backlog(NOW, 0, 10_000)), NOW);
    assert_eq!(fresh.pace(&whale(), Lane::Standard, NOW), Pace::Unknown);
    assert_eq!(wait(&fresh, Lane::Standard), Some(101));
    let soon = Some(NOW.plus_ms(1_000));
    assert_eq!(fresh.refuses(&whale(), Lane::Standard, soon, &settings(), NOW), None);
    fresh.count(&whale(), Lane::Standard);
    assert_eq!(fresh.pace(&whale(), Lane::Standard, NOW), Pace::Noisy);
}

#[test]
fn who_filled_a_lane_is_forgotten_once_it_is_all_but_empty() {
    let (mut outlook, _, end) = sale();
    let later = end.plus_ms(1_000_000);
    let drained = Depth { waiting: 100, in_flight: 100 };
    outlook.saw(Some(gate()), Some(Backlog::measured(later, drained, drained, None)), later);
    assert_eq!(outlook.pace(&whale(), Lane::Standard, later), Pace::Unknown);
}

#[test]
fn a_lane_that_grows_is_taken_to_go_on_growing_until_it_is_measured_again() {
    let mut outlook = outlook(gate(), 0, 1_000);
    let measured =
        Backlog::measured(NOW.plus_ms(1_000), Depth::default(), Depth { waiting: 3_000, in_flight: 0 }, None);
    outlook.saw(Some(gate()), Some(measured), NOW.plus_ms(1_000));
    let after = |ms| outlook.wait_seconds(&whale(), Lane::Standard, &settings(), NOW.plus_ms(ms));
    // 2,000 more each second.
    assert_eq!((after(1_000), after(2_000), after(3_500)), (Some(31), Some(51), Some(81)));
}

/// What can be read, and how often it was.
#[derive(Default)]
struct Port {
    backlog: Option<Backlog>,
    measures: bool,
    calls: Mutex<Vec<&'static str>>,
}

impl Admission for Port {
    async fn take(&self, _: &Take) -> Result<Taken, AdmissionError> {
        Err(AdmissionError("not asked".to_owned()))
    }

    async fn look(&self) -> Result<(Option<GateState>, Option<Backlog>), AdmissionError> {
        self.calls.lock().unwrap().push("look");
        Ok((Some(gate()), self.backlog))
    }

    async fn measure(&self, now: Timestamp, _: Option<Backlog>) -> Result<Option<Backlog>, AdmissionError> {
        self.calls.lock().unwrap().push("measure");
        Ok(self.measures.then_some(backlog(now, 0, 700)))
    }
}

#[tokio::test]
async fn an_environment_looks_every_five_seconds_and_measures_what_nobody_has() {
    let fresh = Some(backlog(NOW, 0, 100));
    for (backlog, measures, looked, expected) in [
        (fresh, true, vec!["look"], Some(2)),
        (None, true, vec!["look", "measure"], Some(8)),
        (None, false, vec!["look", "measure"], None),
    ] {
        let port = Port { backlog, measures, ..Port::default() };
        let outlook = Mutex::default();
        for ms in [0, 1, 4_999] {
            look(&port, &outlook, NOW.plus_ms(ms)).await.unwrap();
        }
        assert_eq!(*port.calls.lock().unwrap(), looked);
        assert_eq!(wait(&outlook.lock().unwrap(), Lane::Standard), expected);
        look(&port, &outlook, NOW.plus_ms(MEASURE_MS)).await.unwrap();
        assert_eq!(port.calls.lock().unwrap().last(), Some(&"measure"), "the figure is old by now");
    }
}

#[tokio::test]
async fn an_environment_with_much_to_do_looks_and_measures_each_second() {
    let port = Port { backlog: Some(backlog(NOW, 0, 100)), measures: true, ..Port::default() };
    let outlook = Mutex::default();
    look(&port, &outlook, NOW).await.unwrap();
    let accept = |payments| (0..payments).for_each(|_| outlook.lock().unwrap().count(&whale(), Lane::Standard));
    accept(BUSY_PAYMENTS - 1);
    look(&port, &outlook, NOW.plus_ms(BUSY_MS)).await.unwrap();
    assert_eq!(*port.calls.lock().unwrap(), ["look"], "not so much");
    accept(1);
    look(&port, &outlook, NOW.plus_ms(BUSY_MS - 1)).await.unwrap();
    assert_eq!(*port.calls.lock().unwrap(), ["look"], "not yet a second");
    look(&port, &outlook, NOW.plus_ms(BUSY_MS)).await.unwrap();
    assert_eq!(*port.calls.lock().unwrap(), ["look", "look", "measure"]);
}

proptest! {
    #![proptest_config(cases(256))]

    /// More ahead is never a shorter wait, and what is not refused is told a wait within its time.
    #[test]
    fn a_wait_grows_with_what_is_ahead(
        high in 0_u64..100_000,
        standard in 0_u64..100_000,
        more in 1_u64..10_000,
        left_seconds in 1_u64..2_000,
    ) {
        for lane in [Lane::High, Lane::Standard] {
            let before = outlook(gate(), high, standard);
            let waits = wait(&before, lane).unwrap();
            prop_assert!(wait(&outlook(gate(), high + more, standard), lane).unwrap() >= waits);
            prop_assert!(wait(&outlook(gate(), high, standard + more), lane).unwrap() >= waits);
            let expires_at = Some(NOW.plus_ms(left_seconds * 1_000));
            match before.refuses(&whale(), lane, expires_at, &settings(), NOW) {
                None => prop_assert!(u64::from(waits) <= left_seconds),
                Some(Refusal::TooLate { wait_seconds, retry_after_seconds }) => {
                    prop_assert_eq!(wait_seconds, waits);
                    prop_assert!(u64::from(waits - retry_after_seconds) <= left_seconds);
                    prop_assert!(u64::from(waits) > left_seconds);
                }
                Some(Refusal::LaneFull { .. }) => prop_assert!(false, "neither is full"),
            }
        }
    }
}
