//! A standard queue of millions of messages: fair, at least once, and with a bound on what is in flight.
//!
//! As SQS is documented: "Amazon SQS fair queues" (a group with over a tenth of what is in flight, and not only a few
//! messages, is noisy: others come first), "Amazon SQS standard queue quotas" (about 120,000 in flight; then a receive
//! brings nothing), "Using dead-letter queues in Amazon SQS" (a message that was received more than three times goes to
//! the back of the queue where there is a redrive policy).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Most messages in flight, at the whole scale.
pub(super) const IN_FLIGHT_MAX: u64 = 120_000;
/// Fewest messages in flight that make a group noisy, at the whole scale.
pub(super) const NOISY_FROM: u64 = 30;
/// Receives after which a message goes to the back.
const RECEIVES_IN_FRONT: u16 = 3;

/// A message: which payment, whose, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) number: u32,
    pub(super) group: u16,
    pub(super) receives: u16,
    pub(super) sent_ms: u64,
}

/// A message that was received.
#[derive(Clone, Copy, Debug)]
struct Held {
    letter: Letter,
    visible_at_us: u64,
}

/// The numbers of a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) visibility_us: u64,
    pub(super) receives_max: u16,
    pub(super) in_flight_max: usize,
    pub(super) noisy_from: usize,
    pub(super) is_fair: bool,
}

/// One queue.
#[derive(Debug)]
pub(super) struct Lane {
    numbers: Numbers,
    /// Visible messages by group, and how many of a group are in flight.
    groups: Vec<(VecDeque<Letter>, usize)>,
    /// What is in flight, by its receipt; the free places are used again.
    held: Vec<Option<Held>>,
    free: Vec<u32>,
    in_flight: usize,
    visible: usize,
    /// When what is in flight is seen again; an entry whose time is not the message's own is out of date.
    again: BinaryHeap<Reverse<(u64, u32)>>,
    /// What was received too often.
    pub(super) dead: Vec<Letter>,
    /// How many were in flight at most.
    pub(super) most_in_flight: usize,
}

impl Lane {
    pub(super) fn new(groups: usize, numbers: Numbers) -> Self {
        Self {
            numbers,
            groups: vec![(VecDeque::new(), 0); groups],
            held: Vec::new(),
            free: Vec::new(),
            in_flight: 0,
            visible: 0,
            again: BinaryHeap::new(),
            dead: Vec::new(),
            most_in_flight: 0,
        }
    }

    pub(super) fn put(&mut self, letter: Letter) {
        self.groups[usize::from(letter.group)].0.push_back(letter);
        self.visible += 1;
    }

    pub(super) fn visible(&self) -> usize {
        self.visible
    }

    /// Visible and in flight.
    pub(super) fn depth(&self) -> usize {
        self.visible + self.in_flight
    }

    /// When the next message in flight is seen again, unless somebody deletes it before.
    pub(super) fn next_again_us(&mut self) -> Option<u64> {
        while let Some(&Reverse((at_us, place))) = self.again.peek() {
            if self.is_due_then(place, at_us) {
                return Some(at_us);
            }
            self.again.pop();
        }
        None
    }

    fn is_due_then(&self, place: u32, at_us: u64) -> bool {
        self.held[index(place)].is_some_and(|held| held.visible_at_us == at_us)
    }

    /// Receives up to `most` messages, each with its receipt.
    pub(super) fn receive(&mut self, most: usize, now_us: u64, into: &mut Vec<(u32, Letter)>) {
        while let Some(&Reverse((at_us, place))) = self.again.peek() {
            if at_us > now_us {
                break;
            }
            self.again.pop();
            if self.is_due_then(place, at_us) {
                self.seen_again(place);
            }
        }
        while into.len() < most && self.in_flight < self.numbers.in_flight_max {
            let Some(group) = self.next_group() else { break };
            let Some(mut letter) = self.groups[group].0.pop_front() else { break };
            self.visible -= 1;
            letter.receives += 1;
            if letter.receives > self.numbers.receives_max {
                self.dead.push(letter);
                continue;
            }
            self.groups[group].1 += 1;
            self.in_flight += 1;
            self.most_in_flight = self.most_in_flight.max(self.in_flight);
            let place = self.free.pop().unwrap_or_else(|| {
                self.held.push(None);
                u32::try_from(self.held.len() - 1).expect("fewer than 2^32 in flight")
            });
            let visible_at_us = now_us + self.numbers.visibility_us;
            self.held[index(place)] = Some(Held { letter, visible_at_us });
            self.again.push(Reverse((visible_at_us, place)));
            into.push((place, letter));
        }
    }

    /// Hides a message that is still in flight for so long from now.
    pub(super) fn hide(&mut self, place: u32, letter: Letter, until_us: u64) -> bool {
        match self.held.get_mut(index(place)) {
            Some(Some(held)) if held.letter == letter => {
                held.visible_at_us = until_us;
                self.again.push(Reverse((until_us, place)));
                true
            }
            Some(_) | None => false,
        }
    }

    /// Deletes a message, unless it was seen again since.
    pub(super) fn delete(&mut self, place: u32, letter: Letter) {
        if self.held[index(place)].is_some_and(|held| held.letter == letter) {
            self.take(place);
        }
    }

    fn take(&mut self, place: u32) -> Option<Letter> {
        let held = self.held[index(place)].take()?;
        self.free.push(place);
        self.in_flight -= 1;
        self.groups[usize::from(held.letter.group)].1 -= 1;
        Some(held.letter)
    }

    fn seen_again(&mut self, place: u32) {
        let Some(letter) = self.take(place) else { return };
        let visible = &mut self.groups[usize::from(letter.group)].0;
        if letter.receives > RECEIVES_IN_FRONT {
            visible.push_back(letter);
        } else {
            visible.push_front(letter);
        }
        self.visible += 1;
    }

    /// Whose message is next: the longest waiting of a quiet group, or else of a noisy one.
    fn next_group(&self) -> Option<usize> {
        let waiting = self.groups.iter().enumerate().filter_map(|(group, (visible, in_flight))| {
            let front = visible.front()?;
            let is_noisy = self.numbers.is_fair
                && *in_flight >= self.numbers.noisy_from
                && in_flight.saturating_mul(10) > self.in_flight;
            Some(((is_noisy, front.sent_ms, front.number), group))
        });
        waiting.min().map(|(_, group)| group)
    }
}

fn index(place: u32) -> usize {
    usize::try_from(place).expect("as many as fit in memory")
}
