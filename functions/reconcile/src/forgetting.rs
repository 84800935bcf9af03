//! Forgets the details of payments that ended long ago: a small part of the table in each sweep, one conditional write for
//! each, and never so much at once that payments would feel it.

use payments::backoff::Dice;
use payments::pass::Part;
use payments::payment::Payment;
use payments::time::Timestamp;
use payments::transition::{Event, Kept};
use ports::{Depths, EndedPayments, EventName, GateStore, Ledger, OpenPayments, Outcome, StoreError};
use tracing::{error, warn};

use crate::{Reconcile, Tally};

/// Items read at a time: some 8 read units, one page after the other, of the 3,000 a second that a partition gives
/// ("Partitions and data distribution in DynamoDB").
const PAGE: u32 = 100;
/// Pages read in one sweep at most.
const PAGES_MAX: u32 = 500;
/// Payments forgotten in one sweep at most: one write unit each, one after the other, of the 1,000 a second that a partition
/// takes.
const FORGOTTEN_MAX: u32 = 2_000;

/// What may still be done in this sweep.
struct Left {
    pages: u32,
    writes: u32,
}

impl Left {
    const fn is_nothing(&self) -> bool {
        self.pages == 0 || self.writes == 0
    }
}

impl<L, G> Reconcile<L, G>
where
    L: Ledger<Store: OpenPayments + EndedPayments, Queue: Depths>,
    G: GateStore,
{
    /// Goes through this minute's parts of the table. What it does not come to is left for the next pass.
    pub(crate) async fn forget(&self, end: Timestamp, tally: &mut Tally) {
        let mut left = Left { pages: PAGES_MAX, writes: FORGOTTEN_MAX };
        let dice = Dice(u64::try_from(self.ledger.bits() & u128::from(u64::MAX)).unwrap_or(0));
        for part in self.pass.parts(self.ledger.now(), dice) {
            if let Err(error) = self.forget_in(part, end, &mut left, tally).await {
                error!(event = EventName::ForgettingFailed.as_str(), part = part.number, parts = part.of, %error);
                tally.failed();
                // A table that refuses is not asked for the rest.
                return;
            }
            if left.is_nothing() || self.is_over(end) {
                warn!(
                    event = EventName::ForgettingCutShort.as_str(),
                    part = part.number,
                    forgotten = tally.sweep.forgotten
                );
                return;
            }
        }
    }

    async fn forget_in(
        &self,
        part: Part,
        end: Timestamp,
        left: &mut Left,
        tally: &mut Tally,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.ledger.store().to_forget(part, after.as_ref(), self.ledger.now(), PAGE).await?;
            left.pages = left.pages.saturating_sub(1);
            for payment in page.payments {
                if left.writes == 0 || self.is_over(end) {
                    return Ok(());
                }
                left.writes = left.writes.saturating_sub(1);
                self.forget_one(payment, tally).await?;
            }
            match page.next {
                Some(next) if !left.is_nothing() => after = Some(next),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// An item that cannot be read, or whose history does not verify, does not keep the others waiting.
    async fn forget_one(&self, payment: Result<Payment, StoreError>, tally: &mut Tally) -> Result<(), StoreError> {
        let payment = match payment {
            Ok(payment) => payment,
            Err(error) => {
                error!(event = EventName::ForgettingFailed.as_str(), %error);
                tally.failed();
                return Ok(());
            }
        };
        match self.decide(payment, &Event::Forget).await? {
            Outcome::Changed(_) => tally.sweep.forgotten = tally.sweep.forgotten.saturating_add(1),
            Outcome::Kept(payment, Kept::HistoryDoubted) => {
                tally.sweep.doubted = tally.sweep.doubted.saturating_add(1);
                error!(event = EventName::HistoryDoubted.as_str(), payment_id = payment.id.as_str());
            }
            // Somebody else was here, or wrote meanwhile.
            Outcome::Kept(..) | Outcome::Missing => {}
        }
        Ok(())
    }
}
