//! The triage of dead letters, step by step as `dead_letter` does it; and the queues' and a person's own steps.

use payments::payment::State;
use payments::transition::Kept;
use payments::transition::triage::Triage;

use crate::action::{Action, DeadLetterAct, Landing, MessageAct};
use crate::item::{MessageId, at};
use crate::payment_model::{PaymentModel, Who};
use crate::world::{Broken, DeadLetter, Deed, Hand, Message, Place, World, Write};

impl PaymentModel {
    pub(crate) fn dead_letter_actions(&self, world: &World, actions: &mut Vec<Action>) {
        let mut may = |act| actions.push(Action::DeadLetter(act));
        match world.dead_letter {
            DeadLetter::Idle => {
                for place in 0..self.bounds.messages {
                    if world.messages[usize::from(place)].is_some_and(|it| it.place == Place::DeadLetters) {
                        may(DeadLetterAct::Receive(place));
                    }
                }
                return;
            }
            DeadLetter::Writing { write, .. } => {
                may(DeadLetterAct::Land(Landing::Answered));
                if write == Write::Going {
                    may(DeadLetterAct::Land(Landing::ThenDies));
                    if self.bounds.lost_answers > 0 {
                        may(DeadLetterAct::Land(Landing::AnswerLost));
                    }
                }
            }
            DeadLetter::Sending { .. } => {
                may(DeadLetterAct::Send);
                if world.has_room(&self.bounds) {
                    may(DeadLetterAct::SendThenDie);
                }
            }
        }
        may(DeadLetterAct::Crash);
    }

    pub(crate) fn dead_letter(&self, world: &mut World, act: DeadLetterAct) {
        match (act, world.dead_letter) {
            (DeadLetterAct::Receive(place), DeadLetter::Idle) => {
                if let Some(Message { replay, before_heal, .. }) = world.messages[usize::from(place)] {
                    let hand = Hand { id: MessageId::At(place), replay, before_heal };
                    self.judge(world, hand, Deed::DeadLettered);
                }
            }
            (DeadLetterAct::Land(landing), DeadLetter::Writing { hand, deed, write }) => {
                self.land_judgement(world, landing, hand, deed, write);
            }
            (DeadLetterAct::Send, DeadLetter::Sending { hand }) => {
                if !world.has_room(&self.bounds)
                    && let MessageId::At(place) = hand.id
                {
                    // The new one has the room of the one that it replaces.
                    world.forget(usize::from(place));
                    world.send(&self.bounds);
                    world.let_go_of_dead_letter();
                    return;
                }
                world.send(&self.bounds);
                if let DeadLetter::Sending { hand } = world.dead_letter {
                    self.done(world, hand, false);
                }
            }
            (DeadLetterAct::SendThenDie, DeadLetter::Sending { .. }) => {
                world.send(&self.bounds);
                world.let_go_of_dead_letter();
            }
            (DeadLetterAct::Crash, _) => world.let_go_of_dead_letter(),
            (_, _) => {}
        }
    }

    fn land_judgement(&self, world: &mut World, landing: Landing, hand: Hand, deed: Deed, write: Write) {
        match write {
            Write::Stale => {
                self.judge(world, hand, deed);
                return;
            }
            Write::Going => {
                let next = self.decide(world, deed, Who::DeadLetter(hand));
                world.write(next.expect("it was decided on the same"));
                match landing {
                    Landing::Answered => {}
                    Landing::AnswerLost => {
                        if let DeadLetter::Writing { write, .. } = &mut world.dead_letter {
                            *write = Write::Applied;
                        }
                        return;
                    }
                    Landing::ThenDies => {
                        world.let_go_of_dead_letter();
                        return;
                    }
                }
            }
            Write::Applied => {}
        }
        // The message in hand is older than the heal from now on.
        let DeadLetter::Writing { hand, .. } = world.dead_letter else { return };
        match deed {
            Deed::Replay(_) => self.judge(world, hand, Deed::Heal),
            Deed::Heal => world.dead_letter = DeadLetter::Sending { hand },
            Deed::DeadLettered
            | Deed::Claim(_)
            | Deed::Sent(_)
            | Deed::Asked(_)
            | Deed::Cancel
            | Deed::CalledBack(_) => self.follow(world, hand),
        }
    }

    /// Decides on what stands there, and sends the write off.
    fn judge(&self, world: &mut World, hand: Hand, deed: Deed) {
        match (self.decide(world, deed, Who::DeadLetter(hand)), deed) {
            (Ok(_), _) => world.dead_letter = DeadLetter::Writing { hand, deed, write: Write::Going },
            (Err(Kept::Ended), Deed::Replay(_)) => self.done(world, hand, false),
            // Somebody else has just taken it up, and may die before it has put the message back.
            (Err(_), Deed::Replay(_)) => self.judge(world, hand, Deed::Heal),
            // It was parked in the meantime: so should this message be.
            (Err(Kept::Parked), Deed::Heal) => Self::pass_on(world, hand),
            (Err(kept), Deed::Heal) => self.done(world, hand, kept == Kept::HealsUsedUp),
            (Err(_), _) => self.follow(world, hand),
        }
    }

    /// Does what the item says.
    fn follow(&self, world: &mut World, hand: Hand) {
        let payment = self.payment(world, &world.item);
        match (self.rules.triage)(&payment, self.is_replay(&world.item, hand.replay), at(0)) {
            Triage::Heal => self.judge(world, hand, Deed::Heal),
            Triage::Hide { .. } => world.let_go_of_dead_letter(),
            Triage::PassOn => Self::pass_on(world, hand),
            Triage::Drop => self.done(world, hand, false),
            Triage::Replay => self.judge(world, hand, Deed::Replay(0)),
        }
    }

    /// It is failed on, so that the DLQ's own redrive policy takes it where people look.
    fn pass_on(world: &mut World, hand: Hand) {
        if let MessageId::At(place) = hand.id
            && let Some(message) = &mut world.messages[usize::from(place)]
            && message.place == Place::DeadLetters
        {
            message.place = Place::Parked;
        }
        world.let_go_of_dead_letter();
    }

    /// Deletes its message. The deletion takes no step of its own: the end, or the other message, that makes it needless
    /// does not go away, and who dies before it has done nothing that a second look does not do again. `used_up`: no heal
    /// is left, and from here on the sweep is answerable.
    fn done(&self, world: &mut World, hand: Hand, used_up: bool) {
        world.let_go_of_dead_letter();
        let MessageId::At(place) = hand.id else { return };
        let place = usize::from(place);
        // What has been moved meanwhile is another queue's: this receipt does not delete it.
        if world.messages[place].is_some_and(|message| message.place == Place::DeadLetters) {
            let another = world.messages.iter().flatten().count() > 1;
            let ended = world.item.state.is_terminal();
            let no_heal_left = used_up && world.item.heal.is_some_and(|heal| heal.times >= self.bounds.heals.max(1));
            if !ended && !another && !no_heal_left {
                world.broke(Broken::DeletedEarly);
            }
            world.forget(place);
        }
    }

    pub(crate) fn message_actions(&self, world: &World, actions: &mut Vec<Action>) {
        for place in 0..self.bounds.messages {
            let Some(message) = world.messages[usize::from(place)] else { continue };
            let may_move = world.replays > 0 && (world.item.state == State::Parked || self.bounds.moves_of_open > 0);
            let mut may = |act| actions.push(Action::Message(act));
            match message.place {
                Place::Lane => {
                    if self.bounds.dead_letters > 0 {
                        may(MessageAct::Redrive(place));
                    }
                }
                Place::DeadLetters => {
                    // Received too often without having been failed on, as one that was hidden again and again.
                    if self.bounds.strays > 0 {
                        may(MessageAct::Redrive(place));
                    }
                    if may_move {
                        may(MessageAct::Move(place, Place::Lane));
                    }
                }
                Place::Parked => {
                    if may_move {
                        may(MessageAct::Move(place, Place::Lane));
                        may(MessageAct::Move(place, Place::DeadLetters));
                    }
                }
            }
        }
    }

    pub(crate) fn message(world: &mut World, act: MessageAct) {
        match act {
            MessageAct::Redrive(place) => {
                if let Some(message) = &mut world.messages[usize::from(place)] {
                    message.place = match message.place {
                        Place::Lane => Place::DeadLetters,
                        Place::DeadLetters | Place::Parked => Place::Parked,
                    };
                }
            }
            // A move gives the message a new id and a new time of sending.
            MessageAct::Move(place, to) => {
                let slot = usize::from(place);
                let Some(message) = world.messages[slot] else { return };
                world.forget(slot);
                let replay = world.item.state == State::Parked;
                world.messages[slot] = Some(Message { place: to, replay, ..message });
                world.replays -= 1;
            }
        }
    }
}
