//! Long after: the retention is over, the sweeps have forgotten the details of what has ended, and the provider has forgotten
//! every key. Whatever comes for one of these payments then, its order once more, another order under its number, a duplicate
//! of its message, a late word of the provider's, a refund, is answered by what is kept of it, and nothing is paid twice.

use std::sync::Arc;
use std::time::Duration;

use payments::message::Message;
use payments::payment::{Kind, Lane, Payment, State};
use ports::Queue;

use crate::callbacks::{self, Due, Status};
use crate::memory::MemoryQueue;
use crate::run::PASS;
use crate::scenario::{self, Told};
use crate::system::System;
use crate::world::Environment;

/// Beyond the retention: more than clocks may be apart.
const BEYOND_MS: u64 = 60 * 60 * 1_000;
/// Passes through the table that are waited for at most: a sweep may die, or be refused.
const PASSES_MAX: u32 = 20;
/// Lines of a short history, at most.
const LINES_MAX: usize = 4;

/// Plays it.
pub(crate) async fn run(system: &System, told: &Arc<Told>, rest_within_ms: u64) {
    let world = &system.world;
    // Cases that nobody has seen to when everything else is old.
    for payment in denied(&system.table.payments()).filter(|payment| payment.case.is_none()) {
        if world.between(0, 2) == 0 {
            says_that_it_is_done(system, payment).await;
        }
    }
    let before = system.table.payments();
    world.skip_ms(world.faults.policy().retention_ms + BEYOND_MS);
    world.note("the retention is over");
    for _ in 0..PASSES_MAX {
        if due(system) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_mins(u64::from(PASS.sweeps))).await;
    }
    world.calm();
    judge(system, &before);

    let effects = system.ledger.effects_by_payment();
    scenario::repeat_all(system, told).await;
    let environment = Environment::new(world, "late duplicate");
    let queue = MemoryQueue::new(&system.queues, &environment);
    for payment in before.iter().filter(|payment| payment.state.is_terminal()) {
        let message = Message::new(payment.id.clone(), payment.order.merchant.clone(), payment.created_at);
        let sent = queue.send(Lane::Standard, &message, 0).await;
        assert!(sent.is_ok(), "in calm a queue takes what it is sent");
    }
    system.rest(rest_within_ms).await;
    if system.ledger.effects_by_payment() != effects {
        world.violated("I1", "something was paid though all that came had ended long ago");
    }
    for payment in denied(&before) {
        says_that_it_is_done(system, payment).await;
    }
    scenario::give_back_late(system, told).await;
    system.rest(rest_within_ms).await;
    system.check().at_the_end(&told.accepted());
}

/// Payments whose details should be forgotten by now.
fn due(system: &System) -> usize {
    let now = system.world.now();
    system.table.payments().iter().filter(|payment| payment.forget_at.is_some_and(|at| at <= now)).count()
}

fn denied(payments: &[Payment]) -> impl Iterator<Item = &Payment> {
    payments.iter().filter(|payment| match payment.state {
        State::Declined | State::Canceled | State::Expired => true,
        State::Queued | State::Sending | State::Pending | State::Unknown | State::Parked | State::Succeeded => false,
    })
}

/// The provider has done it after all, and says so until it is heard.
async fn says_that_it_is_done(system: &System, payment: &Payment) {
    let (id, money) = (&payment.id, payment.order.money);
    if !system.ledger.effects_by_payment().contains_key(id) {
        system.ledger.reverse(id, payment.order.kind, money);
    }
    callbacks::repeat(system, &Due::new(system.world.now_us(), id, money, Status::Approved)).await;
    system.ledger.reversed(id);
}

/// What ended is short and says the same; what is open, and each open case, is as it was.
fn judge(system: &System, before: &[Payment]) {
    let violated = |invariant: &str, payment: &Payment, what: &str| {
        system.world.violated(invariant, &format!("{} {what}", payment.id));
    };
    for payment in before {
        let Some(stands) = system.table.payment(&payment.id) else {
            violated("I3", payment, "was forgotten altogether, and its order may be paid again");
            continue;
        };
        if !payment.state.is_terminal() || payment.has_open_case() {
            if stands != *payment {
                violated("I3", payment, "was touched though there is something to do about it");
            }
            continue;
        }
        let is_short = stands.order == stands.order.clone().without_details()
            && stands.history.len() <= LINES_MAX
            && stands.case.as_ref().is_none_or(|case| case.owner.is_none());
        if !stands.is_forgotten() || !is_short {
            violated("I10", payment, "has its details though the retention is over");
        }
        let kept = |payment: &Payment| {
            let what = (payment.state, payment.reason, payment.created_at, payment.changed_at, payment.refundable);
            let order = payment.order.clone().without_details();
            (what, order, payment.fingerprint.clone(), payment.provider_text.clone(), payment.has_moved_money())
        };
        if kept(&stands) != kept(payment) {
            violated("I3", payment, "ended otherwise than it is told");
        }
    }
}

/// A charge that something may be given back of.
pub(crate) fn refundable(payment: &Payment) -> Option<u64> {
    let is_old = payment.order.kind == Kind::Charge && payment.is_forgotten();
    payment.refundable_amount().filter(|left| is_old && *left > 0)
}
