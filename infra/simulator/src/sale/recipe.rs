//! The sale through a queue and a function as they are usually set up: a standard queue, batches of ten with
//! ReportBatchItemFailures, reserved concurrency to protect the provider, maxReceiveCount 3, and no pace.
//!
//! Assumed: the mapping has no MaximumConcurrency and polls with up to 1,250 batches at a time, as it is documented; a
//! batch that finds no room is held and tried again after 1 to 10 s until its visibility ends, and each later receive
//! counts. A function calls the provider for its ten messages side by side with a time-out of 3 s and without an
//! idempotency key; what was not approved in time is reported as failed and comes again when its visibility, six times a
//! time-out of 10 s, is over. Receiving and starting cost 15 ms a batch.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::sale::direct::TIMEOUT_MS;
use crate::sale::mapping::{BEGINS_WITH, GROWS_BY_PER_SECOND};
use crate::sale::measure::Waits;
use crate::sale::provider::{Provider, Said};
use crate::sale::queue::{self, Letter};
use crate::sale::report::{CameOfIt, Course, Samples, Way};
use crate::sale::settings::{Scale, Settings};
use crate::sale::shop::{Shop, mixed};

/// Messages a batch.
const BATCH: usize = 10;
/// Most batches at a time of a mapping without a MaximumConcurrency.
const POLLERS_MAX: u64 = 1_250;
/// Six times the function's time-out, in microseconds.
const VISIBILITY_US: u64 = 60_000_000;
const RECEIVES_MAX: u16 = 3;
const OVERHEAD_US: u64 = 15_000;
/// Between two polls of an empty queue.
const EMPTY_US: u64 = 1_000_000;
/// Between two tries of a throttled batch.
const THROTTLED_US: (u64, u64) = (1_000_000, 10_000_000);

/// What a poller does next.
#[derive(Debug)]
enum Next {
    Poll,
    /// Invokes the function with what it holds, until that is seen again.
    Invoke {
        batch: Vec<(u32, Letter)>,
        until_us: u64,
    },
    /// The function is done: these may be deleted.
    Answered {
        approved: Vec<(u32, Letter)>,
    },
}

struct Recipe<'a> {
    shop: &'a Shop,
    provider: Provider,
    lane: queue::Lane,
    dice: fastrand::Rng,
    reserved: u64,
    running: u64,
    /// The pollers' next steps by their time; a poller has one at a time.
    due: BinaryHeap<Reverse<(u64, usize)>>,
    next: Vec<Next>,
    waits: Waits,
    /// Payments whose first approval was heard.
    approved: Vec<bool>,
    came_of_it: CameOfIt,
}

/// Plays it with this reserved concurrency at the whole scale.
pub(super) fn play(settings: &Settings, reserved: u64) -> Course {
    let shop = Shop::new(settings);
    let Settings { seed, scale, trouble, .. } = *settings;
    let whole = |number: u64| usize::try_from(scale.of(number)).expect("as many as fit in memory");
    let numbers = queue::Numbers {
        visibility_us: VISIBILITY_US,
        receives_max: RECEIVES_MAX,
        in_flight_max: whole(queue::IN_FLIGHT_MAX),
        noisy_from: 0,
        is_fair: false,
    };
    let mut recipe = Recipe {
        shop: &shop,
        provider: Provider::new(seed, settings.rate(), trouble, shop.payments()),
        lane: queue::Lane::new(1, numbers),
        dice: fastrand::Rng::with_seed(mixed(seed, 1 << 44)),
        reserved: scale.of(reserved),
        running: 0,
        due: (0..whole(POLLERS_MAX)).map(|poller| Reverse((begins_us(poller, scale), poller))).collect(),
        next: (0..whole(POLLERS_MAX)).map(|_| Next::Poll).collect(),
        waits: Waits::new(shop.sellers.len()),
        approved: vec![false; usize::try_from(shop.payments()).expect("as many as fit in memory")],
        came_of_it: CameOfIt::default(),
    };
    let samples = recipe.run(settings);
    let Recipe { provider, lane, waits, mut came_of_it, .. } = recipe;
    came_of_it.dead = lane.dead.iter().map(|letter| letter.number).collect();
    // Nobody is told of a dead letter but by its absence.
    came_of_it.failed = settings.payments() - came_of_it.succeeded;
    Course::new(Way::Recipe { reserved }, settings, &shop, &provider, &waits, samples, &came_of_it)
}

/// The mapping's growth, in environments instead of batches: a batch of ten has no tenth.
fn begins_us(poller: usize, scale: Scale) -> u64 {
    let poller = u64::try_from(poller).unwrap_or(u64::MAX);
    let at_once = scale.of(BEGINS_WITH);
    (poller + 1).saturating_sub(at_once) * 1_000_000 * u64::from(scale.parts()) / GROWS_BY_PER_SECOND
}

impl Recipe<'_> {
    fn run(&mut self, settings: &Settings) -> Samples {
        let mut samples = Samples::default();
        let (mut sent, mut second) = (0, 0);
        while let Some(Reverse((now_us, poller))) = self.due.pop() {
            while second * 1_000_000 <= now_us {
                let came = u64::from(self.shop.sent_by_us(second * 1_000_000));
                samples.add(came, self.lane.depth(), self.lane.visible());
                second += 1;
            }
            while sent < self.shop.payments() && self.shop.sent_at_us(sent) <= now_us {
                let sent_ms = self.shop.sent_at_us(sent) / 1_000;
                self.lane.put(Letter { number: sent, group: 0, receives: 0, sent_ms });
                sent += 1;
            }
            let is_over = sent == self.shop.payments() && self.lane.depth() == 0;
            if is_over || now_us > settings.at_most_ms * 1_000 {
                break;
            }
            let step = std::mem::replace(&mut self.next[poller], Next::Poll);
            let (at_us, next) = self.step(step, now_us);
            self.next[poller] = next;
            self.due.push(Reverse((at_us, poller)));
        }
        samples
    }

    fn step(&mut self, step: Next, now_us: u64) -> (u64, Next) {
        match step {
            Next::Poll => {
                let mut batch = Vec::with_capacity(BATCH);
                self.lane.receive(BATCH, now_us, &mut batch);
                if batch.is_empty() {
                    return (now_us + EMPTY_US, Next::Poll);
                }
                (now_us + OVERHEAD_US, Next::Invoke { batch, until_us: now_us + VISIBILITY_US })
            }
            Next::Invoke { until_us, .. } if now_us >= until_us => (now_us, Next::Poll),
            Next::Invoke { batch, until_us } if self.running >= self.reserved => {
                let again_us = now_us + self.dice.u64(THROTTLED_US.0..=THROTTLED_US.1);
                (again_us.min(until_us), Next::Invoke { batch, until_us })
            }
            Next::Invoke { batch, .. } => {
                self.running += 1;
                let (ends_ms, approved) = self.invoke(&batch, now_us);
                (now_us + ends_ms * 1_000, Next::Answered { approved })
            }
            Next::Answered { approved } => {
                self.running -= 1;
                for (place, letter) in approved {
                    self.lane.delete(place, letter);
                }
                (now_us, Next::Poll)
            }
        }
    }

    /// Calls the provider for each message. Says when the last answer is there, and which are approved.
    fn invoke(&mut self, batch: &[(u32, Letter)], now_us: u64) -> (u64, Vec<(u32, Letter)>) {
        let mut ends_ms = 0;
        let mut approved = Vec::with_capacity(batch.len());
        for &(place, letter) in batch {
            let number = letter.number;
            let answer = self.provider.send(number, now_us);
            self.came_of_it.attempts += 1;
            let in_time = answer.after_ms < TIMEOUT_MS && answer.said != Said::Nothing;
            ends_ms = ends_ms.max(if in_time { answer.after_ms } else { TIMEOUT_MS });
            if !in_time || answer.said != Said::Approved {
                continue;
            }
            approved.push((place, letter));
            let heard = &mut self.approved[usize::try_from(number).expect("as many as fit in memory")];
            if !*heard {
                *heard = true;
                self.came_of_it.succeeded += 1;
                let purchase = self.shop.purchase(number);
                let waited_ms = now_us / 1_000 + answer.after_ms - letter.sent_ms;
                self.waits.add(purchase.merchant, purchase.lane, waited_ms);
            }
        }
        (ends_ms, approved)
    }
}
