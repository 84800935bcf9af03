//! How shards fall onto partitions: by chance, as the count says, and never as one a partition.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use payments::payment::OPEN_SHARDS;
use plan::spread::{RISK_PER_MILLION_MAX, Spread, at, shards_needed, warm_write_units};
use proptest::prelude::*;

use super::cases;

/// What DynamoDB does with a key as far as anybody outside can tell: a hash of it says the partition. By another hash for
/// each table.
fn place(table: u32, shard: u64, partitions: u64) -> usize {
    let mut hasher = DefaultHasher::new();
    (table, shard.to_string()).hash(&mut hasher);
    usize::try_from(hasher.finish() % partitions).unwrap()
}

/// The share of writes above a partition's 1,000 in millionths, and whether there are any, in one table.
fn thrown(table: u32, spread: &Spread) -> (f64, bool) {
    let mut shards = vec![0_u32; usize::try_from(spread.partitions).unwrap()];
    for shard in 0..spread.shards {
        shards[place(table, shard, spread.partitions)] += 1;
    }
    #[allow(clippy::cast_precision_loss, reason = "a few hundred thousand")]
    let units = |count: u64| count as f64;
    let each = units(spread.write_units) / units(spread.shards);
    let over: f64 = shards.iter().map(|count| (f64::from(*count) * each - 1_000.0).max(0.0)).sum();
    (1_000_000.0 * over / units(spread.write_units), over > 0.0)
}

#[test]
fn what_is_computed_is_what_keys_do_when_they_are_hashed() {
    const TABLES: u32 = 200;
    for (shards, warm) in [(128, 105_000), (128, 210_000), (512, 210_000), (2_048, 105_000), (2_048, 210_000)] {
        let spread = at(shards, 105_000, warm);
        let tables: Vec<(f64, bool)> = (0..TABLES).map(|table| thrown(table, &spread)).collect();
        let over = tables.iter().map(|(over, _)| over).sum::<f64>() / f64::from(TABLES);
        let hit = tables.iter().filter(|(_, hit)| *hit).count();
        #[allow(clippy::cast_precision_loss, reason = "a share of a million")]
        let (computed, risk) = (spread.over_per_million() as f64, spread.risk_per_million() as f64);
        assert!((over - computed).abs() <= 0.05 * computed + 150.0, "{spread:?}: {over} thrown, {computed} computed");
        // The risk is a bound: no more tables than it says, but for chance.
        #[allow(clippy::cast_precision_loss, reason = "200 at most")]
        let share = 1_000_000.0 * hit as f64 / f64::from(TABLES);
        assert!(share <= risk + 100_000.0, "{spread:?}: {share} hit, {risk} at most");
    }
}

#[test]
fn as_many_shards_as_partitions_is_no_spread() {
    // 128 shards of 105,000 units over 105 partitions, which is what the units alone ask for, and over twice as many.
    let percent = |shards, warm| at(shards, 105_000, warm).over_per_million() / 10_000;
    assert_eq!((percent(128, 105_000), percent(128, 210_000)), (35, 20));
    // 2,048 of them over four times as many: in at most one of 10,000 indexes is any partition over.
    assert_eq!((shards_needed(105_000), warm_write_units(2_048, 105_000)), (2_048, Some(420_000)));
    assert!(at(2_048, 105_000, 420_000).risk_per_million() <= 100);
    assert!(at(2_048, 105_000, 315_000).risk_per_million() > RISK_PER_MILLION_MAX);
    assert_eq!(warm_write_units(1_024, 105_000), None);
    // What one partition takes needs no second shard, and a new index is warm for it.
    assert_eq!((shards_needed(1_000), warm_write_units(1, 1_000)), (1, Some(4_000)));
    assert_eq!(at(1, 1_001, 1_000).risk_per_million(), 1_000_000);
    assert_eq!(at(4, 2_000, 1_000).over_per_million(), 500_000);
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn more_partitions_never_hurt_and_what_is_needed_suffices(write_units in 1_u64..120_000, doublings in 0_u32..12) {
        let shards = 1_u64 << doublings;
        let warm = warm_write_units(shards, write_units);
        prop_assert!(warm.is_none() || shards >= shards_needed(write_units));
        prop_assert!(warm.is_some() || shards != shards_needed(write_units));
        prop_assert!(shards_needed(write_units) <= u64::from(OPEN_SHARDS));
        if let Some(warm) = warm {
            prop_assert!(at(shards, write_units, warm).risk_per_million() <= RISK_PER_MILLION_MAX);
            prop_assert!(warm >= 4_000);
        }
        let over = |times: u64| at(shards, write_units, write_units.max(1_000) * times).over_per_million();
        prop_assert!(over(2) <= over(1) + 1 && over(4) <= over(2) + 1, "{} {} {}", over(1), over(2), over(4));
    }
}
