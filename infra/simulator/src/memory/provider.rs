//! A provider that keeps its own ledger, which alone says what was charged.
//!
//! What comes of a request is drawn when it arrives: whether it takes effect, when, and what is answered, if anything.
//! The caller may hang up at any time; what was drawn happens all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use payments::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use payments::id::PaymentId;
use payments::money::Money;
use payments::payment::{Kind, Order};
use ports::{ConnectError, Connection, Provider, Trace};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::callbacks::{Due, Status};
use crate::faults::ProviderFaults;
use crate::world::{Environment, World, lock};

/// How long after a send that gets no answer a late charge lands, in ms: more than any call waits, less than the
/// provider's stated bound.
const LATE_MS: (u64, u64) = (5_000, 60_000);
/// How long a pending payment takes to be done, in ms.
const PENDING_MS: (u64, u64) = (10_000, 300_000);
/// The same for one that is denied until then: longer than an absence has to last to be proved.
const FORGOTTEN_MS: (u64, u64) = (900_000, 7_200_000);
/// How long after it is true a callback comes, in ms: mostly about when the answer does.
const CALLBACK_SOON_MS: (u64, u64) = (0, 5_000);
/// The same for a late one.
const CALLBACK_LATE_MS: (u64, u64) = (5_000, 3_600_000);
/// How long a slow connection takes, in ms.
const SLOW_CONNECT_MS: (u64, u64) = (50, 950);
/// How long an answer takes, in ms.
const LATENCY_MS: (u64, u64) = (200, 2_000);

/// An effect: money that moved, or will.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Whose.
    pub payment_id: PaymentId,
    /// Which way.
    pub kind: Kind,
    /// How much.
    pub money: Money,
    /// When it moves, in microseconds since the epoch.
    pub at_us: u64,
}

#[derive(Clone, Debug)]
enum Book {
    Effect {
        at_us: u64,
    },
    /// Forgotten, it is denied until it is done.
    Pending {
        done_at_us: u64,
        is_forgotten: bool,
    },
    Declined,
}

/// What a provider knows.
#[derive(Debug)]
pub struct Ledger {
    world: Arc<World>,
    books: Mutex<BTreeMap<PaymentId, Book>>,
    effects: Mutex<Vec<Effect>>,
    calls_us: Mutex<Vec<u64>>,
    /// Callbacks to be made, and how many of them are not over yet.
    outbox: (UnboundedSender<Due>, Mutex<Option<UnboundedReceiver<Due>>>),
    undelivered: AtomicU64,
    taken: AtomicU64,
    sends: Mutex<BTreeMap<PaymentId, u32>>,
    /// Sends that nobody has judged yet, and when they arrived.
    unjudged: Mutex<Vec<(PaymentId, u64)>>,
    reversing: Mutex<BTreeSet<PaymentId>>,
    /// When each key came first, in microseconds since the epoch.
    keys_us: Mutex<BTreeMap<PaymentId, u64>>,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(world: &Arc<World>) -> Arc<Self> {
        let (outbox, inbox) = unbounded_channel();
        Arc::new(Self {
            outbox: (outbox, Mutex::new(Some(inbox))),
            undelivered: AtomicU64::default(),
            taken: AtomicU64::default(),
            reversing: Mutex::default(),
            keys_us: Mutex::default(),
            world: Arc::clone(world),
            books: Mutex::default(),
            effects: Mutex::default(),
            calls_us: Mutex::default(),
            sends: Mutex::default(),
            unjudged: Mutex::default(),
        })
    }

    /// Everything that has taken effect by now.
    pub fn effects(&self) -> Vec<Effect> {
        let now_us = self.world.now_us();
        lock(&self.effects).iter().filter(|effect| effect.at_us <= now_us).cloned().collect()
    }

    /// How often each payment has taken effect by now.
    pub fn effects_by_payment(&self) -> BTreeMap<PaymentId, u32> {
        let now_us = self.world.now_us();
        let mut effects = BTreeMap::new();
        for effect in lock(&self.effects).iter().filter(|effect| effect.at_us <= now_us) {
            *effects.entry(effect.payment_id.clone()).or_default() += 1;
        }
        effects
    }

    /// When calls arrived, in microseconds since the epoch.
    pub fn calls_us(&self) -> Vec<u64> {
        lock(&self.calls_us).clone()
    }

    /// The callbacks that are to be made from here on; whoever delivers them takes this once.
    pub(crate) fn callbacks(&self) -> Option<UnboundedReceiver<Due>> {
        lock(&self.outbox.1).take()
    }

    /// Callbacks that were announced and are not over yet.
    pub fn undelivered(&self) -> u64 {
        self.undelivered.load(Ordering::Relaxed)
    }

    /// Callbacks that were taken so far.
    pub fn callbacks_taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// A callback was taken.
    pub(crate) fn taken(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// A callback is over.
    pub(crate) fn delivered(&self) {
        self.undelivered.fetch_sub(1, Ordering::Relaxed);
    }

    /// May call back about what is true from `at_us` on: at once or late, once or twice, and somebody else may lie.
    fn announce(&self, id: &PaymentId, order: &Order, status: Status, at_us: u64) {
        let (world, faults) = (&self.world, &self.world.faults.provider);
        if !world.fails(faults.callback) {
            return;
        }
        let times = if world.fails(faults.callback_twice) { 2 } else { 1 };
        let forged = world.fails(faults.callback_forged);
        let own = (0..times).map(|_| false);
        for is_forged in own.chain(forged.then_some(true)) {
            let late = world.fails(faults.callback_late);
            let (low_ms, high_ms) = if late { CALLBACK_LATE_MS } else { CALLBACK_SOON_MS };
            let at_us = at_us + world.between(low_ms, high_ms) * 1_000;
            self.post(Due { is_forged, ..Due::new(at_us, id, order.money, status) });
        }
    }

    fn post(&self, due: Due) {
        self.undelivered.fetch_add(1, Ordering::Relaxed);
        // Nobody delivers in a test of one handler.
        if self.outbox.0.send(due).is_err() {
            self.delivered();
        }
    }

    /// Sends since this was last asked, with their times in microseconds since the epoch.
    pub(crate) fn take_unjudged(&self) -> Vec<(PaymentId, u64)> {
        std::mem::take(&mut lock(&self.unjudged))
    }

    /// How often each payment was sent here, whatever came of it.
    pub fn sends_by_payment(&self) -> BTreeMap<PaymentId, u32> {
        lock(&self.sends).clone()
    }

    /// How long an answer takes now, in ms.
    fn latency_ms(&self) -> u64 {
        let latency_ms = self.world.between(LATENCY_MS.0, LATENCY_MS.1);
        let is_quick = self.world.faults.brownout.is_some_and(|it| self.world.elapsed_ms() >= it.until_ms);
        if is_quick { latency_ms / 2 } else { latency_ms }
    }

    /// Whether every call fails now.
    fn is_down(&self) -> bool {
        let elapsed_ms = self.world.elapsed_ms();
        self.world.faults.brownout.is_some_and(|it| (it.from_ms..it.until_ms).contains(&elapsed_ms))
    }

    /// Does after all what was declined. Until its callback is taken nobody can know.
    pub(crate) fn reverse(&self, id: &PaymentId, kind: Kind, money: Money) {
        let at_us = self.world.now_us();
        self.world.note(&format!("provider     reverses its decline of {id}"));
        lock(&self.books).insert(id.clone(), Book::Effect { at_us });
        lock(&self.effects).push(Effect { payment_id: id.clone(), kind, money, at_us });
        lock(&self.reversing).insert(id.clone());
    }

    /// The reversal is known from here on.
    pub(crate) fn reversed(&self, id: &PaymentId) {
        lock(&self.reversing).remove(id);
    }

    /// Whether it was just done after all, and the callback that says so is still on its way.
    pub fn is_reversing(&self, id: &PaymentId) -> bool {
        lock(&self.reversing).contains(id)
    }

    fn called(&self, what: &str, id: &PaymentId) {
        lock(&self.calls_us).push(self.world.now_us());
        self.world.note(&format!("provider     {what} {id}"));
    }

    fn reference(id: &PaymentId) -> ProviderText {
        ProviderText::new(&format!("ref-{}", id.as_str()))
    }

    /// What the provider has of a payment by now.
    pub fn found(&self, id: &PaymentId) -> Option<Found> {
        let now_us = self.world.now_us();
        match lock(&self.books).get(id)? {
            Book::Effect { at_us } if *at_us <= now_us => Some(Found::Approved { reference: Self::reference(id) }),
            Book::Effect { .. } => None,
            Book::Pending { done_at_us, .. } if *done_at_us <= now_us => {
                Some(Found::Approved { reference: Self::reference(id) })
            }
            Book::Pending { is_forgotten: true, .. } => None,
            Book::Pending { .. } => Some(Found::Accepted { reference: None }),
            Book::Declined => Some(Found::Declined { code: ProviderText::new("insufficient_funds") }),
        }
    }

    fn take_effect(&self, id: &PaymentId, order: &Order, at_us: u64) {
        lock(&self.effects).push(Effect { payment_id: id.clone(), kind: order.kind, money: order.money, at_us });
    }

    /// A key that is older than the stated window is one that was never seen: whatever was done under it is done once
    /// more. Nothing may be sent then, even where nothing had been done.
    fn forget_old(&self, id: &PaymentId) {
        let now_us = self.world.now_us();
        let mut keys_us = lock(&self.keys_us);
        let first_us = *keys_us.entry(id.clone()).or_insert(now_us);
        if now_us - first_us < self.world.faults.key_window_ms * 1_000 {
            return;
        }
        keys_us.insert(id.clone(), now_us);
        lock(&self.books).remove(id);
        let how =
            format!("{id} was sent {} s after its key came first, which is forgotten", (now_us - first_us) / 1_000_000);
        self.world.violated("I1", &how);
    }

    /// A send arrives. Says what is answered, and after how many ms; `None` is never answered.
    fn arrives(&self, id: &PaymentId, order: &Order) -> (u64, Option<SendAnswer>) {
        self.called("send", id);
        *lock(&self.sends).entry(id.clone()).or_default() += 1;
        lock(&self.unjudged).push((id.clone(), self.world.now_us()));
        let world = &self.world;
        let answer_ms = self.latency_ms();
        let skew_ms = world.faults.clock_skew_ms;
        if let Some(at) = order.expires_at.filter(|at| at.plus_ms(skew_ms) < world.now()) {
            world.violated("expiry", &format!("{id} was sent {} ms after its time was over", world.now().since_ms(at)));
        }
        // In a brownout each call fails in one of these ways; a connection may be refused before it comes to that.
        let down = |share| if self.is_down() { Some(share) } else { None };
        let faults = &ProviderFaults {
            lost: down(0.4).unwrap_or(world.faults.provider.lost),
            error_before: down(0.5).unwrap_or(world.faults.provider.error_before),
            error_after: down(1.0).unwrap_or(world.faults.provider.error_after),
            ..world.faults.provider.clone()
        };
        if world.fails(faults.rate_limited) {
            // One in five asks for minutes, up to more than is honoured.
            let seconds = if world.fails(0.2) { world.between(60, 1_200) } else { world.between(1, 5) };
            let retry_after_ms = Some(seconds * 1_000);
            return (20, Some(SendAnswer::NotTaken(NotTaken::RateLimited { retry_after_ms })));
        }
        if world.fails(faults.credentials_refused) {
            return (20, Some(SendAnswer::NotTaken(NotTaken::CredentialsRefused)));
        }
        self.forget_old(id);
        if let Some(found) = self.found(id) {
            // The key still holds, so nobody is charged twice; but only the provider's memory prevented it.
            world.violated("I1", &format!("{id} was sent again after the provider had it"));
            return (answer_ms, Some(SendAnswer::Found(found)));
        }
        let now_us = world.now_us();
        let under_way = lock(&self.books).get(id).cloned();
        if let Some(Book::Effect { at_us } | Book::Pending { done_at_us: at_us, .. }) = under_way {
            world.violated("I1", &format!("{id} was sent again while it was taking effect"));
            return ((at_us - now_us) / 1_000, Some(SendAnswer::Unclear(Unclear::Conflict)));
        }
        if world.fails(faults.error_before) {
            return (answer_ms, Some(SendAnswer::Unclear(Unclear::ProviderError)));
        }
        if world.fails(faults.lost) {
            return (answer_ms, None);
        }
        if world.fails(faults.decline) {
            lock(&self.books).insert(id.clone(), Book::Declined);
            self.announce(id, order, Status::Declined, now_us);
            if world.fails(faults.reversed) {
                let at_us = now_us + world.between(CALLBACK_LATE_MS.0, CALLBACK_LATE_MS.1) * 1_000;
                let reverses = Some(order.kind);
                self.post(Due { reverses, ..Due::new(at_us, id, order.money, Status::Approved) });
            }
            if world.fails(faults.drop_after) {
                return (answer_ms, Some(SendAnswer::Unclear(Unclear::ConnectionLost)));
            }
            let code = ProviderText::new("insufficient_funds");
            return (answer_ms, Some(SendAnswer::Found(Found::Declined { code })));
        }
        if world.fails(faults.pending) {
            let is_forgotten = world.fails(faults.forgets);
            let (low_ms, high_ms) = if is_forgotten { FORGOTTEN_MS } else { PENDING_MS };
            let done_at_us = now_us + world.between(low_ms, high_ms) * 1_000;
            lock(&self.books).insert(id.clone(), Book::Pending { done_at_us, is_forgotten });
            self.take_effect(id, order, done_at_us);
            self.announce(id, order, Status::Accepted, now_us);
            self.announce(id, order, Status::Approved, done_at_us);
            return (answer_ms, Some(SendAnswer::Found(Found::Accepted { reference: None })));
        }
        let (at_us, answer) = if world.fails(faults.late) {
            (now_us + world.between(LATE_MS.0, LATE_MS.1) * 1_000, None)
        } else {
            let at_us = now_us + world.between(1, answer_ms) * 1_000;
            if world.fails(faults.error_after) {
                (at_us, Some(SendAnswer::Unclear(Unclear::ProviderError)))
            } else if world.fails(faults.drop_after) {
                (at_us, Some(SendAnswer::Unclear(Unclear::ConnectionLost)))
            } else {
                let reference = Self::reference(id);
                (at_us, Some(SendAnswer::Found(Found::Approved { reference })))
            }
        };
        lock(&self.books).insert(id.clone(), Book::Effect { at_us });
        self.take_effect(id, order, at_us);
        self.announce(id, order, Status::Approved, at_us);
        (answer_ms, answer)
    }
}

/// The provider as one environment reaches it.
#[derive(Clone, Debug)]
pub struct MemoryProvider {
    ledger: Arc<Ledger>,
    environment: Environment,
}

impl MemoryProvider {
    /// The provider, reached from an environment.
    pub fn new(ledger: &Arc<Ledger>, environment: &Environment) -> Self {
        Self { ledger: Arc::clone(ledger), environment: environment.clone() }
    }
}

impl Provider for MemoryProvider {
    type Connection = MemoryConnection;

    async fn connect(&self) -> Result<MemoryConnection, ConnectError> {
        let world = self.environment.world();
        let down = if self.ledger.is_down() { 0.3 } else { 0.0 };
        let fails = world.fails(world.faults.provider.connect.max(down));
        if world.fails(world.faults.provider.slow_connect) {
            tokio::time::sleep(Duration::from_millis(world.between(SLOW_CONNECT_MS.0, SLOW_CONNECT_MS.1))).await;
        }
        self.environment
            .io("connect", || {
                if fails {
                    return Err(ConnectError("connection refused".to_owned()));
                }
                Ok(MemoryConnection(self.clone()))
            })
            .await
    }
}

/// A connection to it.
#[derive(Debug)]
pub struct MemoryConnection(MemoryProvider);

impl Connection for MemoryConnection {
    async fn send(self, id: &PaymentId, order: &Order) -> SendAnswer {
        let MemoryProvider { ledger, environment } = &self.0;
        // The way there takes no time here: the last look at the slot lies right before the request's first byte.
        let (answer_ms, answer) = ledger.arrives(id, order);
        environment.io("send", || ()).await;
        tokio::time::sleep(Duration::from_millis(answer_ms)).await;
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    async fn query(self, id: &PaymentId, _order: &Order, _trace: &Trace) -> QueryAnswer {
        let MemoryProvider { ledger, environment } = &self.0;
        ledger.called("query", id);
        environment.io("query", || ()).await;
        let world = environment.world();
        let is_down = ledger.is_down();
        tokio::time::sleep(Duration::from_millis(ledger.latency_ms())).await;
        if is_down && world.fails(0.4) {
            std::future::pending::<()>().await;
        }
        if is_down || world.fails(world.faults.provider.query_fails) {
            return QueryAnswer::Unclear(Unclear::ProviderError);
        }
        match ledger.found(id) {
            Some(found) => QueryAnswer::Found(found),
            None => QueryAnswer::NotFound,
        }
    }
}
