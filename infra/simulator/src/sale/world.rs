//! The ports of a sale: what stands in the tables and queues, kept so small that six million payments fit.
//!
//! A payment that waits for its first attempt is what its request, the time of its acceptance and the dice then made of
//! it, so only that time is kept and the core makes it anew. One that has ended is a number in a histogram.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pacing::gate::{GateAnswer, GateState, GateUpdate};
use payments::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use payments::id::PaymentId;
use payments::idempotency::{Binding, Bound};
use payments::merchant::{ApiKeyHash, Merchant};
use payments::message::Message;
use payments::payment::{Lane, Order, Payment, State};
use payments::policy::Policy;
use payments::request;
use payments::time::Timestamp;
use payments::write::{SendClaim, Written};
use ports::{
    ConnectError, Connection, GateStore, Merchants, PortError, Provider as ProviderPort, Queue, Source, Store,
    StoreError, Trace,
};
use tokio::sync::Notify;

use crate::sale::admission::Desk;
use crate::sale::measure::{ToldWaits, Waits};
use crate::sale::place::{Draws, Environment, Place};
use crate::sale::provider::{Provider, Said};
use crate::sale::queue::{self, Letter};
use crate::sale::shop::{Shop, number_of};
use crate::world::lock;

/// The first payments of a run are kept whole for a moment, to see that they are made anew to the letter.
const PROVED_BY: u32 = 1_000;

/// Where a payment stands.
#[derive(Debug)]
enum Standing {
    Absent,
    /// As it was accepted.
    Accepted {
        at_ms: u64,
    },
    Changed(Box<Payment>),
    Ended {
        accepted_at_ms: u64,
        state: State,
    },
}

/// What the table of payments holds, and what it has seen end.
#[derive(Debug)]
struct Table {
    standing: Vec<Standing>,
    numbers: HashMap<u64, u32>,
    waits: Waits,
    told: ToldWaits,
    ended: HashMap<State, u64>,
    attempts: u64,
    accepted: u64,
}

/// What became of the payments.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    pub(super) succeeded: u64,
    pub(super) ended: u64,
    pub(super) parked: u64,
    pub(super) attempts: u64,
}

/// Everything that AWS and the provider hold for us.
#[derive(Debug)]
pub(super) struct Services {
    seed: u64,
    pub(super) place: Arc<Place>,
    pub(super) shop: Arc<Shop>,
    policy: Policy,
    table: Arc<Mutex<Table>>,
    pub(super) gate: Mutex<Option<GateState>>,
    pub(super) desk: Desk,
    pub(super) gate_updates: Mutex<u64>,
    pub(super) gate_reads: Mutex<u64>,
    pub(super) lanes: [Mutex<queue::Lane>; 2],
    pub(super) sent: [Notify; 2],
    pub(super) provider: Arc<Mutex<Provider>>,
    /// Calls under way, and the most that there were.
    pub(super) at_once: Mutex<(u64, u64)>,
    /// When the provider was called from here, where that is counted apart.
    pub(super) calls_us: Option<Mutex<Vec<u64>>>,
}

/// A lane's place.
pub(super) const fn lane_index(lane: Lane) -> usize {
    match lane {
        Lane::High => 0,
        Lane::Standard => 1,
    }
}

impl Services {
    pub(super) fn new(
        seed: u64,
        place: &Arc<Place>,
        shop: &Arc<Shop>,
        policy: Policy,
        lane: queue::Numbers,
        provider: Provider,
    ) -> Arc<Self> {
        let payments = usize::try_from(shop.payments()).expect("as many as fit in memory");
        let groups = shop.sellers.len();
        let mut standing = Vec::with_capacity(payments);
        standing.resize_with(payments, || Standing::Absent);
        Arc::new(Self {
            seed,
            place: Arc::clone(place),
            shop: Arc::clone(shop),
            policy,
            table: Arc::new(Mutex::new(Table {
                standing,
                numbers: HashMap::with_capacity(payments),
                waits: Waits::new(groups),
                told: ToldWaits::new(payments, groups),
                ended: HashMap::new(),
                attempts: 0,
                accepted: 0,
            })),
            gate: Mutex::default(),
            desk: Desk::default(),
            gate_updates: Mutex::default(),
            gate_reads: Mutex::default(),
            lanes: [Mutex::new(queue::Lane::new(groups, lane)), Mutex::new(queue::Lane::new(groups, lane))],
            sent: [Notify::new(), Notify::new()],
            provider: Arc::new(Mutex::new(provider)),
            at_once: Mutex::default(),
            calls_us: None,
        })
    }

    /// Another deployment beside this one: the same merchants and provider, and queues and a gate of its own. Its payments
    /// are others', so that one table holds both.
    pub(super) fn another(&self, lane: queue::Numbers) -> Arc<Self> {
        let groups = self.shop.sellers.len();
        Arc::new(Self {
            seed: self.seed,
            place: Arc::clone(&self.place),
            shop: Arc::clone(&self.shop),
            policy: self.policy.clone(),
            table: Arc::clone(&self.table),
            gate: Mutex::default(),
            desk: Desk::default(),
            gate_updates: Mutex::default(),
            gate_reads: Mutex::default(),
            lanes: [Mutex::new(queue::Lane::new(groups, lane)), Mutex::new(queue::Lane::new(groups, lane))],
            sent: [Notify::new(), Notify::new()],
            provider: Arc::clone(&self.provider),
            at_once: Mutex::default(),
            calls_us: Some(Mutex::default()),
        })
    }

    /// A payment as it was accepted, once more.
    fn accepted(&self, number: u32, at_ms: u64) -> Payment {
        let purchase = self.shop.purchase(number);
        let merchant = &self.shop.sellers[purchase.merchant].record;
        let request = request::read(Shop::body(purchase).as_bytes(), merchant, None)
            .expect("what ingest took once can be read again");
        let draws = Draws::new(self.seed, number, at_ms);
        Payment::accepted(request.order, request.fingerprint, &ports::moment(&draws, &draws, &self.policy))
    }

    pub(super) fn message(&self, letter: Letter) -> Message {
        let purchase = self.shop.purchase(letter.number);
        let merchant = self.shop.sellers[purchase.merchant].record.merchant.clone();
        Message::new(self.shop.id(purchase), merchant, Timestamp::from_ms(letter.sent_ms))
    }

    pub(super) fn waits(&self) -> Waits {
        lock(&self.table).waits.clone()
    }

    /// The merchant was told how long it will take.
    pub(super) fn tell(&self, number: u32, seconds: Option<u32>) {
        lock(&self.table).told.tell(index(number), seconds);
    }

    pub(super) fn told(&self) -> ToldWaits {
        lock(&self.table).told.clone()
    }

    pub(super) fn books(&self) -> Books {
        let table = lock(&self.table);
        let standing = |wanted: State| {
            let is = |it: &&Standing| matches!(it, Standing::Changed(payment) if payment.state == wanted);
            u64::try_from(table.standing.iter().filter(is).count()).unwrap_or(u64::MAX)
        };
        Books {
            succeeded: table.ended.get(&State::Succeeded).copied().unwrap_or(0),
            ended: table.ended.values().sum(),
            parked: standing(State::Parked),
            attempts: table.attempts,
        }
    }

    pub(super) fn accepted_so_far(&self) -> u64 {
        lock(&self.table).accepted
    }
}

impl Table {
    fn stands(&self, number: u32, services: &Services) -> Option<Payment> {
        match &self.standing[index(number)] {
            Standing::Absent => None,
            Standing::Accepted { at_ms } => Some(services.accepted(number, *at_ms)),
            Standing::Changed(payment) => Some((**payment).clone()),
            // Enough to say that it has ended: an end takes nothing any more.
            Standing::Ended { accepted_at_ms, state } => {
                Some(Payment { state: *state, ..services.accepted(number, *accepted_at_ms) })
            }
        }
    }

    fn write(&mut self, number: u32, after: &Payment, services: &Services) {
        if !after.state.is_terminal() {
            self.standing[index(number)] = Standing::Changed(Box::new(after.clone()));
            return;
        }
        let accepted_at_ms = after.created_at.ms();
        self.standing[index(number)] = Standing::Ended { accepted_at_ms, state: after.state };
        *self.ended.entry(after.state).or_default() += 1;
        self.attempts += u64::from(after.attempts);
        let purchase = services.shop.purchase(number);
        let waited_ms = after.changed_at.since_ms(after.created_at);
        self.waits.add(purchase.merchant, purchase.lane, waited_ms);
        self.told.ended(index(number), purchase.merchant, purchase.lane, waited_ms);
    }
}

/// All ports, as one environment reaches them.
#[derive(Clone, Debug)]
pub(super) struct Ports {
    pub(super) services: Arc<Services>,
    environment: Environment,
}

impl Ports {
    pub(super) fn new(services: &Arc<Services>, environment: &Environment) -> Self {
        Self { services: Arc::clone(services), environment: environment.clone() }
    }

    pub(super) async fn call<T>(&self, effect: impl FnOnce() -> T) -> T {
        self.environment.place.call(effect).await
    }

    /// A call begins, and is under way as long as what is returned is kept.
    fn begins_call(&self) -> UnderWay {
        if let Some(calls_us) = &self.services.calls_us {
            lock(calls_us).push(self.services.place.elapsed_us());
        }
        let mut at_once = lock(&self.services.at_once);
        at_once.0 += 1;
        at_once.1 = at_once.1.max(at_once.0);
        UnderWay(Arc::clone(&self.services))
    }

    fn number(table: &Table, id: &PaymentId) -> Option<u32> {
        table.numbers.get(&short(id)).copied()
    }
}

/// A call that has not been answered or given up.
struct UnderWay(Arc<Services>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.0.at_once).0 -= 1;
    }
}

impl Store for Ports {
    async fn put(&self, payment: &Payment) -> Result<Written, StoreError> {
        let number = number_of(&payment.order.order_id);
        let written = self.call(|| {
            let mut table = lock(&self.services.table);
            if let Some(stands) = table.stands(number, &self.services) {
                return Written::Refused(Some(Box::new(stands)));
            }
            let at_ms = payment.created_at.ms();
            if number < PROVED_BY {
                let anew = self.services.accepted(number, at_ms);
                assert!(anew == *payment, "a payment made anew is another one: keep what its acceptance depends on");
            }
            table.standing[index(number)] = Standing::Accepted { at_ms };
            let before = table.numbers.insert(short(&payment.id), number);
            assert!(before.is_none(), "two payments have the same short id");
            table.accepted += 1;
            Written::Applied(Box::new(payment.clone()))
        });
        Ok(written.await)
    }

    async fn claim(&self, claim: &SendClaim) -> Result<Written, StoreError> {
        let written = self.call(|| {
            let mut table = lock(&self.services.table);
            let Some(number) = Self::number(&table, &claim.payment_id) else { return Written::Refused(None) };
            let Some(stands) = table.stands(number, &self.services) else { return Written::Refused(None) };
            match claim.apply(&stands, &self.services.policy) {
                Some(after) => {
                    table.write(number, &after, &self.services);
                    Written::Applied(Box::new(after))
                }
                None => Written::Refused(Some(Box::new(stands))),
            }
        });
        Ok(written.await)
    }

    async fn replace(&self, before: &Payment, after: &Payment) -> Result<Written, StoreError> {
        let number = number_of(&before.order.order_id);
        let written = self.call(|| {
            let mut table = lock(&self.services.table);
            let Some(stands) = table.stands(number, &self.services) else { return Written::Refused(None) };
            if stands.version != before.version || stands.state.is_terminal() {
                return Written::Refused(Some(Box::new(stands)));
            }
            table.write(number, after, &self.services);
            Written::Applied(Box::new(after.clone()))
        });
        Ok(written.await)
    }

    async fn get(&self, id: &PaymentId) -> Result<Option<Payment>, StoreError> {
        let read = self.call(|| {
            let table = lock(&self.services.table);
            Self::number(&table, id).and_then(|number| table.stands(number, &self.services))
        });
        Ok(read.await)
    }

    async fn bind(&self, _: &Binding) -> Result<Bound, StoreError> {
        unreachable!("a sale's shops send no idempotency key")
    }
}

impl Merchants for Ports {
    async fn find(&self, key: &ApiKeyHash) -> Result<Option<Merchant>, StoreError> {
        let sellers = &self.services.shop.sellers;
        let find = || sellers.iter().map(|seller| &seller.record).find(|record| record.key_hash == *key).cloned();
        Ok(self.call(find).await)
    }
}

impl GateStore for Ports {
    async fn update(&self, update: &GateUpdate) -> Result<GateAnswer, PortError> {
        let answer = self.call(|| {
            *lock(&self.services.gate_updates) += 1;
            let mut gate = lock(&self.services.gate);
            match gate.as_ref().and_then(|stands| update.apply(stands)) {
                Some(after) => {
                    *gate = Some(after.clone());
                    GateAnswer::Done(Box::new(after))
                }
                None => GateAnswer::Refused(gate.clone().map(Box::new)),
            }
        });
        Ok(answer.await)
    }

    async fn read(&self, _provider: &str) -> Result<Option<GateState>, PortError> {
        let read = || {
            *lock(&self.services.gate_reads) += 1;
            lock(&self.services.gate).clone()
        };
        Ok(self.call(read).await)
    }

    async fn create(&self, state: &GateState) -> Result<(), PortError> {
        self.call(|| {
            lock(&self.services.gate).get_or_insert_with(|| state.clone());
        })
        .await;
        Ok(())
    }
}

/// The end of a lane's ARN.
const LANES: [(Lane, &str); 2] = [(Lane::High, "high"), (Lane::Standard, "standard")];

pub(super) fn arn(lane: Lane) -> String {
    let (_, name) = LANES[lane_index(lane)];
    format!("arn:aws:sqs:eu-central-1:123456789012:{name}")
}

/// A message's receipt: its place among what is in flight, and which receive of which message that was.
pub(super) fn receipt(place: u32, letter: Letter) -> String {
    let Letter { number, group, receives, sent_ms } = letter;
    format!("{place} {number} {group} {receives} {sent_ms}")
}

fn read_receipt(receipt: &str) -> Option<(u32, Letter)> {
    let mut parts = receipt.split(' ');
    let place = parts.next()?.parse().ok()?;
    let number = parts.next()?.parse().ok()?;
    let group = parts.next()?.parse().ok()?;
    let receives = parts.next()?.parse().ok()?;
    let sent_ms = parts.next()?.parse().ok()?;
    Some((place, Letter { number, group, receives, sent_ms }))
}

impl Queue for Ports {
    async fn send(&self, lane: Lane, message: &Message, delay_seconds: u32) -> Result<(), PortError> {
        if delay_seconds > 0 {
            return Err(PortError::denied("nothing in a sale is sent with a delay"));
        }
        self.call(|| {
            let number = Self::number(&lock(&self.services.table), &message.payment_id);
            let number = number.ok_or_else(|| PortError::denied("the payment is not there"))?;
            let merchant = self.services.shop.purchase(number).merchant;
            let group = u16::try_from(merchant).map_err(|_| PortError::denied("too many merchants"))?;
            let letter = Letter { number, group, receives: 0, sent_ms: message.sent_at.ms() };
            lock(&self.services.lanes[lane_index(lane)]).put(letter);
            self.services.sent[lane_index(lane)].notify_one();
            Ok(())
        })
        .await
    }

    fn source_of(&self, event_source_arn: &str) -> Option<Source> {
        LANES.into_iter().find(|(lane, _)| arn(*lane) == event_source_arn).map(|(lane, _)| Source::Lane(lane))
    }

    async fn hide(&self, source: Source, receipt_handle: &str, seconds: u32) -> Result<(), PortError> {
        let Source::Lane(lane) = source else { return Err(PortError::denied("no message came from there")) };
        let Some((place, letter)) = read_receipt(receipt_handle) else {
            return Err(PortError::denied("the receipt handle is not valid"));
        };
        self.call(|| {
            let until_us = self.services.place.elapsed_us() + u64::from(seconds) * 1_000_000;
            let hidden = lock(&self.services.lanes[lane_index(lane)]).hide(place, letter, until_us);
            // Whoever waits for the lane looks when this is seen again.
            self.services.sent[lane_index(lane)].notify_one();
            if hidden { Ok(()) } else { Err(PortError::denied("the receipt handle is not valid")) }
        })
        .await
    }
}

impl ProviderPort for Ports {
    type Connection = Self;

    async fn connect(&self) -> Result<Self, ConnectError> {
        // Pooled: the environments are warm.
        Ok(self.clone())
    }
}

impl Connection for Ports {
    async fn send(self, _id: &PaymentId, order: &Order) -> SendAnswer {
        let number = number_of(&order.order_id);
        let _under_way = self.begins_call();
        let answer = lock(&self.services.provider).send(number, self.services.place.elapsed_us());
        tokio::time::sleep(Duration::from_millis(answer.after_ms)).await;
        match answer.said {
            Said::Approved => SendAnswer::Found(approved(number)),
            Said::TooMany => SendAnswer::NotTaken(NotTaken::RateLimited { retry_after_ms: Some(1_000) }),
            Said::Error => SendAnswer::Unclear(Unclear::ProviderError),
            Said::Nothing => std::future::pending().await,
        }
    }

    async fn query(self, _id: &PaymentId, order: &Order, _trace: &Trace) -> QueryAnswer {
        let number = number_of(&order.order_id);
        let _under_way = self.begins_call();
        let (after_ms, said) = lock(&self.services.provider).query(number, self.services.place.elapsed_us());
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        match said {
            Ok(true) => QueryAnswer::Found(approved(number)),
            Ok(false) => QueryAnswer::NotFound,
            Err(Said::TooMany) => QueryAnswer::NotTaken(NotTaken::RateLimited { retry_after_ms: Some(1_000) }),
            Err(Said::Approved | Said::Error | Said::Nothing) => QueryAnswer::Unclear(Unclear::ProviderError),
        }
    }
}

fn approved(number: u32) -> Found {
    Found::Approved { reference: ProviderText::new(&format!("ref-{number}")) }
}

fn index(number: u32) -> usize {
    usize::try_from(number).expect("as many as fit in memory")
}

/// The first 60 bits of an id: 12 characters of base32 after its prefix.
fn short(id: &PaymentId) -> u64 {
    id.as_str().bytes().skip(4).take(12).fold(0, |bits, byte| {
        let five = if byte.is_ascii_digit() { byte - b'2' + 26 } else { byte - b'a' };
        (bits << 5) | u64::from(five)
    })
}
