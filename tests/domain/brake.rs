//! The brake: 429 slows everybody down, once for each pace; the rate grows back to what was set and never beyond.

use std::sync::Mutex;

use payments::brake::{Brake, BrakeSettings, LEAST_PERMILLE};
use payments::breaker::{Health, WHOLE_PERMILLE};
use payments::gate::{GateView, Reservation, Sending, Slots, report, reserve};
use proptest::prelude::*;
use simulator::run::gate_settings;

use super::cases;
use super::gate::{Table, now_or_never};
use crate::contract::samples::NOW;

const SETTINGS: BrakeSettings = BrakeSettings { hold_max_ms: 60_000, recovery_ms: 20_000 };

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_429_halves_and_time_gives_back_all_of_the_rate_and_no_more(
        pulls in proptest::collection::vec((0_u64..30_000, proptest::option::of(0_u64..200_000)), 1..20),
    ) {
        let mut brake = Brake::default();
        let mut now_us = NOW.us();
        for (version, (wait_ms, retry_after_ms)) in (1_u64..).zip(pulls) {
            now_us += wait_ms * 1_000;
            let before = brake.permille(&SETTINGS, now_us);
            let after = brake.pulled(version, retry_after_ms, &SETTINGS, now_us, version).unwrap();
            prop_assert_eq!(after.permille, (before / 2).max(LEAST_PERMILLE));
            // Retry-After holds everything, up to a bound; a shorter one does not end a longer one.
            let asked_us = now_us + retry_after_ms.unwrap_or(0).min(SETTINGS.hold_max_ms) * 1_000;
            prop_assert_eq!(after.hold_until_us, asked_us.max(brake.hold_until_us));
            prop_assert_eq!(after.permille(&SETTINGS, after.hold_until_us), after.permille);
            let shares: Vec<u32> = (0..50).map(|s| after.permille(&SETTINGS, after.hold_until_us + s * 500_000)).collect();
            prop_assert!(shares.is_sorted() && shares.iter().all(|share| *share <= WHOLE_PERMILLE));
            prop_assert_eq!(after.permille(&SETTINGS, after.hold_until_us + SETTINGS.recovery_ms * 1_000), WHOLE_PERMILLE);
            brake = after;
        }
    }

    /// A crowd of calls was sent at one pace; all of them are refused, by whoever sent them.
    #[test]
    fn the_429s_of_one_pace_brake_once(count in 1_u32..50, consumers in 1_usize..5) {
        let table = Table::new(100);
        let views: Vec<_> = (0..consumers).map(|_| Mutex::new(GateView::new(table.state(), gate_settings()))).collect();
        let now_us = NOW.us();
        let slots: Vec<Slots> = views.iter().map(|view| take(&table, view, count, now_us)).collect();
        for (view, slots) in views.iter().zip(&slots) {
            for _ in 0..count {
                view.lock().unwrap().tally(Health::RateLimits { retry_after_ms: None }, slots.version, false);
                now_or_never(report(&table, view, now_us)).unwrap();
            }
        }
        prop_assert_eq!(table.state().brake.permille, WHOLE_PERMILLE / 2);
        prop_assert_eq!(table.state().rate_version, 2);
    }
}

fn take(table: &Table, view: &Mutex<GateView>, wanted: u32, now_us: u64) -> Slots {
    match now_or_never(reserve(table, view, wanted, now_us, now_us + 600_000_000)).unwrap() {
        Reservation::Slots(slots) => slots,
        other => panic!("{other:?}"),
    }
}

/// One update tells everybody: the next to reserve, whoever it is, is given a slot after the hold and at half the pace.
#[test]
fn retry_after_holds_everybody_and_sending_begins_again_at_half_the_pace() {
    let table = Table::new(100);
    let [one, two] = [(); 2].map(|()| Mutex::new(GateView::new(table.state(), gate_settings())));
    let now_us = NOW.us();
    let slots = take(&table, &one, 1, now_us);
    take(&table, &two, 1, now_us);
    one.lock().unwrap().tally(Health::RateLimits { retry_after_ms: Some(7_000) }, slots.version, false);
    table.requests();
    now_or_never(report(&table, &one, now_us)).unwrap();
    assert!(table.requests() <= 2, "one update, and a look at what it left");
    let within = reserve(&table, &two, 10, now_us, now_us + 6_999_999);
    assert_eq!(now_or_never(within).unwrap(), Reservation::Later { free_us: now_us + 7_000_000 });
    assert!(!two.lock().unwrap().may_send(slots.version, now_us), "nor are slots from before used meanwhile");
    let after = take(&table, &two, 10, now_us);
    assert_eq!(after.first_us, now_us + 7_000_000);
    let state = table.state();
    assert_eq!(after.span_us, state.span_at_us(10, 500));
    assert_eq!(state.sending(&gate_settings(), now_us + 27_000_000), Sending::Pace(WHOLE_PERMILLE));
}
