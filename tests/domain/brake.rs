//! The brake: the share of 429s decides, once for each pace; what is stray costs nothing, a limit is found within two
//! seconds and given back in time, and never is more sent than the rate.

use std::sync::Mutex;

use pacing::brake::{
    Brake, BrakeSettings, LEAST_PERMILLE, Limited, NOISE_PERMILLE, PaceWindow, Paced, SETTLING_US, STORM_LIMITED,
    WINDOW_CALLS_MIN, is_used,
};
use pacing::breaker::WHOLE_PERMILLE;
use pacing::gate::{GateAnswer, GateState, GateUpdate, GateView, Reservation, Sending, Slots};
use ports::gate::{look, report, reserve};
use ports::{GateStore, PortError};
use proptest::prelude::*;
use simulator::run::gate_settings;

use super::cases;
use super::gate::{Table, now_or_never};
use crate::contract::samples::NOW;

const SETTINGS: BrakeSettings = BrakeSettings { hold_max_ms: 60_000, recovery_ms: 60_000 };
const TICK_US: u64 = 100_000;
const RATE: u64 = 5_000;

/// A provider that is sent what the brake leaves of the rate, in ticks of a tenth of a second.
struct Drive {
    brake: Brake,
    sums: Paced,
    window: PaceWindow,
    now_us: u64,
    version: u64,
    dice: fastrand::Rng,
    /// What was sent in each second, in thousandths of the rate.
    sent_permille: Vec<u64>,
    /// Changes of the pace.
    changes: usize,
}

impl Drive {
    fn new(seed: u64) -> Self {
        Self {
            brake: Brake::default(),
            sums: Paced::default(),
            window: PaceWindow::default(),
            now_us: NOW.us(),
            version: 1,
            dice: fastrand::Rng::with_seed(seed),
            sent_permille: Vec::new(),
            changes: 0,
        }
    }

    /// Seconds in which the provider takes so many calls a second, and answers this share of them 429 all the same.
    fn seconds(&mut self, seconds: u64, limit: u64, stray_permille: u64) {
        for _ in 0..seconds {
            let (mut sent, mut taken) = (0, 0);
            for tick in 1..=10 {
                let pace = u64::from(self.brake.permille(&SETTINGS, self.now_us));
                let calls = if self.now_us < self.brake.hold_until_us { 0 } else { RATE * pace / 10_000 };
                let mut limited = 0;
                for _ in 0..calls {
                    let is_taken = taken < limit * tick / 10;
                    taken += u64::from(is_taken);
                    limited += u64::from(!is_taken || self.dice.u64(0..1_000) < stray_permille);
                }
                sent += calls;
                self.now_us += TICK_US;
                self.tell(Paced { calls, limited });
            }
            self.sent_permille.push(sent * 1_000 / RATE);
        }
    }

    fn tell(&mut self, own: Paced) {
        let counts = self.now_us >= self.brake.counts_from_us() + TICK_US;
        let own = if counts { own } else { Paced::default() };
        self.sums = self.sums.plus(&own);
        let window = self.window.until(self.sums, self.now_us);
        let window = window.or_else(|| self.brake.young(self.sums, self.now_us));
        let sent_permille = Some(self.brake.permille(&SETTINGS, self.now_us));
        let early = self.window.early();
        let counted = Limited { window, since_change: self.sums, early, own, sent_permille, retry_after_ms: None };
        if let Some(after) = self.brake.judged(&counted, &SETTINGS, self.now_us, self.version + 1) {
            (self.brake, self.sums) = (after, Paced::default());
            (self.version, self.changes) = (self.version + 1, self.changes + 1);
            self.window.clear();
        }
        let is_early = self.brake.is_below_what_was_found(&SETTINGS, self.now_us);
        self.window.mark(self.sums, self.now_us, is_early);
    }

    /// What was used on average from this second on, in thousandths.
    fn used_since(&self, second: usize) -> u64 {
        let seconds = &self.sent_permille[second..];
        seconds.iter().sum::<u64>() / u64::try_from(seconds.len()).unwrap()
    }
}

proptest! {
    #![proptest_config(cases(40))]

    /// With so much of it stray the old rule left a tenth of the rate and less.
    #[test]
    fn stray_429s_cost_next_to_nothing_of_the_rate(seed: u64, stray_permille in 0_u64..=100) {
        let mut drive = Drive::new(seed);
        drive.seconds(300, RATE, stray_permille);
        let used = drive.used_since(0);
        prop_assert!(used >= 970, "{} of 1000 used at {} of 1000 stray", used, stray_permille);
    }

    /// A provider that takes less than it says is over its limit for two seconds at most, then touched from above by little,
    /// and sent all of its rate again when it takes it.
    #[test]
    fn a_limit_is_found_within_two_seconds_and_left_when_it_is_given_back(
        seed: u64,
        limit_permille in 300_u64..900,
        stray_permille in 0_u64..=10,
    ) {
        let mut drive = Drive::new(seed);
        drive.seconds(60, RATE, stray_permille);
        drive.seconds(200, RATE * limit_permille / 1_000, stray_permille);
        // Which of its calls are over the limit is known after a window; a lower limit than half takes a second cut.
        let known_after = if limit_permille >= 500 { 62 } else { 65 };
        let most = drive.sent_permille[known_after..].iter().max().unwrap();
        // Within noise, and what grows until it is noticed: 3 % and 2 %.
        prop_assert!(*most * 100 <= limit_permille * 105, "{} of {}", most, limit_permille);
        let used = drive.used_since(known_after);
        prop_assert!(used * 100 >= limit_permille * 90, "{} of {} used", used, limit_permille);
        prop_assert!(drive.changes < 20, "{} changes in 200 seconds", drive.changes);
        drive.seconds(SETTINGS.recovery_ms / 1_000 + 5, RATE, stray_permille);
        prop_assert_eq!(*drive.sent_permille.last().unwrap(), 1_000);
    }

    #[test]
    fn a_share_within_noise_changes_nothing_whatever_its_count(calls in WINDOW_CALLS_MIN..10_000_000, permille in 0_u32..1_000) {
        let limited = calls * u64::from(permille) / 1_000;
        let window = Paced { calls, limited };
        let counted = Limited { window: Some(window), since_change: window, ..Limited::default() };
        let judged = Brake::default().judged(&counted, &SETTINGS, NOW.us(), 2);
        // A Poisson count's deviation is the root of what is expected; two 429s more than five of them are no chance.
        let expected = calls * u64::from(NOISE_PERMILLE) / 1_000;
        let chance = 5 * expected.isqrt() + 2;
        prop_assert!(judged.is_none() || window.permille() >= NOISE_PERMILLE);
        prop_assert!(judged.is_none() || limited > expected + chance - 6, "{} of {}", limited, calls);
        prop_assert!(judged.is_some() || limited <= expected + chance + 6, "{} of {}", limited, calls);
        if let Some(after) = judged {
            if window.permille() * 3 >= WHOLE_PERMILLE {
                // All of it is refused for a moment, by however little the limit was passed.
                prop_assert_eq!(after.permille, 800);
                return Ok(());
            }
            // Below what was let through, and by little.
            let let_through = WHOLE_PERMILLE - window.permille();
            prop_assert!(after.permille <= let_through.max(LEAST_PERMILLE));
            prop_assert!(after.permille + 70 >= let_through);
            prop_assert!(after.found_permille > after.permille && after.found_permille < let_through);
            prop_assert!(after.version == 2 && after.hold_until_us == NOW.us());
        }
    }

    #[test]
    fn time_gives_back_all_of_the_rate_and_no_more(
        permille in LEAST_PERMILLE..=WHOLE_PERMILLE,
        found_permille in 0..=WHOLE_PERMILLE,
    ) {
        let brake = Brake { permille, found_permille, hold_until_us: NOW.us(), version: 2, ..Brake::default() };
        let at = |ms: u64| brake.permille(&SETTINGS, NOW.us() + ms * 1_000);
        let shares: Vec<u32> = (0..200).map(|step| at(step * 500)).collect();
        prop_assert!(shares.is_sorted() && shares.iter().all(|share| *share <= WHOLE_PERMILLE));
        prop_assert_eq!((at(0), at(SETTINGS.recovery_ms)), (permille, WHOLE_PERMILLE));
        if found_permille <= permille {
            prop_assert!(at(SETTINGS.recovery_ms / 10) <= permille + 10, "slowly at first");
            return Ok(());
        }
        // Back to what was let through, long near it, and then faster.
        let back_ms = SETTINGS.recovery_ms / 4;
        prop_assert!(at(back_ms) == found_permille && at(back_ms + 10_000) <= found_permille + 12);
    }

    /// Slots in hand are used as far as the pace has left of theirs, evenly.
    #[test]
    fn of_slots_in_hand_the_share_is_used_that_the_pace_has_left(
        count in 1_u32..300,
        phase: u64,
        reserved in LEAST_PERMILLE..=WHOLE_PERMILLE,
        known in 1_u32..=WHOLE_PERMILLE,
    ) {
        let used = (0..count).filter(|index| is_used(*index, phase % 1_000_000_007, reserved, known)).count();
        let expected = u64::from(count) * u64::from(known.min(reserved)) / u64::from(reserved);
        prop_assert!(u64::try_from(used).unwrap().abs_diff(expected) <= 1, "{} and not {}", used, expected);
    }

    /// A crowd of calls was sent at one pace; all of them are refused, by whoever sent them.
    #[test]
    fn the_429s_of_one_pace_brake_once(count in 5_u32..50, consumers in 1_usize..5) {
        let table = Table::new(100);
        let views: Vec<_> = (0..consumers).map(|_| view(&table)).collect();
        let now_us = NOW.us();
        let sent: Vec<Vec<Option<u64>>> = views.iter().map(|view| send(&table, view, count, now_us)).collect();
        for (view, paces) in views.iter().zip(sent) {
            for pace in paces {
                view.lock().unwrap().is_limited(pace, None);
                now_or_never(report(&table, view, now_us)).unwrap();
            }
        }
        prop_assert_eq!(table.state().brake.permille, 800);
        prop_assert_eq!((table.state().rate_version, table.state().paced, table.state().limited), (2, 0, 0));
    }
}

fn view(table: &Table) -> Mutex<GateView> {
    Mutex::new(GateView::new(table.state(), gate_settings()))
}

fn take(table: &Table, view: &Mutex<GateView>, wanted: u32, now_us: u64) -> Slots {
    match now_or_never(reserve(table, view, wanted, now_us, now_us + 600_000_000)).unwrap() {
        Reservation::Slots(slots) => slots,
        other => panic!("{other:?}"),
    }
}

/// Sends so many calls. Says at which pace, if they count.
fn send(table: &Table, view: &Mutex<GateView>, count: u32, now_us: u64) -> Vec<Option<u64>> {
    let slots = take(table, view, count, now_us);
    (0..count).map(|_| view.lock().unwrap().sends(&slots, now_us)).collect()
}

fn limited(table: &Table, view: &Mutex<GateView>, paces: &[Option<u64>], retry_after_ms: Option<u64>, now_us: u64) {
    for pace in paces {
        view.lock().unwrap().is_limited(*pace, retry_after_ms);
        now_or_never(report(table, view, now_us)).unwrap();
    }
}

/// One update tells everybody: the next to reserve, whoever it is, is given a slot after the hold and at the slower pace.
#[test]
fn a_storms_retry_after_holds_everybody_and_sending_begins_again_at_a_slower_pace() {
    let table = Table::new(100);
    let [one, two] = [(); 2].map(|()| view(&table));
    let now_us = NOW.us();
    let paces = send(&table, &one, u32::try_from(STORM_LIMITED).unwrap(), now_us);
    let slots = take(&table, &two, 1, now_us);
    table.requests();
    limited(&table, &one, &paces, Some(7_000), now_us);
    assert!(table.requests() <= 4, "told as they come, and one update that holds everybody");
    let within = reserve(&table, &two, 10, now_us, now_us + 6_999_999);
    assert_eq!(now_or_never(within).unwrap(), Reservation::Later { free_us: now_us + 7_000_000 });
    assert!(!two.lock().unwrap().may_send(slots.version, now_us), "nor are slots from before used meanwhile");
    let after = take(&table, &two, 10, now_us);
    assert_eq!(after.first_us, now_us + 7_000_000);
    let state = table.state();
    assert_eq!((after.span_us, after.permille), (state.span_at_us(10, 650), 650));
    let recovered_us = state.brake.hold_until_us + gate_settings().brake.recovery_ms * 1_000;
    assert_eq!(state.sending(&gate_settings(), recovered_us), Sending::Pace(WHOLE_PERMILLE));
}

/// A gate that does not answer; while it is asked, these 429s come in.
#[derive(Debug)]
struct Lost<'a> {
    view: &'a Mutex<GateView>,
    paces: &'a [Option<u64>],
    retry_after_ms: u64,
}

impl GateStore for Lost<'_> {
    async fn update(&self, _: &GateUpdate) -> Result<GateAnswer, PortError> {
        for pace in self.paces {
            self.view.lock().unwrap().is_limited(*pace, Some(self.retry_after_ms));
        }
        Err(PortError::throttled("as asked for"))
    }

    async fn read(&self, _: &str) -> Result<Option<GateState>, PortError> {
        Err(PortError::throttled("as asked for"))
    }

    async fn create(&self, _: &GateState) -> Result<(), PortError> {
        Err(PortError::throttled("as asked for"))
    }
}

/// The longest silence that was asked for holds, whichever 429 came first, also where a report was lost in between.
#[test]
fn of_several_retry_afters_that_are_not_reported_the_longest_holds() {
    for (first_ms, then_ms) in [(1_000, 7_000), (7_000, 1_000)] {
        let held_until_us = |is_lost_between: bool| {
            let table = Table::new(100);
            let view = view(&table);
            let paces = send(&table, &view, u32::try_from(STORM_LIMITED).unwrap(), NOW.us());
            let (first, then) = paces.split_at(2);
            limited(&table, &view, first, Some(first_ms), NOW.us());
            if is_lost_between {
                let (then, last) = then.split_at(2);
                let down = Lost { view: &view, paces: then, retry_after_ms: then_ms };
                now_or_never(reserve(&down, &view, 1, NOW.us(), NOW.us() + 600_000_000)).expect_err("it is down");
                limited(&table, &view, last, None, NOW.us());
            } else {
                limited(&table, &view, then, Some(then_ms), NOW.us());
            }
            table.state().brake.hold_until_us
        };
        assert_eq!(held_until_us(false), NOW.us() + 7_000_000, "{first_ms}, then {then_ms}");
        assert_eq!(held_until_us(true), NOW.us() + 7_000_000, "{first_ms}, then {then_ms} while the report was lost");
    }
}

/// A 429 that is no storm is its payment's own affair: nobody is told at once, nobody waits.
#[test]
fn a_stray_429_with_a_retry_after_holds_nobody_and_costs_no_write() {
    let table = Table::new(100);
    let view = view(&table);
    let paces = send(&table, &view, 50, NOW.us());
    table.requests();
    limited(&table, &view, &paces[..4], Some(60_000), NOW.us());
    assert_eq!(table.requests(), 0);
    take(&table, &view, 1, NOW.us());
    let state = table.state();
    assert_eq!((state.paced, state.limited, state.brake), (50, 4, Brake::default()), "told with the next reservation");
}

/// While a limit that was found is felt for, the first 429s beside none say that it is reached. Nobody waits for a batch's
/// slowest answer to tell them.
#[test]
fn while_the_pace_grows_back_429s_are_told_at_once_and_judged_by_everybodys() {
    let table = Table::new(1_000);
    let brake = Brake { permille: 465, found_permille: 482, hold_until_us: NOW.us(), version: 2, ..Brake::default() };
    table.change(|gate| (gate.brake, gate.rate_version) = (brake, 2));
    let views = [(); 5].map(|()| view(&table));
    let at = |seconds: u64| NOW.us() + seconds * 1_000_000;
    for seconds in 1..5 {
        send(&table, &views[0], 100, at(seconds));
    }
    for view in &views {
        take(&table, view, 1, at(4));
    }
    for (nth, view) in views.iter().enumerate() {
        let paces = send(&table, view, 60, at(10));
        table.requests();
        limited(&table, view, &paces[..1], None, at(10));
        assert!(table.requests() >= 1 && table.state().limited == u64::try_from(nth).unwrap() + 1, "told at once");
        assert_eq!(table.state().brake, brake, "which may be chance");
    }
    let paces = send(&table, &views[0], 60, at(10));
    limited(&table, &views[0], &paces[..1], None, at(10));
    let after = table.state().brake;
    assert!(after.version == 3 && after.permille < 465 && after.found_permille < 482, "{after:?}");
    assert!(after.permille > 440, "and by little: {after:?}");
}

/// Slots are reserved seconds ahead, at the pace of then. What was refused is that pace, not the one that has grown since.
#[test]
fn a_cut_is_of_the_pace_that_was_sent() {
    let table = Table::new(1_000);
    let brake = Brake { permille: 420, hold_until_us: NOW.us(), version: 2, ..Brake::default() };
    table.change(|gate| (gate.brake, gate.rate_version) = (brake, 2));
    let view = view(&table);
    let slots = take(&table, &view, 500, NOW.us());
    assert_eq!(slots.permille, 420);
    let later_us = NOW.us() + 10_000_000;
    assert_eq!(table.state().sending(&gate_settings(), later_us), Sending::Pace(670));
    let paces: Vec<_> = (0..500).map(|_| view.lock().unwrap().sends(&slots, later_us)).collect();
    limited(&table, &view, &paces[..50], None, later_us);
    let after = table.state().brake;
    assert!(after.version > 2 && after.permille < 420, "{after:?}");
}

/// What was sent at a pace before, or before the provider has forgotten that, says nothing about the one that is.
#[test]
fn calls_of_another_pace_count_for_nothing() {
    let table = Table::new(1_000);
    let view = view(&table);
    let earlier = send(&table, &view, 40, NOW.us());
    limited(&table, &view, &earlier[..20], None, NOW.us());
    let braked = table.state().brake;
    assert_eq!((braked.version, table.state().paced), (2, 0));
    // The rest of the crowd comes in, and the next calls are sent while the provider's second is full still.
    limited(&table, &view, &earlier[20..], None, NOW.us());
    let settling = send(&table, &view, 40, NOW.us() + SETTLING_US - 1);
    assert!(settling.iter().all(Option::is_none));
    limited(&table, &view, &settling, None, NOW.us() + SETTLING_US);
    take(&table, &view, 1, NOW.us() + SETTLING_US);
    assert_eq!((table.state().brake, table.state().paced, table.state().limited), (braked, 0, 0));
    let later = send(&table, &view, 40, NOW.us() + SETTLING_US);
    assert!(later.iter().all(|pace| *pace == Some(2)));
    limited(&table, &view, &later, None, NOW.us() + SETTLING_US);
    assert_eq!(table.state().brake.version, 3, "and what is sent after that counts");
}

/// Whoever has slots in hand hears of a slower pace before using them, by one read, and uses that share of them.
#[test]
fn slots_in_hand_follow_the_pace() {
    let table = Table::new(1_000);
    let [one, two] = [(); 2].map(|()| view(&table));
    let slots = take(&table, &two, 200, NOW.us());
    let paces = send(&table, &one, 10, NOW.us());
    limited(&table, &one, &paces, None, NOW.us());
    table.requests();
    let used = |now_us| (0..slots.count).filter(|index| two.lock().unwrap().is_used(&slots, *index, now_us)).count();
    now_or_never(look(&table, &two, NOW.us() + 100_000)).unwrap();
    assert_eq!((table.requests(), used(NOW.us() + 100_000)), (0, 200), "what is known is fresh enough");
    for _ in 0..3 {
        now_or_never(look(&table, &two, NOW.us() + 600_000)).unwrap();
    }
    assert_eq!((table.requests(), used(NOW.us() + 600_000)), (1, 160));
    assert_eq!(used(NOW.us() + 30_000_000), 200, "and all of them once the pace is theirs again");
}
