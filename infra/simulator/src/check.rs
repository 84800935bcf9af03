//! The invariants, judged from outside: from the provider's ledger, the table and the queues.

use std::collections::BTreeMap;
use std::sync::Arc;

use payments::history::verify;
use payments::message::Message;
use payments::payment::State;

use crate::mapping::Deletions;
use crate::memory::queue::{Name, Stored};
use crate::memory::{Ledger, Queues, Table};
use crate::run::policy;
use crate::world::World;

/// Everything that an invariant is judged by.
#[derive(Clone, Debug)]
pub struct Check {
    /// The run.
    pub world: Arc<World>,
    /// The tables.
    pub table: Arc<Table>,
    /// The queues.
    pub queues: Arc<Queues>,
    /// The provider.
    pub ledger: Arc<Ledger>,
    /// The provider's limit.
    pub rate_per_second: u32,
}

/// A payment as its merchant knows it: accepted with a 202 or a 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Minor units asked for.
    pub amount: u64,
    /// The currency.
    pub currency: &'static str,
}

impl Check {
    /// Checks what holds at any time after each step of the run. It does not keep the run's parts alive.
    pub fn after_each_step(&self) {
        let (world, table) = (Arc::downgrade(&self.world), Arc::downgrade(&self.table));
        let ledger = Arc::downgrade(&self.ledger);
        self.world.after_each_step(move || {
            if let (Some(world), Some(table), Some(ledger)) = (world.upgrade(), table.upgrade(), ledger.upgrade()) {
                at_any_time(&world, &table, &ledger);
            }
        });
    }

    /// What holds once everything has come to rest.
    pub fn at_the_end(&self, accepted: &BTreeMap<String, Accepted>) {
        at_any_time(&self.world, &self.table, &self.ledger);
        let payments = self.table.payments();
        let keys = policy().history_keys;
        for payment in &payments {
            if !payment.state.is_terminal() && payment.state != State::Parked {
                let how = format!("{} is still {}", payment.id, payment.state.as_str());
                self.world.violated("I2", &how);
            }
            let took_ms = payment.changed_at.since_ms(payment.created_at);
            if self.world.faults.ends_within_ms().is_some_and(|within_ms| took_ms > within_ms) {
                let how = format!("{} took {took_ms} ms to its end though nothing failed", payment.id);
                self.world.violated("I2", &how);
            }
            for finding in verify(payment, &keys).findings {
                self.world.violated("history", &format!("{}: {finding}", payment.id));
            }
        }
        let known: BTreeMap<&str, _> = payments.iter().map(|p| (p.id.as_str(), p)).collect();
        let mut asked: BTreeMap<&str, u128> = BTreeMap::new();
        let mut held: BTreeMap<&str, u128> = BTreeMap::new();
        for (id, accepted) in accepted {
            *asked.entry(accepted.currency).or_default() += u128::from(accepted.amount);
            match known.get(id.as_str()) {
                Some(payment) => {
                    let money = payment.order.money;
                    *held.entry(money.currency().code()).or_default() += u128::from(money.amount());
                }
                None => self.world.violated("I2", &format!("{id} was accepted and is nowhere")),
            }
        }
        if asked != held {
            self.world.violated("I7", &format!("merchants sent {asked:?}, the states hold {held:?}"));
        }
        self.rate();
    }

    /// I5, over every window of one second that begins with a call.
    fn rate(&self) {
        // Clocks that are apart hand out each other's slots: within rate × (1 + spread in seconds) then.
        let spread_ms = 2 * self.world.faults.clock_skew_ms;
        let rate = u64::from(self.rate_per_second);
        let limit = rate + (rate * spread_ms).div_ceil(1_000);
        let most = most_in_a_second(&self.ledger.calls_us());
        if most > limit {
            self.world.violated("I5", &format!("{most} calls in a second, {limit} allowed"));
        }
    }
}

/// I1 by the provider's ledger: no second effect, none under another end, none that is only claimed.
fn at_any_time(world: &World, table: &Table, ledger: &Ledger) {
    let effects = ledger.effects_by_payment();
    for (id, count) in effects.iter().filter(|(_, count)| **count > 1) {
        world.violated("I1", &format!("{id} took effect {count} times"));
    }
    table.each(|payment| {
        let took_effect = effects.contains_key(&payment.id);
        let denied = matches!(payment.state, State::Declined | State::Canceled | State::Expired);
        if took_effect && denied && payment.case.is_none() {
            let how = format!("{} took effect and is {}", payment.id, payment.state.as_str());
            world.violated("I1", &how);
        }
        if payment.state == State::Succeeded && !took_effect {
            world.violated("I1", &format!("{} succeeded and never took effect", payment.id));
        }
    });
}

/// The largest number of calls in any window of one second.
pub fn most_in_a_second(calls_us: &[u64]) -> u64 {
    let mut sorted = calls_us.to_vec();
    sorted.sort_unstable();
    let mut first = 0;
    let mut most = 0;
    for (index, at_us) in sorted.iter().enumerate() {
        while sorted[first] + 1_000_000 <= *at_us {
            first += 1;
        }
        most = most.max(index + 1 - first);
    }
    u64::try_from(most).unwrap_or(u64::MAX)
}

impl Deletions for Check {
    /// I4: what is deleted is needless, because its payment has ended or another message of it is on its way.
    fn deleting(&self, name: Name, stored: &Stored) {
        let Ok(message) = Message::parse(&stored.body) else {
            let how = format!("a message that is not ours was deleted from {}", name.as_str());
            self.world.violated("I4", &how);
            return;
        };
        let ended = self.table.payment(&message.payment_id).is_some_and(|payment| payment.state.is_terminal());
        let healed = name == Name::DeadLetter && self.queues.holds_beside(&message.payment_id, stored);
        if !ended && !healed {
            let how = format!("the message of {} was deleted before its end", message.payment_id);
            self.world.violated("I4", &how);
        }
    }
}
