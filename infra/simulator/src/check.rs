//! The invariants, judged from outside: from the provider's ledger, the table and the queues.

use std::collections::BTreeMap;
use std::sync::Arc;

use pacing::brake::Brake;
use pacing::breaker::Mode;
use payments::history::{Entry, verify};
use payments::message::{LATE_SEND_MS, Message};
use payments::payment::{Payment, Reason, State};
use payments::time::Timestamp;

use crate::faults::{Brownout, Faults, Pause};
use crate::mapping::Deletions;
use crate::memory::queue::{Name, Stored};
use crate::memory::{Allowed, Gates, Ledger, Queues, Table};
use crate::refunds;
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
    /// The gates.
    pub gates: Arc<Gates>,
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
        let policy = self.world.faults.policy();
        let moves_us = self.queues.moves_us();
        refunds::check(&self.world, &payments, &self.ledger.effects_by_payment());
        for payment in &payments {
            // What a send takes of them a refusal gives back, and a person's replay may grant one more.
            if payment.attempts + payment.attempts_left < policy.max_attempts {
                let how = format!(
                    "{} sent {} times has {} attempts left",
                    payment.id, payment.attempts, payment.attempts_left
                );
                self.world.violated("I9", &how);
            }
            let untried = |line: &&Entry| line.reason == Reason::AttemptsUsedUp && line.attempt < policy.max_attempts;
            if let Some(line) = payment.history.iter().find(untried) {
                let how = format!("{} was parked as used up after {} attempts", payment.id, line.attempt);
                self.world.violated("I9", &how);
            }
            // Being parked is rest, but not before only a person can help.
            let skew_ms = 2 * self.world.faults.clock_skew_ms;
            let too_early = |line: &&Entry| {
                let open_ms = line.at.since_ms(payment.created_at);
                line.reason == Reason::Overdue && open_ms + skew_ms < policy.park_overdue_ms()
            };
            if let Some(line) = payment.history.iter().find(too_early) {
                let open_ms = line.at.since_ms(payment.created_at);
                self.world.violated("I9", &format!("{} was parked as overdue after {open_ms} ms", payment.id));
            }
            // I8: a replay has a person behind it, and each of a person's moves is one. A sender whose clock is minutes behind
            // the queue's writes messages that look as if somebody had moved them; what follows is one query more.
            let clocks_tell = self.world.faults.clock_skew_ms < LATE_SEND_MS / 2;
            let replays_us = if clocks_tell { self.table.replays_us(&payment.id) } else { Vec::new() };
            for (index, replayed_us) in replays_us.into_iter().enumerate() {
                if moves_us.get(index).is_none_or(|moved_us| replayed_us < *moved_us) {
                    self.world.violated("I8", &format!("{} was replayed and nobody had put it back", payment.id));
                }
            }
            if !payment.state.is_terminal() && payment.state != State::Parked {
                let how = format!("{} is still {}", payment.id, payment.state.as_str());
                self.world.violated("I2", &how);
            }
            let took_ms = payment.changed_at.since_ms(payment.created_at);
            if self.world.faults.ends_within_ms().is_some_and(|within_ms| took_ms > within_ms) {
                let how = format!("{} took {took_ms} ms to its end though nothing failed", payment.id);
                self.world.violated("I2", &how);
            }
            if payment.forgotten_at.is_some_and(|at| at.since_ms(payment.changed_at) < policy.retention_ms) {
                self.world.violated("I3", &format!("{} was forgotten before its time", payment.id));
            }
            for finding in verify(payment, &policy.history_keys).findings {
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
        self.pace();
        self.waiting();
        self.recovery();
    }

    /// What waits for a stopped gate is not lost: a payment that gets a message for each hour of an outage has as many calls
    /// to make when it is over. Looked at after each sweep.
    pub fn messages(&self) {
        let most = self.queues.most_of_one_payment();
        if self.world.faults.pause.is_some() && most > Pause::MESSAGES_MAX {
            self.world.violated("messages", &format!("a payment has {most} messages"));
        }
    }

    /// I9: what waited has used up no attempt and is not parked for it. Judged where no environment dies, because then
    /// each attempt is a request that the provider has seen.
    fn waiting(&self) {
        if !self.world.faults.only_the_provider_fails() {
            return;
        }
        let sends = self.ledger.sends_by_payment();
        self.table.each(|payment| {
            let sent = sends.get(&payment.id).copied().unwrap_or(0);
            if payment.attempts > sent {
                let how = format!("{} counts {} attempts and was sent {sent} times", payment.id, payment.attempts);
                self.world.violated("I9", &how);
            }
            if payment.state == State::Parked && sent == 0 {
                self.world.violated("I9", &format!("{} is parked and was never sent", payment.id));
            }
            let only_waited = match payment.reason {
                // After a day nothing may be sent again for what the provider was sent before, and after three nobody has
                // said anything of it: infra/decisions/0009 puts that in front of people.
                Reason::KeyWindowOver => self.world.faults.over_ms() < self.world.faults.key_window_ms,
                Reason::Overdue => self.world.faults.over_ms() < crate::run::policy().park_overdue_ms(),
                _ => true,
            };
            if payment.state == State::Parked && self.world.faults.over_ms() > 0 && only_waited {
                let why = payment.reason.as_str();
                self.world.violated("I9", &format!("{} is parked for {why} and only had to wait", payment.id));
            }
        });
    }

    /// Attempts beyond the sends that the provider has seen: requests that may have been written, and were not.
    pub fn unsent_attempts(&self) -> u64 {
        let sends = self.ledger.sends_by_payment();
        let unsent = |payment: &Payment| payment.attempts.saturating_sub(sends.get(&payment.id).copied().unwrap_or(0));
        self.table.payments().iter().map(|payment| u64::from(unsent(payment))).sum()
    }

    /// After a brownout that opened the breaker: ms from its end until the breaker was closed, and until the last
    /// payment that was accepted before that end had ended.
    pub fn recovered_after_ms(&self) -> Option<(u64, u64)> {
        let Brownout { from_ms, until_ms } = self.world.faults.brownout?;
        let (begun, over) = (self.world.at_ms(from_ms), self.world.at_ms(until_ms));
        let breaker = self.gates.state("sandbox")?.breaker;
        let since = Timestamp::from_us(breaker.since_us);
        let payments = self.table.payments();
        // What a person had to end waited for a person.
        let by_itself = |payment: &&Payment| payment.reason != Reason::ResolvedByOperator;
        let earlier = payments.iter().filter(|payment| payment.created_at < over).filter(by_itself);
        let last = earlier.map(|payment| payment.changed_at.since_ms(over)).max().unwrap_or(0);
        (breaker.mode == Mode::Closed && since > begun).then_some((since.since_ms(over), last))
    }

    /// After a brownout the breaker, which has to have opened, is closed and every payment ended within the stated
    /// times; they are those of a provider that fails alone.
    fn recovery(&self) {
        let faults = &self.world.faults;
        if faults.brownout.is_none() || !faults.only_the_provider_fails() {
            return;
        }
        match self.recovered_after_ms() {
            None => self.world.violated("I9", "after a brownout the breaker is not closed, or was never open"),
            Some((closed_ms, ended_ms)) => {
                if closed_ms > Brownout::CLOSED_WITHIN_MS {
                    self.world.violated("I9", &format!("the breaker was closed {closed_ms} ms after a brownout"));
                }
                if ended_ms > Brownout::ENDED_WITHIN_MS {
                    self.world.violated("I2", &format!("a payment ended {ended_ms} ms after a brownout"));
                }
            }
        }
    }

    /// Now and then a 429 that means one payment: nobody is sent less for it.
    fn pace(&self) {
        if self.world.faults != Faults::stray_429() {
            return;
        }
        if let Some(brake) =
            self.gates.state("sandbox").map(|gate| gate.brake).filter(|brake| *brake != Brake::default())
        {
            self.world.violated("pace", &format!("stray 429s left {} of 1000 of the rate", brake.permille));
        }
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
        // What an operator set holds as soon as the slots from before are used up, and until the next change.
        for Allowed { from_us, until_us, rate_per_second } in self.gates.allowed() {
            let calls: Vec<u64> =
                self.ledger.calls_us().into_iter().filter(|at_us| (from_us..until_us).contains(at_us)).collect();
            let most = most_in_a_second(&calls);
            if most > u64::from(rate_per_second) {
                let how = format!("{most} calls in a second, an operator allowed {rate_per_second}");
                self.world.violated("I5", &how);
            }
        }
    }
}

/// I1 by the provider's ledger: no second effect, none under another end, none that is only claimed; and what it rests
/// on, which is that nothing is sent but under a claim to send whose lease still holds.
fn at_any_time(world: &World, table: &Table, ledger: &Ledger) {
    for (id, at_us) in ledger.take_unjudged() {
        let Some(payment) = table.payment(&id) else {
            world.violated("I1", &format!("{id} was sent and is no payment's key"));
            continue;
        };
        // By a clock that is minutes ahead a lease ends while it still holds; the proof of absence reckons with that.
        let skew_ms = world.faults.clock_skew_ms;
        let at = Timestamp::from_us(at_us).minus_ms(skew_ms);
        let holds = payment.claim.is_some_and(|it| it.from == State::Queued && it.lease_until >= at) || skew_ms > 1_000;
        // Its callback may have come before the request was through. Whatever else has ended it, nothing is sent for it then.
        let is_called_back = payment.state.is_terminal() && payment.reason == Reason::CalledBack;
        if !holds && !is_called_back {
            world.violated("I1", &format!("{id} was sent without a lease, while it is {}", payment.state.as_str()));
        }
    }
    let effects = ledger.effects_by_payment();
    for (id, count) in effects.iter().filter(|(_, count)| **count > 1) {
        world.violated("I1", &format!("{id} took effect {count} times"));
    }
    table.each(|payment| {
        let took_effect = effects.contains_key(&payment.id);
        let denied = matches!(payment.state, State::Declined | State::Canceled | State::Expired);
        if took_effect && denied && payment.case.is_none() && !ledger.is_reversing(&payment.id) {
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
