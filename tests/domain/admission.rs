//! What a merchant is told about its wait, and what is refused at once: nothing by a figure that is old, and no payment
//! that could be made.

use std::collections::VecDeque;
use std::sync::Mutex;

use pacing::admission::{
    AdmissionSettings, BUSY_MS, BUSY_PAYMENTS, Backlog, Crowd, Depth, Filling, Gathered, LOOK_MS, MEASURE_MS, Outlook,
    Provider, Refusal, STALE_MS,
};
use pacing::breaker::{Breaker, Mode};
use pacing::bucket::{Take, Taken};
use pacing::gate::GateState;
use payments::backoff::Dice;
use payments::id::MerchantId;
use payments::payment::Lane;
use payments::time::Timestamp;
use ports::admission::look;
use ports::{Admission, PortError};
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
fn the_wait_at_a_slow_provider_counts_parts_of_a_call() {
    // 4.95 calls a second, not 4.
    let slow = GateState::new("acme", 5, 10);
    assert_eq!(wait(&outlook(slow, 0, 49_499), Lane::Standard), Some(10_000));
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

fn merchant(name: &str) -> MerchantId {
    MerchantId::new(name).unwrap()
}

/// What an environment knows a minute after the standard lane began to fill, for a provider that takes 1,000 a second and
/// has answered so many since: these payments of these merchants came, in proportion, and so many wait.
fn filled(came: &[(&str, u64)], answered: u64, depth: Depth) -> (Outlook, Timestamp) {
    let end = NOW.plus_ms(60_000);
    let mut crowd = Crowd::default();
    for (name, payments) in came {
        (0..*payments).for_each(|_| crowd.count(&merchant(name)));
    }
    let filling = Some(Filling { since: NOW, answered: 0, crowd });
    let figure = Backlog { standard_filling: filling, ..Gathered::default().measured(end, Depth::default(), depth) };
    let gate = GateState { calls: answered + 7, failures: 7, ..GateState::new("acme", 1_000, 0) };
    let mut outlook = Outlook::default();
    outlook.saw(Some(gate), Some(figure), end);
    (outlook, end)
}

/// A minute in which a whale brought 910,000 payments, a large merchant a tenth of that, and a small one a thousandth;
/// 4,000 are under way.
fn sale() -> (Outlook, Timestamp) {
    let depth = Depth { waiting: 937_000, in_flight: 4_000 };
    filled(&[("whale", 10_000), ("large", 1_000), ("small", 10)], 60_000, depth)
}

fn told(outlook: &Outlook, name: &str, at: Timestamp) -> Option<u32> {
    outlook.wait_seconds(&merchant(name), Lane::Standard, &settings(), at)
}

#[test]
fn whoever_brings_little_waits_for_what_is_under_way_and_is_not_refused_for_others() {
    let (outlook, end) = sale();
    assert_eq!(told(&outlook, "small", end), Some(5));
    assert_eq!(told(&outlook, "unseen", end), Some(5), "it brings less");
    let soon = Some(end.plus_ms(60_000));
    assert_eq!(outlook.refuses(&merchant("small"), Lane::Standard, soon, &settings(), end), None);
}

#[test]
fn whoever_fills_the_lane_waits_for_all_of_it_and_for_what_passes_by() {
    let (outlook, end) = sale();
    // 941 s for what is there; for a minute more payments of the large merchant and the small one come, and pass by.
    let wait_seconds = told(&outlook, "whale", end).unwrap();
    assert!((950..=955).contains(&wait_seconds), "{wait_seconds}");
    let soon = Some(end.plus_ms(60_000));
    let refusal = outlook.refuses(&whale(), Lane::Standard, soon, &settings(), end);
    let retry_after_seconds = wait_seconds - 60;
    assert_eq!(refusal, Some(Refusal::TooLate { wait_seconds, retry_after_seconds }));
}

#[test]
fn between_them_a_merchant_has_a_tenth_of_the_rate_for_what_it_has_waiting() {
    let (outlook, end) = sale();
    // 91,000 came, a tenth of what was taken was its own: 84,500 wait, for 100 a second.
    let wait_seconds = told(&outlook, "large", end).unwrap();
    assert!((845..=855).contains(&wait_seconds), "{wait_seconds}");
    let early = filled(&[("whale", 10_000), ("large", 500)], 60_000, Depth { waiting: 990_000, in_flight: 0 });
    let wait_seconds = told(&early.0, "large", early.1).unwrap();
    assert!((435..=445).contains(&wait_seconds), "50,000 less 6,000, for 100 a second: {wait_seconds}");
}

#[test]
fn after_an_outage_those_who_bring_little_wait_for_each_other() {
    // Nothing was answered for a minute, and nobody has more than a fiftieth.
    let names: Vec<String> = (0..50).map(|number| format!("m{number}")).collect();
    let came: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 10)).collect();
    let (outlook, end) = filled(&came, 0, Depth { waiting: 600_000, in_flight: 0 });
    for name in &names {
        assert_eq!(told(&outlook, name, end), Some(601), "{name}");
    }
    // Beside a whale they wait for each other only.
    let (outlook, end) =
        filled(&[&came[..10], &[("whale", 900)]].concat(), 0, Depth { waiting: 600_000, in_flight: 0 });
    let wait_seconds = told(&outlook, "m3", end).unwrap();
    assert!((54..=67).contains(&wait_seconds), "a tenth of what waits is theirs: {wait_seconds}");
    // And so do those of whom each has less than a hundredth, seen or not.
    let names: Vec<String> = (0..200).map(|number| format!("m{number}")).collect();
    let came: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 5)).chain([("whale", 9_000)]).collect();
    let (outlook, end) = filled(&came, 0, Depth { waiting: 600_000, in_flight: 0 });
    for name in ["m3", "unseen"] {
        let wait_seconds = told(&outlook, name, end).unwrap();
        assert!((60..=67).contains(&wait_seconds), "{name}: {wait_seconds}");
    }
}

#[test]
fn an_environment_that_has_seen_too_little_tells_the_longest_wait_and_refuses_nobody() {
    let mut fresh = Outlook::default();
    (0..19).for_each(|_| fresh.count(&whale(), Lane::Standard));
    fresh.saw(Some(gate()), Some(backlog(NOW, 0, 10_000)), NOW);
    assert_eq!(wait(&fresh, Lane::Standard), Some(101));
    let small = |outlook: &Outlook| outlook.wait_seconds(&merchant("small"), Lane::Standard, &settings(), NOW);
    assert_eq!(small(&fresh), Some(101));
    let soon = Some(NOW.plus_ms(1_000));
    assert_eq!(fresh.refuses(&whale(), Lane::Standard, soon, &settings(), NOW), None);
    fresh.count(&whale(), Lane::Standard);
    assert_eq!(small(&fresh), Some(1));
    assert!(fresh.refuses(&whale(), Lane::Standard, soon, &settings(), NOW).is_some());
    // A figure of an earlier version names nobody.
    let mut unnamed = Outlook::default();
    let figure = Backlog { high_filling: None, standard_filling: None, ..backlog(NOW, 0, 10_000) };
    unnamed.saw(Some(gate()), Some(figure), NOW);
    assert_eq!((wait(&unnamed, Lane::Standard), small(&unnamed)), (Some(101), Some(101)));
}

#[test]
fn what_many_environments_have_seen_adds_up_in_the_figure_until_the_lane_is_all_but_empty() {
    let seen = |payments: u64| {
        let mut crowd = Crowd::default();
        (0..payments).for_each(|_| crowd.count(&whale()));
        crowd
    };
    let full = Depth { waiting: 1_000, in_flight: 0 };
    let mut before = None;
    for (turn, answered) in [(1, 500), (2, 600), (3, 700)] {
        let known = Gathered { before, answered, high: Crowd::default(), standard: seen(turn) };
        before = Some(known.measured(NOW.plus_ms(turn), full, full));
    }
    let filling = |figure: &Option<Backlog>| figure.clone().unwrap().standard_filling.unwrap();
    let expected = Filling { since: NOW.plus_ms(1), answered: 500, crowd: seen(6) };
    assert_eq!(filling(&before), expected);
    let drained = Depth { waiting: 10, in_flight: 10 };
    let known = Gathered { before, answered: 800, high: Crowd::default(), standard: seen(4) };
    let anew = Some(known.measured(NOW.plus_ms(9), full, drained));
    assert_eq!(filling(&anew), Filling { since: NOW.plus_ms(9), answered: 800, crowd: Crowd::default() });
}

#[test]
fn the_figure_names_those_who_bring_most_and_counts_all() {
    let mut crowd = Crowd::default();
    for number in 0..100 {
        (0..=number).for_each(|_| crowd.count(&merchant(&format!("m{number}"))));
    }
    let largest = crowd.clone().largest();
    assert_eq!(largest.all(), crowd.all());
    assert_eq!(
        (largest.of(&merchant("m99")), largest.of(&merchant("m90")), largest.of(&merchant("m89"))),
        (100, 91, 0)
    );
}

#[test]
fn who_filled_a_lane_is_forgotten_once_it_is_all_but_empty() {
    let mut outlook = outlook(gate(), 0, 10_000);
    let small = |outlook: &Outlook, at| outlook.wait_seconds(&merchant("small"), Lane::Standard, &settings(), at);
    assert_eq!(small(&outlook, NOW), Some(1), "the whale's backlog is the whale's");
    let later = NOW.plus_ms(100_000);
    let known = Gathered { before: Some(backlog(NOW, 0, 10_000)), ..Gathered::default() };
    let drained = Depth { waiting: 500, in_flight: 500 };
    outlook.saw(Some(gate()), Some(known.measured(later, drained, drained)), later);
    assert_eq!(small(&outlook, later), Some(15), "whoever fills it now is not known");
}

#[test]
fn a_lane_that_grows_is_taken_to_go_on_growing_until_it_is_measured_again() {
    let mut outlook = outlook(gate(), 0, 1_000);
    let known = Gathered { before: Some(backlog(NOW, 0, 1_000)), ..Gathered::default() };
    let measured = known.measured(NOW.plus_ms(1_000), Depth::default(), Depth { waiting: 3_000, in_flight: 0 });
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
    async fn take(&self, _: &Take) -> Result<Taken, PortError> {
        Err(PortError::denied("not asked"))
    }

    async fn look(&self) -> Result<(Option<GateState>, Option<Backlog>), PortError> {
        self.calls.lock().unwrap().push("look");
        Ok((Some(gate()), self.backlog.clone()))
    }

    async fn measure(&self, now: Timestamp, _: &Gathered) -> Result<Option<Backlog>, PortError> {
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

/// Calls a second of the lane that is played.
const RATE: u64 = 50;
/// Messages of it in flight.
const IN_FLIGHT: usize = 100;
/// For how long payments come, and for how long again.
const COMING_SECONDS: u64 = 60;

/// A fair queue, message by message: each merchant brings so many a second, evenly, for two minutes; whoever has a tenth of
/// what is in flight comes after all others, and among equals the oldest is first.
struct FairQueue {
    per_second: Vec<u64>,
    taken: Vec<u64>,
    in_flight: VecDeque<usize>,
}

impl FairQueue {
    /// When a merchant's message comes, in the merchant's own count.
    fn came_by(&self, merchant: usize, now_ms: u64) -> u64 {
        self.per_second[merchant] * now_ms.min(2 * COMING_SECONDS * 1_000) / 1_000
    }

    /// Takes the next message, at this time; whose it is.
    fn take(&mut self, now_ms: u64) -> Option<usize> {
        if self.in_flight.len() >= IN_FLIGHT {
            self.in_flight.pop_front();
        }
        let waits = |merchant: &usize| self.taken[*merchant] < self.came_by(*merchant, now_ms);
        let next = (0..self.per_second.len()).filter(waits).min_by_key(|merchant| {
            let held = self.in_flight.iter().filter(|of| *of == merchant).count();
            let age = (self.taken[*merchant] + 1) * 1_000_000 / self.per_second[*merchant];
            (held * 10 >= IN_FLIGHT, age)
        })?;
        self.taken[next] += 1;
        self.in_flight.push_back(next);
        Some(next)
    }
}

proptest! {
    #![proptest_config(cases(24))]

    /// What is told after a minute comes true within 20 % or 10 s, for each merchant, however many there are of whatever
    /// size.
    #[test]
    fn what_is_told_comes_true_in_a_fair_queue_that_is_played(
        small in prop::collection::vec(1_u64..3, 0..8),
        large in prop::collection::vec(5_u64..40, 0..5),
        whale in 100_u64..400,
    ) {
        let per_second: Vec<u64> = [small, large, vec![whale]].concat();
        let mut queue =
            FairQueue { taken: vec![0; per_second.len()], in_flight: VecDeque::new(), per_second: per_second.clone() };
        let begun_ms = COMING_SECONDS * 1_000;
        for number in 0..RATE * COMING_SECONDS {
            queue.take(number * 1_000 / RATE);
        }
        let names: Vec<String> = (0..per_second.len()).map(|number| format!("m{number}")).collect();
        let came: Vec<(&str, u64)> =
            names.iter().zip(&per_second).map(|(name, rate)| (name.as_str(), rate * COMING_SECONDS)).collect();
        let all: u64 = came.iter().map(|(_, payments)| payments).sum();
        let taken: u64 = queue.taken.iter().sum();
        let in_flight = u64::try_from(queue.in_flight.len()).unwrap();
        let depth = Depth { waiting: all - taken, in_flight };
        let (mut outlook, end) = filled(&came, 0, depth);
        let gate = GateState::new("acme", u32::try_from(RATE).unwrap(), 0);
        outlook.saw(Some(GateState { calls: taken - in_flight, ..gate }), None, end);
        let mut ends_ms = vec![None; per_second.len()];
        let last: Vec<u64> = (0..per_second.len()).map(|merchant| queue.came_by(merchant, begun_ms)).collect();
        let mut number = 0;
        while ends_ms.iter().any(Option::is_none) {
            let now_ms = begun_ms + number * 1_000 / RATE;
            queue.take(now_ms);
            for (merchant, end_ms) in ends_ms.iter_mut().enumerate() {
                if end_ms.is_none() && queue.taken[merchant] >= last[merchant] {
                    *end_ms = Some(now_ms - begun_ms);
                }
            }
            number += 1;
        }
        for (merchant, waited_ms) in ends_ms.into_iter().flatten().enumerate() {
            let told_ms = 1_000 * u64::from(told(&outlook, &names[merchant], end).unwrap());
            let off_ms = told_ms.abs_diff(waited_ms);
            prop_assert!(
                off_ms <= 10_000 || off_ms * 5 <= waited_ms,
                "{per_second:?}: {merchant} waited {waited_ms} ms and was told {told_ms}",
            );
        }
    }
}

proptest! {
    #![proptest_config(cases(256))]

    /// A figure that somebody has written by hand stops no payment, whatever it says.
    #[test]
    fn no_figure_is_too_large_to_be_told(
        (waiting, in_flight) in any::<(u64, u64)>(),
        (answered, calls, rate) in any::<(u64, u64, u32)>(),
        seen in 0_u64..60,
        age_ms in 0_u64..40_000,
    ) {
        let mut crowd = Crowd::default();
        (0..seen).for_each(|number| crowd.count(&merchant(&format!("m{}", number % 7))));
        let filling = Some(Filling { since: NOW, answered, crowd });
        let depth = Depth { waiting, in_flight };
        let figure = Backlog { standard_filling: filling, ..Gathered::default().measured(NOW, depth, depth) };
        let mut outlook = Outlook::default();
        outlook.saw(Some(GateState { calls, ..GateState::new("acme", rate, 10) }), Some(figure), NOW);
        let now = NOW.plus_ms(age_ms);
        for lane in [Lane::High, Lane::Standard] {
            outlook.count(&merchant("m1"), lane);
            let told = outlook.wait_seconds(&merchant("m1"), lane, &settings(), now);
            prop_assert!(age_ms <= STALE_MS || told.is_none());
            outlook.refuses(&merchant("m1"), lane, Some(now.plus_ms(1)), &settings(), now);
        }
    }

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

/// Environments that begin together look at one item, which gives 3,000 reads a second.
#[test]
fn environments_that_look_together_do_not_look_together_again() {
    let mut dice = fastrand::Rng::with_seed(1);
    let mut at_ms: Vec<u64> = Vec::new();
    for _ in 0..10_000 {
        let mut outlook = Outlook::new(Dice(dice.u64(..)));
        assert!(outlook.is_due(NOW));
        outlook.looks(NOW);
        let next = (0..=8_000).step_by(100).find(|later_ms| outlook.is_due(NOW.plus_ms(*later_ms)));
        at_ms.push(next.unwrap());
    }
    assert!(at_ms.iter().all(|later_ms| (LOOK_MS..=LOOK_MS * 3 / 2).contains(later_ms)));
    let in_a_second = |from_ms: u64| at_ms.iter().filter(|at_ms| (from_ms..from_ms + 1_000).contains(at_ms)).count();
    // An eventually consistent read of an item is half a unit ("DynamoDB read and write operations").
    let most = (0..8_000).step_by(100).map(in_a_second).max().unwrap();
    assert!(most < 6_000, "{most} looks in one second");
}
