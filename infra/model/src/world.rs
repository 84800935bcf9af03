//! One state of the model: the item, the payment's messages, whoever works on it, the provider, and what is left of the
//! bounds. It is small and copied whole; nothing in it counts up for ever.

use payments::payment::State;

use crate::bounds::Bounds;
use crate::item::{Held, Holder, Item, MessageId, Ticks};

/// Most messages that a state has room for.
pub(crate) const ROOM: usize = 3;

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In its lane; also while a consumer works on it, because it may be delivered again at any time.
    Lane,
    /// In the DLQ; also while it is judged.
    DeadLetters,
    /// In the queue where people look.
    Parked,
}

/// A message: where it is, and its two times by what they are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Message {
    pub(crate) place: Place,
    /// A person put it there after the payment was parked last.
    pub(crate) replay: bool,
    /// It was written before the last heal.
    pub(crate) before_heal: bool,
}

/// What the provider says, or what is known without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Reply {
    Approved,
    Accepted,
    Declined,
    NotFound,
    /// 429.
    RateLimited,
    ConnectFailed,
    /// It was too late to write.
    NotWritten,
    /// Time-out, reset, 5xx.
    Unclear,
}

/// What somebody decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// Take a claim, until then.
    Claim(Ticks),
    /// The send under this consumer's claim was answered.
    Sent(Reply),
    /// The query under this consumer's claim was answered.
    Asked(Reply),
    /// A person put it back; a consumer goes on to claim it, until then.
    Replay(Ticks),
    DeadLettered,
    Heal,
    Cancel,
    CalledBack(Reply),
}

/// A conditional write on its way. What it writes is not kept: as long as the version that it requires still stands, the
/// decision can be made again from what stands there, at the same time, to the same end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Write {
    /// The version that it requires still stands.
    Going,
    /// It was carried out, its answer was lost, and it is on its way again; its own nonce still stands.
    Applied,
    /// Somebody else wrote since, so it will be refused.
    Stale,
}

/// A consumer, with the ticks since it took up its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Consumer {
    Idle,
    /// A decision is on its way to the table.
    Writing {
        deed: Deed,
        write: Write,
        age: u8,
    },
    /// Holds a claim; nothing was written to the provider yet.
    Holding {
        hold: Hold,
        age: u8,
    },
    /// Waits for the provider.
    Calling {
        hold: Hold,
        /// What has come, but was not read yet.
        reply: Option<Reply>,
        age: u8,
    },
}

/// What a consumer knows of its claim. As long as nobody else wrote, what it has read is what stands there; from then on
/// nothing but this matters of it, because each settling under one's own claim writes something, and is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Hold {
    pub(crate) to_send: bool,
    pub(crate) lease: Ticks,
    /// What it has read still stands.
    pub(crate) fresh: bool,
}

/// A message in the hands of the triage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Hand {
    pub(crate) id: MessageId,
    pub(crate) replay: bool,
    pub(crate) before_heal: bool,
}

/// The triage of dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum DeadLetter {
    Idle,
    /// A decision is on its way.
    Writing {
        hand: Hand,
        deed: Deed,
        write: Write,
    },
    /// The heal is written down; its message is on its way.
    Sending {
        hand: Hand,
    },
}

/// Whoever decides without a message: the merchant's request, the provider's callback, the sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Desk {
    Idle,
    /// A decision is on its way.
    Writing {
        deed: Deed,
        write: Write,
    },
    /// The sweep's heal is written down; its message is on its way.
    Sending,
}

/// What the provider's ledger says of the payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Book {
    Nothing,
    /// It has it and will answer later.
    Pending,
    /// The same, but it says that it does not know it.
    Vanished,
    /// Money moved.
    Done,
    Declined,
}

/// A request that was written and may yet arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    /// Ticks, after this one, in which it may yet.
    pub(crate) left: u8,
    /// Who waits for its answer.
    pub(crate) by: Option<u8>,
    /// It was the first that carried the key.
    pub(crate) first: bool,
}

/// The provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Provider {
    pub(crate) book: Book,
    /// How often money moved; two stands for more.
    pub(crate) effects: u8,
    /// The request on its way. A second one beside it is a violation, and nothing is explored beyond that.
    pub(crate) request: Option<Request>,
    /// Ticks since the key was first used, up to the key window.
    pub(crate) key_age: Option<u8>,
}

/// What was seen to go wrong in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Broken {
    /// A request was written although the provider had it.
    SentAgain,
    /// A request was written although an earlier one may yet arrive.
    SentWhileUnderWay,
    /// A request was written after the provider may have forgotten the key.
    SentPastKeyWindow,
    /// A terminal state was changed.
    EndChanged,
    /// A message was deleted that was still needed.
    DeletedEarly,
    /// An answer under a claim that stood was not written down.
    AnswerDropped,
    /// A decision did not raise the version by one, or left another's nonce.
    VersionKept,
}

/// A state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) item: Item,
    /// Ticks until the payment's own time is over.
    pub(crate) expires: Option<Ticks>,
    pub(crate) messages: [Option<Message>; ROOM],
    pub(crate) consumers: [Consumer; 2],
    pub(crate) dead_letter: DeadLetter,
    pub(crate) desk: Desk,
    pub(crate) provider: Provider,
    /// Moves that a person may yet make.
    pub(crate) replays: u8,
    /// Times that the merchant may yet take it back.
    pub(crate) cancels: u8,
    /// Times that the provider may yet call back.
    pub(crate) callbacks: u8,
    /// What went wrong in the step that led here.
    pub(crate) broken: Option<Broken>,
}

impl World {
    /// A payment that was just written down, with its message or without.
    pub(crate) fn new(bounds: &Bounds, sent: bool) -> Self {
        let mut world = Self {
            item: Item {
                state: State::Queued,
                attempts: 0,
                attempts_left: bounds.attempts,
                claim: None,
                first_sent: None,
                written_until: None,
                acknowledged: false,
                cancel_requested: false,
                heal: None,
                late_success: false,
            },
            expires: (bounds.expires > 0).then(|| Ticks::try_from(bounds.expires).expect("a bound is small")),
            messages: [None; ROOM],
            consumers: [Consumer::Idle; 2],
            dead_letter: DeadLetter::Idle,
            desk: Desk::Idle,
            provider: Provider { book: Book::Nothing, effects: 0, request: None, key_age: None },
            replays: bounds.replays,
            cancels: bounds.cancels,
            callbacks: bounds.callbacks,
            broken: None,
        };
        if sent {
            world.send(bounds);
        }
        world
    }

    /// Whether the payment has ended, or is in front of a person.
    pub(crate) fn has_ended(&self) -> bool {
        self.item.state.is_terminal() || self.item.state == State::Parked
    }

    /// Notes what went wrong; the first is kept.
    pub(crate) fn broke(&mut self, how: Broken) {
        self.broken = self.broken.or(Some(how));
    }

    /// Whether another message may be there: a place is free, or held by one in the `parked` queue, whose retention may
    /// be over at any time.
    pub(crate) fn has_room(&self, bounds: &Bounds) -> bool {
        self.room(bounds).is_some()
    }

    fn room(&self, bounds: &Bounds) -> Option<usize> {
        let room = &self.messages[..usize::from(bounds.messages)];
        let parked = |message: &Option<Message>| message.is_some_and(|message| message.place == Place::Parked);
        room.iter().position(Option::is_none).or_else(|| room.iter().position(parked))
    }

    /// Puts a message into the lane, if there is room. Where there is none, there are others.
    pub(crate) fn send(&mut self, bounds: &Bounds) {
        if let Some(place) = self.room(bounds) {
            self.forget(place);
            self.messages[place] = Some(Message { place: Place::Lane, replay: false, before_heal: false });
        }
    }

    /// Takes a message away, and with it what its id was known by.
    pub(crate) fn forget(&mut self, place: usize) {
        let id = message_id(place);
        self.messages[place] = None;
        let in_hand = self.dead_letter.hand().is_some_and(|hand| hand.id == id);
        self.rename(id, if in_hand { MessageId::InHand } else { MessageId::Gone });
    }

    /// Every mention of a message's id.
    pub(crate) fn rename(&mut self, old: MessageId, new: MessageId) {
        if let Some(heal) = &mut self.item.heal
            && heal.replaced == Some(old)
        {
            heal.replaced = Some(new);
        }
        if let Some(hand) = self.dead_letter.hand_mut()
            && hand.id == old
        {
            hand.id = new;
        }
    }

    /// The consumer has died or moved on: nobody waits for its request, and nobody has its claim any more.
    pub(crate) fn let_go(&mut self, consumer: u8) {
        self.consumers[usize::from(consumer)] = Consumer::Idle;
        self.waits_no_longer(consumer);
        if let Some(Held { holder, .. }) = &mut self.item.claim
            && *holder == Holder::Consumer(consumer)
        {
            *holder = Holder::Nobody;
        }
    }

    /// The consumer's request may arrive all the same.
    pub(crate) fn waits_no_longer(&mut self, consumer: u8) {
        if let Some(request) = &mut self.provider.request {
            request.by = request.by.filter(|by| *by != consumer);
        }
    }

    /// The triage has done with its message.
    pub(crate) fn let_go_of_dead_letter(&mut self) {
        self.dead_letter = DeadLetter::Idle;
        self.rename(MessageId::InHand, MessageId::Gone);
    }

    /// Writes the item: what anybody has read before is no longer what stands there.
    pub(crate) fn write(&mut self, next: Item) {
        let before = self.item;
        if before.state.is_terminal() {
            let allowed = Item { late_success: before.late_success || next.late_success, ..before };
            if next != allowed {
                self.broke(Broken::EndChanged);
            }
        }
        for consumer in &mut self.consumers {
            match consumer {
                Consumer::Idle => {}
                Consumer::Writing { write, .. } => *write = Write::Stale,
                Consumer::Holding { hold, .. } | Consumer::Calling { hold, .. } => hold.fresh = false,
            }
        }
        if let DeadLetter::Writing { write, .. } = &mut self.dead_letter {
            *write = Write::Stale;
        }
        if let Desk::Writing { write, .. } = &mut self.desk {
            *write = Write::Stale;
        }
        if next.state == State::Parked && before.state != State::Parked {
            self.each_message(|replay, _| *replay = false);
        }
        if next.heal != before.heal {
            self.each_message(|_, before_heal| *before_heal = true);
        }
        self.item = next;
    }

    /// The flags of every message, also of those in somebody's hands.
    pub(crate) fn each_message(&mut self, mut change: impl FnMut(&mut bool, &mut bool)) {
        for message in self.messages.iter_mut().flatten() {
            change(&mut message.replay, &mut message.before_heal);
        }
        if let Some(hand) = self.dead_letter.hand_mut() {
            change(&mut hand.replay, &mut hand.before_heal);
        }
    }
}

impl Consumer {
    pub(crate) fn age(self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::Writing { age, .. } | Self::Holding { age, .. } | Self::Calling { age, .. } => age,
        }
    }
}

impl DeadLetter {
    fn hand(self) -> Option<Hand> {
        match self {
            Self::Idle => None,
            Self::Writing { hand, .. } | Self::Sending { hand } => Some(hand),
        }
    }

    fn hand_mut(&mut self) -> Option<&mut Hand> {
        match self {
            Self::Idle => None,
            Self::Writing { hand, .. } | Self::Sending { hand } => Some(hand),
        }
    }
}

pub(crate) fn message_id(place: usize) -> MessageId {
    MessageId::At(u8::try_from(place).expect("few messages"))
}
