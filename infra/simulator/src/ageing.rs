//! What the table's TTL takes away: ended payments, long after their end. Whatever comes for one of them later, a duplicate
//! of its message or the provider's callback, finds nothing and may make nothing of it.

use payments::id::PaymentId;
use payments::message::Message;
use payments::payment::Lane;
use payments::ports::Queue;

use crate::callbacks::{Due, Status};
use crate::memory::MemoryQueue;
use crate::system::System;
use crate::world::Environment;

/// Deletes what has ended and brings its messages and callbacks once more.
pub(crate) async fn run(system: &System, rest_within_ms: u64) {
    let ended = system.table.delete_ended();
    let (calls, kept) = (system.ledger.calls_us().len(), system.table.payments().len());
    system.world.note(&format!("the table's TTL deletes {} payments", ended.len()));
    let environment = Environment::new(&system.world, "late duplicate");
    let queue = MemoryQueue::new(&system.queues, &environment);
    for payment in &ended {
        let message = Message::new(payment.id.clone(), payment.order.merchant.clone(), payment.created_at);
        let sent = queue.send(Lane::Standard, &message, 0).await;
        assert!(sent.is_ok(), "in calm a queue takes what it is sent");
        let due = Due::new(system.world.now_us(), &payment.id, payment.order.money, Status::Approved);
        let answered = due.tell(system).await;
        if answered != Some(404) {
            let how = format!("a callback about {}, which is long gone, got {answered:?}", payment.id);
            system.world.violated("I6", &how);
        }
    }
    system.rest(rest_within_ms).await;
    if system.ledger.calls_us().len() != calls {
        system.world.violated("I1", "a message of a payment that is long gone led to a call");
    }
    let back: Vec<PaymentId> = ended.into_iter().map(|payment| payment.id).collect();
    if system.table.payments().len() != kept || back.iter().any(|id| system.table.payment(id).is_some()) {
        system.world.violated("I3", "a payment that is long gone is back");
    }
}
