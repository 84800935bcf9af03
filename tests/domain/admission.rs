//! What a merchant is told about its wait, and what is refused at once: nothing by a figure that is old, and no payment
//! that could be made.

use std::sync::Mutex;

use payments::admission::{AdmissionSettings, Backlog, MEASURE_MS, Outlook, Provider, Refusal, STALE_MS, look};
use payments::breaker::{Breaker, Mode};
use payments::gate::GateState;
use payments::limit::{Take, Taken};
use payments::payment::Lane;
use payments::ports::{Admission, AdmissionError};
use payments::time::Timestamp;
use proptest::prelude::*;
use simulator::run::gate_settings;

use super::cases;
use crate::contract::samples::NOW;

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

fn outlook(gate: GateState, high: u64, standard: u64) -> Outlook {
    let mut outlook = Outlook::default();
    outlook.saw(Some(gate), Some(Backlog { at: NOW, high, standard }), NOW);
    outlook
}

fn wait(outlook: &Outlook, lane: Lane) -> Option<u32> {
    outlook.wait_seconds(lane, &settings(), NOW)
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
        outlook.count(Lane::Standard);
    }
    assert_eq!(wait(&outlook, Lane::Standard), Some(16));
    outlook.saw(Some(gate()), Some(Backlog { at: NOW, high: 0, standard: 1_000 }), NOW);
    assert_eq!(wait(&outlook, Lane::Standard), Some(16), "the same figure again");
    outlook.saw(Some(gate()), Some(Backlog { at: NOW.plus_ms(1), high: 0, standard: 1_500 }), NOW);
    assert_eq!(wait(&outlook, Lane::Standard), Some(16), "it is in the new one");
}

#[test]
fn nothing_is_said_and_nobody_refused_by_what_is_old_or_was_never_known() {
    let full = outlook(gate(), 0, 2_000_000);
    let refuses = |outlook: &Outlook, at: Timestamp| outlook.refuses(Lane::Standard, None, &settings(), at);
    assert!(refuses(&full, NOW.plus_ms(STALE_MS)).is_some());
    assert_eq!(refuses(&full, NOW.plus_ms(STALE_MS + 1)), None);
    assert_eq!(full.wait_seconds(Lane::Standard, &settings(), NOW.plus_ms(STALE_MS + 1)), None);
    assert_eq!(wait(&Outlook::default(), Lane::High), None);
    assert_eq!(refuses(&Outlook::default(), NOW), None);
    // Depths without a gate say how much waits, and not for how long.
    let mut no_gate = Outlook::default();
    no_gate.saw(None, Some(Backlog { at: NOW, high: 5, standard: 5 }), NOW);
    assert_eq!((wait(&no_gate, Lane::High), no_gate.provider(&settings(), NOW)), (None, Provider::Runs));
}

#[test]
fn a_pause_is_told_and_its_end_is_nobodys_to_know() {
    let paused = outlook(GateState { paused: true, ..gate() }, 0, 10);
    assert_eq!(paused.provider(&settings(), NOW), Provider::Paused);
    assert_eq!(wait(&paused, Lane::Standard), None);
    let soon = Some(NOW.plus_ms(1_000));
    assert_eq!(paused.refuses(Lane::Standard, soon, &settings(), NOW), None, "it may end in a moment");
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
    let refuses = |left_ms| behind.refuses(Lane::Standard, Some(NOW.plus_ms(left_ms)), &settings(), NOW);
    assert_eq!(refuses(41_000), Some(Refusal::TooLate { wait_seconds: 101, retry_after_seconds: 60 }));
    assert_eq!(refuses(101_000), None);
    assert_eq!(behind.refuses(Lane::Standard, None, &settings(), NOW), None, "it may wait for ever");
    assert_eq!(behind.refuses(Lane::High, Some(NOW.plus_ms(1_000)), &settings(), NOW), None, "that lane is empty");
}

#[test]
fn a_lane_takes_no_more_than_it_may_hold() {
    let settings = AdmissionSettings { queue_depth_max: 1_000, ..settings() };
    let refuses = |outlook: &Outlook, lane| outlook.refuses(lane, None, &settings, NOW);
    let mut standing = outlook(gate(), 0, 999);
    assert_eq!(refuses(&standing, Lane::Standard), None);
    standing.count(Lane::Standard);
    assert_eq!(refuses(&standing, Lane::Standard), Some(Refusal::LaneFull { retry_after_seconds: 1 }));
    assert_eq!(refuses(&standing, Lane::High), None);
    let deep = outlook(gate(), 0, 3_500);
    assert_eq!(refuses(&deep, Lane::Standard), Some(Refusal::LaneFull { retry_after_seconds: 26 }));
    let stopped = outlook(GateState { paused: true, ..gate() }, 0, 3_500);
    assert_eq!(refuses(&stopped, Lane::Standard), Some(Refusal::LaneFull { retry_after_seconds: 60 }));
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

    async fn measure(&self, now: Timestamp) -> Result<Option<Backlog>, AdmissionError> {
        self.calls.lock().unwrap().push("measure");
        Ok(self.measures.then_some(Backlog { at: now, high: 0, standard: 700 }))
    }
}

#[tokio::test]
async fn an_environment_looks_every_five_seconds_and_measures_what_nobody_has() {
    let fresh = Some(Backlog { at: NOW, high: 0, standard: 100 });
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
            match before.refuses(lane, expires_at, &settings(), NOW) {
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
