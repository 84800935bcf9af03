//! A consumer, step by step as `consumer::job` does it: claim, connect and look once more, call, settle, delete. It may
//! die between any two steps.

use payments::id::Nonce;
use payments::payment::State;
use payments::transition::Kept;
use payments::write::SendClaim;

use crate::action::{Action, ConsumerAct, Landing};
use crate::item::{Holder, Item, Ticks, at};
use crate::payment_model::{PaymentModel, Who};
use crate::world::{Book, Broken, Consumer, Deed, Hold, Place, Reply, Request, World, Write};

impl PaymentModel {
    pub(crate) fn consumer_actions(&self, world: &World, consumer: u8, actions: &mut Vec<Action>) {
        let mut may = |act| actions.push(Action::Consumer(consumer, act));
        let lossy = self.bounds.lost_answers > 0;
        match world.consumers[usize::from(consumer)] {
            Consumer::Idle => {
                for place in 0..self.bounds.messages {
                    if world.messages[usize::from(place)].is_some_and(|message| message.place == Place::Lane) {
                        may(ConsumerAct::Receive(place, Landing::Answered));
                        if lossy {
                            may(ConsumerAct::Receive(place, Landing::AnswerLost));
                        }
                    }
                }
                return;
            }
            Consumer::Writing { write, .. } => {
                may(ConsumerAct::Land(Landing::Answered));
                if write == Write::Going {
                    may(ConsumerAct::Land(Landing::ThenDies));
                    if lossy {
                        may(ConsumerAct::Land(Landing::AnswerLost));
                    }
                }
            }
            Consumer::Holding { .. } => {
                may(ConsumerAct::Call);
                may(ConsumerAct::ConnectFails);
            }
            Consumer::Calling { reply, .. } => {
                if reply.is_some() {
                    may(ConsumerAct::Read);
                }
                may(ConsumerAct::TimeOut);
            }
        }
        may(ConsumerAct::Crash);
    }

    pub(crate) fn consumer(&self, world: &mut World, consumer: u8, act: ConsumerAct) {
        match (act, world.consumers[usize::from(consumer)]) {
            (ConsumerAct::Receive(place, landing), Consumer::Idle) => {
                let replay = world.messages[usize::from(place)].is_some_and(|message| message.replay);
                self.first_claim(world, consumer, landing, replay);
            }
            (ConsumerAct::Land(landing), Consumer::Writing { deed, write, .. }) => {
                self.land(world, consumer, landing, deed, write);
            }
            (ConsumerAct::Call, Consumer::Holding { hold, .. }) => self.call(world, consumer, hold),
            (ConsumerAct::ConnectFails, Consumer::Holding { hold, .. }) => {
                self.answered(world, consumer, hold, Reply::ConnectFailed);
            }
            (ConsumerAct::Read, Consumer::Calling { hold, reply: Some(reply), .. }) => {
                self.answered(world, consumer, hold, reply);
            }
            (ConsumerAct::TimeOut, Consumer::Calling { hold, .. }) => {
                self.answered(world, consumer, hold, Reply::Unclear);
            }
            (ConsumerAct::Crash, _) => world.let_go(consumer),
            (_, _) => {}
        }
    }

    /// The claim that has not read the item. It depends on nothing but what stands there when it arrives, so that its
    /// way takes no step of its own.
    fn first_claim(&self, world: &mut World, consumer: u8, landing: Landing, replay: bool) {
        let clock = self.clock(Who::Consumer(consumer));
        let lease = clock + self.lease_ticks();
        let before = self.payment(world, &world.item);
        let claim = SendClaim {
            payment_id: before.id.clone(),
            merchant: before.order.merchant.clone(),
            claim: Holder::Consumer(consumer).id(),
            lease_until: at(lease),
            now: at(clock),
            first_sent_after: at(clock).minus_ms(self.policy.sure_key_window_ms()),
            nonce: Nonce::from_bits(1),
        };
        let Some(after) = (self.rules.claim)(&claim, &before, &self.policy) else {
            self.claim_other(world, consumer, lease, replay);
            return;
        };
        if after.version != before.version + 1 || after.nonce == before.nonce {
            world.broke(Broken::VersionKept);
        }
        world.write(self.item(after));
        world.consumers[usize::from(consumer)] = match landing {
            Landing::Answered | Landing::ThenDies => {
                Consumer::Holding { hold: Hold { to_send: true, lease, fresh: true }, age: 0 }
            }
            Landing::AnswerLost => Consumer::Writing { deed: Deed::Claim(lease), write: Write::Applied, age: 0 },
        };
    }

    /// What stands there is not as simple as a first attempt: it is decided on. A person's replay comes first.
    fn claim_other(&self, world: &mut World, consumer: u8, lease: Ticks, replay: bool) {
        if self.is_replay(&world.item, replay) {
            self.decide_on(world, consumer, Deed::Replay(lease));
        } else {
            self.decide_on(world, consumer, Deed::Claim(lease));
        }
    }

    /// Decides on what stands there, and sends the write off.
    fn decide_on(&self, world: &mut World, consumer: u8, deed: Deed) {
        match (self.decide(world, deed, Who::Consumer(consumer)), deed) {
            (Ok(_), _) => {
                let age = world.consumers[usize::from(consumer)].age();
                world.consumers[usize::from(consumer)] = Consumer::Writing { deed, write: Write::Going, age };
            }
            (Err(_), Deed::Replay(lease)) => self.decide_on(world, consumer, Deed::Claim(lease)),
            (Err(kept), _) => Self::conclude(world, consumer, Some(kept)),
        }
    }

    /// A decision arrives at the table, which takes it if the version that it requires still stands.
    fn land(&self, world: &mut World, consumer: u8, landing: Landing, deed: Deed, write: Write) {
        match write {
            // What stands there came with the refusal.
            Write::Stale => {
                self.decide_on(world, consumer, deed);
                return;
            }
            Write::Going => {
                let next = self.decide(world, deed, Who::Consumer(consumer));
                world.write(next.expect("it was decided on the same"));
                match landing {
                    Landing::Answered => {}
                    Landing::AnswerLost => {
                        let (write, age) = (Write::Applied, world.consumers[usize::from(consumer)].age());
                        world.consumers[usize::from(consumer)] = Consumer::Writing { deed, write, age };
                        return;
                    }
                    Landing::ThenDies => {
                        world.let_go(consumer);
                        return;
                    }
                }
            }
            Write::Applied => {}
        }
        match deed {
            Deed::Replay(lease) => self.decide_on(world, consumer, Deed::Claim(lease)),
            Deed::Claim(_) => match world.item.claim {
                Some(claim) if claim.holder == Holder::Consumer(consumer) && world.item.state == State::Sending => {
                    let hold = Hold { to_send: claim.from == State::Queued, lease: claim.lease, fresh: true };
                    let age = world.consumers[usize::from(consumer)].age();
                    world.consumers[usize::from(consumer)] = Consumer::Holding { hold, age };
                }
                Some(_) | None => Self::conclude(world, consumer, None),
            },
            Deed::Sent(_) | Deed::Asked(_) | Deed::DeadLettered | Deed::Heal | Deed::Cancel | Deed::CalledBack(_) => {
                Self::conclude(world, consumer, None);
            }
        }
    }

    /// The last look, and the request's first byte: nothing is awaited in between.
    fn call(&self, world: &mut World, consumer: u8, hold: Hold) {
        let now = at(self.clock(Who::Consumer(consumer)));
        let too_late_to_pay = hold.to_send && self.payment(world, &world.item).is_expired(now);
        if now > (self.rules.latest_write)(&self.policy, at(hold.lease)) || too_late_to_pay {
            self.answered(world, consumer, hold, Reply::NotWritten);
            return;
        }
        if hold.to_send {
            self.write_request(world, consumer);
        }
        let age = world.consumers[usize::from(consumer)].age();
        // The lease is asked for no more.
        let hold = Hold { lease: 0, ..hold };
        world.consumers[usize::from(consumer)] = Consumer::Calling { hold, reply: None, age };
    }

    fn write_request(&self, world: &mut World, consumer: u8) {
        let provider = world.provider;
        if provider.book != Book::Nothing {
            world.broke(Broken::SentAgain);
        }
        if provider.request.is_some() {
            world.broke(Broken::SentWhileUnderWay);
        }
        if provider.key_age.is_some_and(|age| age >= self.bounds.key_window) {
            world.broke(Broken::SentPastKeyWindow);
        }
        let first = provider.key_age.is_none();
        world.provider.key_age = provider.key_age.or(Some(0));
        world.provider.request = Some(Request { left: self.bounds.absence, by: Some(consumer), first });
    }

    /// Settles. Nobody waits for the request any more; it may arrive all the same.
    fn answered(&self, world: &mut World, consumer: u8, hold: Hold, reply: Reply) {
        world.waits_no_longer(consumer);
        let deed = if hold.to_send { Deed::Sent(reply) } else { Deed::Asked(reply) };
        if hold.fresh {
            self.decide_on(world, consumer, deed);
            if !matches!(world.consumers[usize::from(consumer)], Consumer::Writing { .. }) {
                world.broke(Broken::AnswerDropped);
            }
        } else {
            let age = world.consumers[usize::from(consumer)].age();
            world.consumers[usize::from(consumer)] = Consumer::Writing { deed, write: Write::Stale, age };
        }
    }

    /// What becomes of the message: it is deleted if the payment has ended, and else comes again. An end is for ever, so
    /// that the deletion takes no step of its own; who dies before it leaves a message that is deleted later.
    fn conclude(world: &mut World, consumer: u8, kept: Option<Kept>) {
        world.let_go(consumer);
        let lease_held = matches!(kept, Some(Kept::LeaseHeld { .. }));
        if Self::is_needless(&world.item) && !lease_held {
            // Which one is deleted makes no difference any more.
            let in_lane = |message: &Option<crate::world::Message>| message.is_some_and(|it| it.place == Place::Lane);
            if let Some(place) = world.messages.iter().position(in_lane) {
                world.forget(place);
            }
        }
    }

    fn is_needless(item: &Item) -> bool {
        item.state.is_terminal()
    }
}
