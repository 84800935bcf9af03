//! How time passes.

use crate::payment_model::PaymentModel;
use crate::world::{Consumer, DeadLetter, Deed, Desk, Request, World, Write};

impl PaymentModel {
    /// A write that is decided on arrives before the tick ends, or never: an SDK's time-outs are seconds, a tick is ten
    /// minutes. One that will be refused may take longer, and is decided on anew then.
    pub(crate) fn may_tick(world: &World) -> bool {
        let waits = |write: Write| write != Write::Stale;
        let consumer = |consumer: &Consumer| matches!(consumer, Consumer::Writing { write, .. } if waits(*write));
        let dead_letter = matches!(world.dead_letter, DeadLetter::Writing { write, .. } if waits(write));
        let desk = matches!(world.desk, Desk::Writing { write, .. } if waits(write));
        !world.consumers.iter().any(consumer) && !dead_letter && !desk
    }

    /// Time passes: everything else moves back. Leases end, and requests that are not to arrive any more are given up.
    pub(crate) fn tick(&self, world: &mut World) {
        let item = &mut world.item;
        if let Some(claim) = &mut item.claim {
            claim.lease -= 1;
            claim.claimed -= 1;
        }
        item.first_sent = item.first_sent.map(|at| at - 1);
        item.written_until = item.written_until.map(|at| at - 1);
        if let Some(heal) = &mut item.heal {
            heal.just_now = false;
        }
        world.expires = world.expires.map(|at| (at - 1).max(0));
        for consumer in 0..self.bounds.consumers {
            let age = match &mut world.consumers[usize::from(consumer)] {
                Consumer::Idle => continue,
                Consumer::Writing { deed, age, .. } => {
                    if let Deed::Claim(lease) | Deed::Replay(lease) = deed {
                        *lease = (*lease - 1).max(0);
                    }
                    age
                }
                Consumer::Holding { hold, age } => {
                    hold.lease = (hold.lease - 1).max(0);
                    age
                }
                Consumer::Calling { age, .. } => age,
            };
            *age += 1;
            // No call outlives its invocation.
            if *age > self.bounds.stalls {
                world.let_go(consumer);
            }
        }
        let provider = &mut world.provider;
        provider.request = provider.request.and_then(|it| Some(Request { left: it.left.checked_sub(1)?, ..it }));
        provider.key_age = provider.key_age.map(|age| (age + 1).min(self.bounds.key_window));
    }
}
