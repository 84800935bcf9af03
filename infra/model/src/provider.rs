//! The provider: a ledger by idempotency key, requests on their way to it, and queries that it answers truthfully by
//! what it knows when they arrive. A request arrives within the stated bound after it was written, or never. A reply that
//! is lost is one that its consumer does not wait for.

use crate::action::{Action, ProviderAct};
use crate::payment_model::PaymentModel;
use crate::world::{Book, Consumer, Reply, World};

impl PaymentModel {
    pub(crate) fn provider_actions(&self, world: &World, actions: &mut Vec<Action>) {
        let mut may = |act| actions.push(Action::Provider(act));
        if let Some(request) = world.provider.request {
            if world.provider.book == Book::Nothing {
                may(ProviderAct::Arrive(Reply::Approved));
                may(ProviderAct::Arrive(Reply::Accepted));
                may(ProviderAct::Arrive(Reply::Declined));
            } else {
                may(ProviderAct::Arrive(Self::known(world)));
            }
            // A 429 comes at once; one that nobody waits for is a request that never arrives.
            if request.by.is_some() && request.left == self.bounds.absence {
                may(ProviderAct::Arrive(Reply::RateLimited));
            }
        }
        for consumer in 0..self.bounds.consumers {
            if let Consumer::Calling { hold, reply: None, .. } = world.consumers[usize::from(consumer)]
                && !hold.to_send
            {
                may(ProviderAct::Answer(consumer));
            }
        }
        // One that never told us that it has it may not do so: that would break its stated bound.
        if self.bounds.vanishing > 0 && world.provider.book == Book::Pending && world.item.acknowledged {
            may(ProviderAct::Vanish);
        }
        if matches!(world.provider.book, Book::Pending | Book::Vanished) {
            may(ProviderAct::Resolve(Reply::Approved));
            may(ProviderAct::Resolve(Reply::Declined));
        }
    }

    pub(crate) fn provider(&self, world: &mut World, act: ProviderAct) {
        match act {
            ProviderAct::Arrive(reply) => self.arrive(world, reply),
            ProviderAct::Answer(consumer) => {
                let known = Self::known(world);
                if let Consumer::Calling { reply, .. } = &mut world.consumers[usize::from(consumer)] {
                    *reply = Some(known);
                }
            }
            ProviderAct::Vanish => world.provider.book = Book::Vanished,
            ProviderAct::Resolve(reply) => {
                if reply == Reply::Approved {
                    Self::effect(world);
                } else {
                    world.provider.book = Book::Declined;
                }
            }
        }
    }

    fn arrive(&self, world: &mut World, answer: Reply) {
        let Some(request) = world.provider.request.take() else { return };
        let key_is_known = world.provider.key_age.is_some_and(|age| age < self.bounds.key_window);
        match answer {
            Reply::RateLimited => {
                // Refused before the key was looked at.
                if request.first {
                    world.provider.key_age = None;
                }
            }
            Reply::Approved if world.provider.book == Book::Nothing || !key_is_known => Self::effect(world),
            Reply::Accepted if world.provider.book == Book::Nothing => world.provider.book = Book::Pending,
            Reply::Declined if world.provider.book == Book::Nothing => world.provider.book = Book::Declined,
            Reply::Approved
            | Reply::Accepted
            | Reply::Declined
            | Reply::NotFound
            | Reply::ConnectFailed
            | Reply::NotWritten
            | Reply::Unclear => {}
        }
        if let Some(by) = request.by
            && let Consumer::Calling { reply, .. } = &mut world.consumers[usize::from(by)]
        {
            *reply = Some(answer);
        }
    }

    fn effect(world: &mut World) {
        world.provider.book = Book::Done;
        world.provider.effects = (world.provider.effects + 1).min(2);
    }
}
