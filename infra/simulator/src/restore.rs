//! A point-in-time recovery in the middle of a run: the table becomes what it was some minutes before, while the provider
//! keeps its books and the queues their messages. With the runbook's procedure nobody is charged twice for it; without it
//! somebody is, which is how the drill is known to be one.

use std::sync::Arc;
use std::time::Duration;

use payments::message::Message;
use payments::payment::Payment;
use payments::transition::{Event, Recovery};
use ports::{Ledger, Outcome, Queue};

use crate::faults::Restore;
use crate::scenario::{self, Told};
use crate::system::System;
use crate::world::Environment;

const OPERATOR: &str = "operator";
/// When the moment comes that the table is restored to, in ms.
const POINT_MS: (u64, u64) = (300_000, 1_200_000);
/// How long after it somebody notices, in ms.
const NOTICED_MS: (u64, u64) = (10_000, 900_000);
/// The functions' time-out, and a moment: whoever was called before is over by then.
const OVER: Duration = Duration::from_secs(61);

/// Plays it. Returns when merchants have asked again for what they were told is accepted.
pub(crate) async fn run(system: System, told: Arc<Told>, how: Restore, rest_within_ms: u64) {
    let world = &system.world;
    tokio::time::sleep(Duration::from_millis(world.between(POINT_MS.0, POINT_MS.1))).await;
    let (point, snapshot) = (world.now(), system.table.payments());
    tokio::time::sleep(Duration::from_millis(world.between(NOTICED_MS.0, NOTICED_MS.1))).await;

    // 1. Nothing is taken, and nothing sent.
    system.turn_off();
    tokio::time::sleep(OVER).await;
    // 2. The table as it was.
    world.note(&format!("{OPERATOR}     restores the table to {point}"));
    system.table.put_back(snapshot);
    // 3. What is open is unknown, and has a message; 4. what is new is asked about first.
    let recovery = (how == Restore::ByTheRunbook).then(|| Recovery { point, at: world.now() });
    if let Some(recovery) = &recovery {
        for payment in system.table.payments() {
            doubt(&system, payment, recovery).await;
        }
    }
    system.turn_on(recovery);

    // Merchants ask for what they miss: charges first, and what gives them back once they are done.
    scenario::ask_again(world, &system, &told, false).await;
    system.rest(rest_within_ms).await;
    scenario::ask_again(world, &system, &told, true).await;
}

/// One payment of the operator's command, which is run again when it dies.
async fn doubt(system: &System, payment: Payment, recovery: &Recovery) {
    let event = Event::Restored(recovery);
    for _ in 0..10 {
        let environment = Environment::new(&system.world, OPERATOR);
        let ledger = system.wired(&environment);
        let command = async {
            let outcome = ledger.decide(payment.clone(), &event).await;
            let Ok(Outcome::Changed(unknown) | Outcome::Kept(unknown, _)) = outcome else { return false };
            // It had ended before the recovery point, and an end needs no message.
            if unknown.recovered_at.is_none() {
                return true;
            }
            let message = Message::new(unknown.id.clone(), unknown.order.merchant.clone(), system.world.now());
            ledger.queue.send(unknown.order.lane, &message, 0).await.is_ok()
        };
        let is_done = tokio::select! {
            biased;
            () = environment.death() => false,
            is_done = environment.run(command) => is_done,
        };
        if is_done {
            return;
        }
    }
    system.world.violated("I2", &format!("nobody could doubt {}", payment.id));
}
