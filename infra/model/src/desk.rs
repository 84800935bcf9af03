//! Whoever decides without a message: the merchant who takes the payment back, the provider's callback, and the sweep.

use crate::action::{Action, DeskAct, Landing};
use crate::payment_model::{PaymentModel, Who};
use crate::world::{Book, Consumer, DeadLetter, Deed, Desk, Place, Reply, World, Write};

impl PaymentModel {
    pub(crate) fn desk_actions(&self, world: &World, actions: &mut Vec<Action>) {
        let mut may = |act| actions.push(Action::Desk(act));
        match world.desk {
            Desk::Idle => {
                if world.cancels > 0 {
                    may(DeskAct::Cancel);
                }
                if world.callbacks > 0 && Self::known(world) != Reply::NotFound {
                    may(DeskAct::CallBack);
                }
                // The sweep waits until nothing was heard for long; where it is mistaken, it adds a message to those
                // that are there, and one of them delivered again does the same.
                let waiting = |place| matches!(place, Place::Lane | Place::DeadLetters);
                let has_message = world.messages.iter().flatten().any(|message| waiting(message.place));
                // It counts from the end of a lease.
                let is_held = world.item.claim.is_some_and(|claim| claim.lease > 0);
                let is_at_work = world.dead_letter != DeadLetter::Idle
                    || world.consumers.iter().any(|consumer| *consumer != Consumer::Idle);
                let is_quiet = !has_message && !is_held && !is_at_work;
                if !world.has_ended() && (is_quiet || (self.bounds.early_sweeps > 0 && !has_message)) {
                    may(DeskAct::Sweep);
                }
                return;
            }
            Desk::Writing { write, .. } => {
                may(DeskAct::Land(Landing::Answered));
                if self.bounds.lost_answers > 0 && write == Write::Going {
                    may(DeskAct::Land(Landing::AnswerLost));
                }
            }
            Desk::Sending => may(DeskAct::Send),
        }
        may(DeskAct::Crash);
    }

    pub(crate) fn desk(&self, world: &mut World, act: DeskAct) {
        match (act, world.desk) {
            (DeskAct::Cancel, Desk::Idle) => {
                world.cancels -= 1;
                self.ask(world, Deed::Cancel);
            }
            (DeskAct::CallBack, Desk::Idle) => {
                world.callbacks -= 1;
                self.ask(world, Deed::CalledBack(Self::known(world)));
            }
            (DeskAct::Sweep, Desk::Idle) => self.ask(world, Deed::Heal),
            (DeskAct::Land(landing), Desk::Writing { deed, write }) => {
                match write {
                    Write::Stale => {
                        self.ask(world, deed);
                        return;
                    }
                    Write::Going => {
                        let next = self.decide(world, deed, Who::Desk);
                        world.write(next.expect("it was decided on the same"));
                        if landing == Landing::AnswerLost {
                            world.desk = Desk::Writing { deed, write: Write::Applied };
                            return;
                        }
                    }
                    Write::Applied => {}
                }
                world.desk = if deed == Deed::Heal { Desk::Sending } else { Desk::Idle };
            }
            (DeskAct::Send, Desk::Sending) => {
                world.send(&self.bounds);
                world.desk = Desk::Idle;
            }
            (DeskAct::Crash, _) => world.desk = Desk::Idle,
            (_, _) => {}
        }
    }

    fn ask(&self, world: &mut World, deed: Deed) {
        world.desk = match self.decide(world, deed, Who::Desk) {
            Ok(_) => Desk::Writing { deed, write: Write::Going },
            Err(_) => Desk::Idle,
        };
    }

    /// What the provider truthfully says now.
    pub(crate) fn known(world: &World) -> Reply {
        match world.provider.book {
            Book::Nothing | Book::Vanished => Reply::NotFound,
            Book::Pending => Reply::Accepted,
            Book::Done => Reply::Approved,
            Book::Declined => Reply::Declined,
        }
    }
}
