//! Waiting: full jitter under a bound that doubles, up to a cap.

use payments::backoff::{Dice, full_jitter_ms};
use proptest::prelude::*;

use super::cases;

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn a_wait_is_within_its_bound(base in 1_u64..100_000, cap in 1_u64..10_000_000, waits in any::<u32>(), dice in any::<u64>()) {
        let doubled = if waits < 60 { base.saturating_mul(1 << waits) } else { u64::MAX };
        prop_assert!(full_jitter_ms(base, cap, waits, Dice(dice)) <= doubled.min(cap));
    }

    #[test]
    fn dice_fall_on_every_side_and_on_no_other(bound in 0_u64..50) {
        let mut sides: Vec<u64> = (0..=bound).map(|number| Dice(number).up_to(bound)).collect();
        sides.sort_unstable();
        prop_assert_eq!(sides, (0..=bound).collect::<Vec<_>>());
        prop_assert_eq!(Dice(u64::MAX).up_to(u64::MAX), u64::MAX);
    }
}

/// Full jitter spreads a crowd over the whole of the bound: each tenth of it gets about a tenth of the crowd.
#[test]
fn a_crowd_is_spread_over_the_whole_wait() {
    let mut tenths = [0_u32; 10];
    let mut bits = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..10_000 {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        let wait_ms = full_jitter_ms(1_000, 60_000, 4, Dice(bits));
        tenths[usize::try_from(wait_ms * 10 / 16_001).unwrap()] += 1;
    }
    assert!(tenths.iter().all(|count| (850..1_150).contains(count)), "{tenths:?}");
}
