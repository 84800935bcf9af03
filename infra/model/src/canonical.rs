//! One form for all states that nothing can tell apart: fewer states, the same steps.

use payments::payment::State;

use crate::bounds::Bounds;
use crate::item::{Holder, Item, MessageId};
use crate::world::{Book, Message, ROOM, World, message_id};

impl World {
    /// Gives states that nothing can tell apart the same form.
    pub(crate) fn settle(&mut self, bounds: &Bounds) {
        let ended = self.item.state.is_terminal();
        if ended {
            // What is decided about an end depends on the state and on whether a case is open.
            let Item { state, late_success, claim, .. } = self.item;
            self.item = Item { claim, late_success, ..Item::ended(state) };
            (self.replays, self.cancels) = (0, 0);
        }
        // Only of a parked payment is it asked whether a person put the message back; parking it again forgets it.
        if self.item.state != State::Parked {
            self.each_message(|replay, _| *replay = false);
        }
        let pause = self.item.heal.is_some_and(|heal| heal.just_now && heal.replaced.is_some());
        if !pause {
            self.each_message(|_, before_heal| *before_heal = false);
            if let Some(heal) = &mut self.item.heal {
                heal.just_now = false;
                heal.replaced = heal.replaced.filter(|id| *id != MessageId::Gone);
            }
        }
        // To send once more what the provider has is a violation with or without its memory of the key.
        if self.provider.book != Book::Nothing {
            self.provider.key_age = None;
        }
        if let Some(request) = &mut self.provider.request {
            // Only a 429 asks whether it was the first, and comes at once.
            request.first &= request.by.is_some() && request.left == bounds.absence;
        }
        self.sort_messages();
        if bounds.consumers == 2 && bounds.skew == 0 && self.consumers[0] > self.consumers[1] {
            self.swap_consumers();
        }
    }

    fn sort_messages(&mut self) {
        for _ in 1..ROOM {
            for place in 1..ROOM {
                // Messages first, so that `None` is last.
                let key = |message: Option<Message>| (message.is_none(), message);
                if key(self.messages[place]) < key(self.messages[place - 1]) {
                    self.messages.swap(place - 1, place);
                    let (left, right) = (message_id(place - 1), message_id(place));
                    self.rename(left, MessageId::Moving);
                    self.rename(right, left);
                    self.rename(MessageId::Moving, right);
                }
            }
        }
    }

    /// Consumers whose clocks agree are alike.
    fn swap_consumers(&mut self) {
        self.consumers.swap(0, 1);
        if let Some(claim) = &mut self.item.claim {
            claim.holder = match claim.holder {
                Holder::Consumer(consumer) => Holder::Consumer(1 - consumer),
                Holder::Nobody => Holder::Nobody,
            };
        }
        if let Some(request) = &mut self.provider.request {
            request.by = request.by.map(|by| 1 - by);
        }
    }
}
