//! The model: which steps there are in a state and where each leads. A step is one I/O or one passing of time; between
//! two steps of an actor anybody else may take theirs.

use std::sync::Mutex;

use ahash::AHashMap;
use payments::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use payments::backoff::Dice;
use payments::fingerprint::Fingerprint;
use payments::id::{MerchantId, Nonce, OrderId};
use payments::message::{LATE_SEND_MS, Message as Body};
use payments::money::{Currency, Money};
use payments::payment::{Kind, Lane, Order, Payment, State};
use payments::policy::Policy;
use payments::transition::{Event, HEAL_PAUSE_MS, Kept, Moment, Replaced, Step};
use stateright::{Model, Property};

use crate::action::Action;
use crate::bounds::{Bounds, TICK_MS};
use crate::graph::Recorder;
use crate::item::{Holder, Item, Ticks, at};
use crate::properties;
use crate::rules::Rules;
use crate::world::{Broken, Deed, Hand, Reply, World};

/// One payment and everybody who may touch it.
#[derive(Debug)]
pub(crate) struct PaymentModel {
    pub(crate) bounds: Bounds,
    pub(crate) rules: Rules,
    pub(crate) policy: Policy,
    template: Payment,
    /// What was decided so far: the rules have no clock, no dice and no memory, so each question is asked once.
    decided: Mutex<AHashMap<Question, Result<Item, Kept>>>,
    pub(crate) recorder: Mutex<Recorder>,
}

/// Who decides, and so by which clock and under which claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    Consumer(u8),
    DeadLetter(Hand),
    Desk,
}

/// All that a decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Question {
    item: Item,
    expires: Option<Ticks>,
    deed: Deed,
    who: Who,
}

impl PaymentModel {
    /// A model within these bounds, of these rules.
    pub(crate) fn new(bounds: Bounds, rules: Rules) -> Self {
        let merchant = MerchantId::new("merchant").expect("an id");
        let currency = Currency::new("EUR").expect("a currency");
        let order = Order {
            merchant,
            kind: Kind::Charge,
            order_id: OrderId::new("order").expect("an id"),
            money: Money::new(100, currency).expect("an amount"),
            payment_method: None,
            customer: None,
            description: None,
            metadata: std::collections::BTreeMap::new(),
            lane: Lane::Standard,
            expires_at: None,
            refund_of: None,
            idempotency_key: None,
        };
        let fingerprint = Fingerprint::of([]);
        let policy = bounds.policy();
        let moment = Moment {
            now: at(0),
            nonce: Nonce::from_bits(0),
            dice: Dice(0),
            history_keys: Some(&policy.history_keys),
            policy: &policy,
        };
        let template = Payment::accepted(order, fingerprint, &moment);
        Self { bounds, rules, policy, template, decided: Mutex::default(), recorder: Mutex::default() }
    }

    /// What the clock of a consumer says.
    pub(crate) fn clock(&self, who: Who) -> Ticks {
        match who {
            Who::Consumer(1) => Ticks::try_from(self.bounds.skew).expect("a bound is small"),
            Who::Consumer(_) | Who::DeadLetter(_) | Who::Desk => 0,
        }
    }

    pub(crate) fn lease_ticks(&self) -> Ticks {
        Ticks::try_from(self.bounds.lease).expect("a bound is small")
    }

    pub(crate) fn payment(&self, world: &World, item: &Item) -> Payment {
        item.payment(&self.template, world.expires)
    }

    pub(crate) fn item(&self, payment: Payment) -> Item {
        self.settled(Item::of(payment, self.bounds.heals))
    }

    /// Times that are so long ago that no comparison can tell them from earlier ones, whose clock is ever asked.
    pub(crate) fn settled(&self, mut item: Item) -> Item {
        let floor = |ms: u64| -Ticks::try_from(ms / TICK_MS).expect("a bound is small");
        let mut earliest = floor(self.policy.absence_proof_ms());
        if let Some(claim) = &mut item.claim {
            claim.lease = claim.lease.max(0);
            if claim.from == State::Queued || claim.holder == Holder::Nobody {
                claim.claimed = 0;
            }
            // Long ago is long before the claim, as long as that counts.
            earliest += claim.claimed.min(0);
        }
        item.first_sent = item.first_sent.map(|at| at.max(floor(self.policy.sure_key_window_ms())));
        item.written_until = item.written_until.map(|at| at.max(earliest));
        item
    }

    /// Asks the transition function what becomes of what stands there.
    pub(crate) fn decide(&self, world: &mut World, deed: Deed, who: Who) -> Result<Item, Kept> {
        let question = Question { item: world.item, expires: world.expires, deed, who };
        if let Some(decision) = self.decided.lock().expect("one thread").get(&question) {
            return *decision;
        }
        let decision = self.ask_the_rules(world, deed, who);
        if world.broken.is_none() {
            self.decided.lock().expect("one thread").insert(question, decision);
        }
        decision
    }

    fn ask_the_rules(&self, world: &mut World, deed: Deed, who: Who) -> Result<Item, Kept> {
        let before = self.payment(world, &world.item);
        let now = at(self.clock(who));
        let moment = Moment {
            now,
            nonce: Nonce::from_bits(1),
            dice: Dice(0),
            policy: &self.policy,
            history_keys: Some(&self.policy.history_keys),
        };
        let holder = match who {
            Who::Consumer(consumer) => Holder::Consumer(consumer),
            Who::DeadLetter(_) | Who::Desk => Holder::Nobody,
        };
        let claim = &holder.id();
        let (send, query, found);
        let event = match deed {
            Deed::Claim(lease) => Event::Claim { id: claim.clone(), lease_until: at(lease) },
            Deed::Sent(reply) => {
                send = send_answer(reply);
                Event::SendAnswered { claim, answer: &send }
            }
            Deed::Asked(reply) => {
                query = query_answer(reply);
                Event::QueryAnswered { claim, answer: &query }
            }
            Deed::CalledBack(reply) => {
                found = found_by(reply).expect("a callback says what became of it");
                Event::CalledBack(&found)
            }
            Deed::Replay(_) => Event::Replay,
            Deed::DeadLettered => Event::DeadLettered,
            Deed::Cancel => Event::Cancel,
            Deed::Heal => Event::Heal {
                replaces: match who {
                    Who::DeadLetter(hand) => Some(replaced(&before, hand)),
                    Who::Consumer(_) | Who::Desk => None,
                },
            },
        };
        match (self.rules.transition)(&before, &event, &moment) {
            Step::Change(after) => {
                if after.version != before.version + 1 || after.nonce == before.nonce {
                    world.broke(Broken::VersionKept);
                }
                Ok(self.item(*after))
            }
            Step::Keep(kept) => Err(kept),
        }
    }

    /// Whether a person put this message back, by the message's own comparison of its times.
    pub(crate) fn is_replay(&self, item: &Item, moved_since_parked: bool) -> bool {
        if item.state != State::Parked {
            return false;
        }
        let parked_at = at(0);
        // One that a person moved was written long before; one that was sent by us was written then.
        let sent_timestamp = if moved_since_parked { parked_at.plus_ms(1) } else { parked_at };
        let sent_at = sent_timestamp.minus_ms(LATE_SEND_MS + 1);
        let Payment { id, order, .. } = &self.template;
        Body::new(id.clone(), order.merchant.clone(), sent_at).is_replay(sent_timestamp, parked_at)
    }
}

/// The message in hand, as a heal names it.
fn replaced(payment: &Payment, hand: Hand) -> Replaced<'static> {
    let healed_at = payment.heal.as_ref().map_or(at(0), |heal| heal.at);
    let sent_at = if hand.before_heal { healed_at.minus_ms(1) } else { healed_at };
    const { assert!(HEAL_PAUSE_MS <= TICK_MS, "a heal of another tick is past its pause") };
    Replaced { message_id: hand.id.text(), sent_at }
}

fn text() -> ProviderText {
    ProviderText::new("text")
}

fn found_by(reply: Reply) -> Option<Found> {
    match reply {
        Reply::Approved => Some(Found::Approved { reference: text() }),
        Reply::Accepted => Some(Found::Accepted { reference: None }),
        Reply::Declined => Some(Found::Declined { code: text() }),
        Reply::NotFound | Reply::RateLimited | Reply::ConnectFailed | Reply::NotWritten | Reply::Unclear => None,
    }
}

fn not_taken_by(reply: Reply) -> Option<NotTaken> {
    match reply {
        Reply::RateLimited => Some(NotTaken::RateLimited { retry_after_ms: None }),
        Reply::ConnectFailed => Some(NotTaken::ConnectFailed),
        Reply::NotWritten => Some(NotTaken::NotWritten),
        Reply::Approved | Reply::Accepted | Reply::Declined | Reply::NotFound | Reply::Unclear => None,
    }
}

fn send_answer(reply: Reply) -> SendAnswer {
    let found = found_by(reply).map(SendAnswer::Found);
    let not_taken = not_taken_by(reply).map(SendAnswer::NotTaken);
    found.or(not_taken).unwrap_or(SendAnswer::Unclear(Unclear::TimedOut))
}

fn query_answer(reply: Reply) -> QueryAnswer {
    if reply == Reply::NotFound {
        return QueryAnswer::NotFound;
    }
    let found = found_by(reply).map(QueryAnswer::Found);
    let not_taken = not_taken_by(reply).map(QueryAnswer::NotTaken);
    found.or(not_taken).unwrap_or(QueryAnswer::Unclear(Unclear::TimedOut))
}

impl Model for PaymentModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let worlds = vec![World::new(&self.bounds, true), World::new(&self.bounds, false)];
        self.recorder.lock().expect("one thread").begins(&worlds);
        worlds
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        self.recorder.lock().expect("one thread").looks_at(world);
        if world.broken.is_some() {
            return;
        }
        for consumer in 0..self.bounds.consumers {
            self.consumer_actions(world, consumer, actions);
        }
        self.dead_letter_actions(world, actions);
        self.desk_actions(world, actions);
        self.message_actions(world, actions);
        self.provider_actions(world, actions);
        if Self::may_tick(world) {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = *last;
        self.take(&mut world, action);
        world.item = self.settled(world.item);
        world.settle(&self.bounds);
        if world == *last {
            return None;
        }
        self.recorder.lock().expect("one thread").leads_to(&world);
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl PaymentModel {
    fn take(&self, world: &mut World, action: Action) {
        match action {
            Action::Consumer(consumer, act) => self.consumer(world, consumer, act),
            Action::DeadLetter(act) => self.dead_letter(world, act),
            Action::Desk(act) => self.desk(world, act),
            Action::Message(act) => Self::message(world, act),
            Action::Provider(act) => self.provider(world, act),
            Action::Tick => self.tick(world),
        }
    }
}
