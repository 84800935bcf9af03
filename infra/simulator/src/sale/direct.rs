//! The sale called directly: each payment calls the provider when it comes, in the customer's own request.
//!
//! Assumed, as an HTTP client is usually set up: a time-out of 3 s, three retries after 1, 2 and 4 s, each half as long
//! to half longer, on 429, 503 and a time-out alike, and no idempotency key. After that the customer is told that it did
//! not work.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::sale::measure::Waits;
use crate::sale::provider::{Provider, Said};
use crate::sale::report::{CameOfIt, Course, Samples, Way};
use crate::sale::settings::Settings;
use crate::sale::shop::{Shop, mixed};

/// The client's time-out, in ms.
pub(super) const TIMEOUT_MS: u64 = 3_000;
/// Retries after the first try.
const RETRIES: u8 = 3;
/// The first pause, in ms; each other is twice the one before.
const PAUSE_MS: u64 = 1_000;

/// Plays it.
pub(super) fn play(settings: &Settings) -> Course {
    let shop = Shop::new(settings);
    let mut provider = Provider::new(settings.seed, settings.rate(), settings.trouble, shop.payments());
    let mut dice = fastrand::Rng::with_seed(mixed(settings.seed, 1 << 43));
    let mut waits = Waits::new(shop.sellers.len());
    let mut came_of_it = CameOfIt::default();
    let mut samples = Samples::default();
    // Tries, and customers that are told, each at its time: the payment, and how often it was tried before.
    let mut due = BinaryHeap::new();
    let (mut next, mut second) = (0, 0);
    let mut over: u64 = 0;
    loop {
        let arrives_us = (next < shop.payments()).then(|| shop.sent_at_us(next));
        let due_us = due.peek().map(|&Reverse((at_us, _, _))| at_us);
        let now_us = match (arrives_us, due_us) {
            (Some(arrives_us), Some(due_us)) => arrives_us.min(due_us),
            (Some(at_us), None) | (None, Some(at_us)) => at_us,
            (None, None) => break,
        };
        while second * 1_000_000 <= now_us {
            let open = usize::try_from(u64::from(next) - over).expect("as many as fit in memory");
            samples.add(u64::from(shop.sent_by_us(second * 1_000_000)), open, open);
            second += 1;
        }
        let (number, tried) = if arrives_us == Some(now_us) {
            next += 1;
            (next - 1, 0)
        } else {
            let Some(Reverse((_, number, tried))) = due.pop() else { break };
            (number, tried)
        };
        let answer = provider.send(number, now_us);
        came_of_it.attempts += 1;
        let in_time = answer.after_ms < TIMEOUT_MS && answer.said != Said::Nothing;
        if in_time && answer.said == Said::Approved {
            let purchase = shop.purchase(number);
            let waited_ms = (now_us - shop.sent_at_us(number)) / 1_000 + answer.after_ms;
            waits.add(purchase.merchant, purchase.lane, waited_ms);
            came_of_it.succeeded += 1;
            over += 1;
        } else if tried == RETRIES {
            came_of_it.failed += 1;
            over += 1;
        } else {
            let known_ms = if in_time { answer.after_ms } else { TIMEOUT_MS };
            let pause_ms = PAUSE_MS << tried;
            let pause_ms = dice.u64(pause_ms / 2..=pause_ms * 3 / 2);
            due.push(Reverse((now_us + (known_ms + pause_ms) * 1_000, number, tried + 1)));
        }
    }
    Course::new(Way::Direct, settings, &shop, &provider, &waits, samples, &came_of_it)
}
