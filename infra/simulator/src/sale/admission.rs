//! Admission of a sale: the merchants' buckets, and the lanes' figure that the waits are told from.

use std::collections::HashMap;
use std::sync::Mutex;

use pacing::admission::{AdmissionSettings, BUSY_MS, Backlog, Depth, Gathered};
use pacing::bucket::{Allowance, Bucket, Take, Taken};
use pacing::gate::GateState;
use payments::id::MerchantId;
use payments::limit::{Limit, RATE_MAX};
use payments::payment::Lane;
use payments::time::Timestamp;
use ports::{Admission, PortError};

use crate::sale::settings::gate_settings;
use crate::sale::world::{Ports, lane_index};
use crate::world::lock;

/// What the table of admission holds.
#[derive(Debug, Default)]
pub(super) struct Desk {
    buckets: Mutex<HashMap<(Allowance, MerchantId), Bucket>>,
    figure: Mutex<(Option<Timestamp>, Option<Backlog>)>,
}

/// A rate that no merchant of a sale reaches: what is played is the queue, and a merchant that is refused waits outside.
pub(super) fn limit() -> Limit {
    Limit::usual(RATE_MAX)
}

/// What the wait is told by: the template's numbers, and lanes that take all of a sale.
pub(super) fn settings(environments: [(Lane, u64); 2]) -> AdmissionSettings {
    let concurrency = |number: u64| u32::try_from(number).expect("there are at most 1,000 environments");
    let [(_, high), (_, standard)] = environments;
    AdmissionSettings {
        gate: gate_settings(),
        high_concurrency: concurrency(high),
        standard_concurrency: concurrency(standard),
        queue_depth_max: 10_000_000,
    }
}

impl Admission for Ports {
    async fn take(&self, take: &Take) -> Result<Taken, PortError> {
        let taken = self.call(|| {
            let mut buckets = lock(&self.services.desk.buckets);
            let bucket = (take.allowance, take.merchant.clone());
            let stands = buckets.get(&bucket).copied();
            let Some(after) = take.apply(stands) else { return Taken::Refused(stands.unwrap_or_default()) };
            buckets.insert(bucket, after);
            Taken::Done(after)
        });
        Ok(taken.await)
    }

    async fn look(&self) -> Result<(Option<GateState>, Option<Backlog>), PortError> {
        let (_, backlog) = self.call(|| lock(&self.services.desk.figure).clone()).await;
        Ok((lock(&self.services.gate).clone(), backlog))
    }

    async fn measure(&self, now: Timestamp, known: &Gathered) -> Result<Option<Backlog>, PortError> {
        let measured = self.call(|| {
            let mut figure = lock(&self.services.desk.figure);
            if figure.0.is_some_and(|from| from > now) {
                return None;
            }
            let depth = |lane| {
                let lane = lock(&self.services.lanes[lane_index(lane)]);
                let count = |number| u64::try_from(number).expect("as many as fit in memory");
                Depth { waiting: count(lane.visible()), in_flight: count(lane.depth() - lane.visible()) }
            };
            let backlog = known.measured(now, depth(Lane::High), depth(Lane::Standard));
            *figure = (Some(now.plus_ms(BUSY_MS)), Some(backlog.clone()));
            Some(backlog)
        });
        Ok(measured.await)
    }
}
