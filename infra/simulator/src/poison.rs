//! Messages that nobody of ours has sent, in every queue: what is no message, one that names another merchant than its
//! payment has, and one of a version that is not there yet. Each has to end in front of people, and none may touch a payment.

use std::time::Duration;

use payments::message::VERSION;
use serde_json::json;

use crate::memory::queue::Name;
use crate::system::System;

/// The queues that functions read.
const QUEUES: [Name; 3] = [Name::High, Name::Standard, Name::DeadLetter];
/// Messages in each of them.
const EACH: u64 = 3;
/// How many there are.
pub(crate) const THROWN: usize = 9;
/// Between two of them at most, in ms.
const BETWEEN_MS: u64 = 60_000;

/// Throws them, one after the other.
pub(crate) async fn run(system: System) {
    let world = &system.world;
    for name in QUEUES {
        for kind in 0..EACH {
            tokio::time::sleep(Duration::from_millis(world.between(0, BETWEEN_MS))).await;
            let of = system.table.payments();
            let id = of.first().map_or_else(|| "pay_none".to_owned(), |payment| payment.id.to_string());
            let sent_at = world.now().ms();
            let body = match kind {
                0 => "{\"hello\":\"world\"}".to_owned(),
                1 => json!({ "version": VERSION, "payment_id": id, "merchant": "nobody", "sent_at": sent_at })
                    .to_string(),
                _ => json!({ "version": VERSION + 1, "payment_id": id, "anything": true }).to_string(),
            };
            world.note(&format!("somebody     throws {body} into {name:?}"));
            system.queues.put(name, body, None, 0);
        }
    }
}

/// I4: whatever is not ours waits for a person, all of it.
pub(crate) fn judge(system: &System) {
    let parked = system.queues.depth(Name::Parked);
    if parked < THROWN {
        system.world.violated("I4", &format!("{THROWN} messages were not ours, and {parked} are parked"));
    }
}
