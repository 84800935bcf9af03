//! What a payment has ahead of it in a fair queue.
//!
//! A fair queue passes on first whoever has less than a tenth of what is in flight ("Amazon SQS fair queues"). So one
//! whose messages are few passes by all others; one with more than that is served at a tenth of the rate, at the least;
//! and whoever fills the lane shares what is left, first come, first served. That is worked out here as if messages were a
//! fluid: from what came, by merchant, and what was taken of it follows what each has waiting; from that, how much the
//! lane passes on before a payment that comes now.

use super::crowd::Crowd;
use payments::id::MerchantId;

/// How many times a merchant's part of what is in flight goes into the whole when it begins to count as noisy.
const NOISY_PART: u64 = 10;
/// Payments of a lane that must have been seen before anything is said of their merchants.
const SAMPLE_MIN: u64 = 20;
/// Merchants with less of what came than this are taken together: they can be no noisy ones among others.
const ALONE_PERCENT: u64 = 1;
/// For how long what passes by is taken to go on coming as it did, in ms. Nobody knows when a sale ends.
const COMING_MS: u64 = 60_000;
/// Parts of a whole, where a share is worked out.
const WHOLE: u64 = 1_000_000;

/// A lane since it was all but empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Messages that were received since.
    pub(super) taken: u64,
    /// Messages that wait.
    pub(super) waiting: u64,
    /// How many are taken in a second while there are any, in millionths.
    pub(super) millionths_per_second: u64,
    /// How long it is since.
    pub(super) gathered_ms: u64,
}

/// One merchant's messages, or those of all the small ones.
#[derive(Clone, Copy, Debug)]
struct Group {
    came: u64,
    waiting: u64,
}

/// Everybody's.
struct Groups {
    large: Vec<Group>,
    small: Group,
}

impl Line {
    /// How many of the waiting messages are passed on before one that this merchant brings now; `None` if too little was
    /// seen. The merchant's last payment that was seen is taken to be that one.
    pub(super) fn ahead(&self, crowd: &Crowd, merchant: &MerchantId) -> Option<u64> {
        if crowd.all() < SAMPLE_MIN {
            return None;
        }
        let came = |seen: u64| self.came().saturating_mul(seen) / crowd.all().max(1);
        let share = self.share_taken(crowd);
        let groups = self.groups(crowd, share);
        let own = came(crowd.of(merchant).saturating_sub(1));
        let own_waiting = own.saturating_sub(self.taken_of(own, share));
        // A tenth of the rate is a merchant's, whatever others have brought.
        let at_a_tenth = own_waiting.saturating_mul(NOISY_PART);
        Some(at_a_tenth.max(self.before_a_quiet_one(&groups)).min(self.before_a_noisy_one(&groups)))
    }

    fn came(&self) -> u64 {
        self.taken.saturating_add(self.waiting)
    }

    /// Which share of what came of the noisy was taken, in millionths: all together took what was taken.
    fn share_taken(&self, crowd: &Crowd) -> u64 {
        let large: Vec<u64> = self.large(crowd).collect();
        let small = self.came().saturating_sub(sum(large.iter().copied()));
        least(0, WHOLE, |share| {
            let of_large = sum(large.iter().map(|came| self.taken_of(*came, share)));
            of_large.saturating_add(small) >= self.taken
        })
    }

    /// What was taken of a merchant's messages.
    fn taken_of(&self, came: u64, share: u64) -> u64 {
        let in_turn = came.saturating_mul(share) / WHOLE;
        came.min(in_turn.max(self.taken / NOISY_PART))
    }

    fn large(&self, crowd: &Crowd) -> impl Iterator<Item = u64> {
        let (came, all) = (self.came(), crowd.all().max(1));
        crowd.with_percent(ALONE_PERCENT).map(move |seen| came.saturating_mul(seen) / all)
    }

    fn groups(&self, crowd: &Crowd, share: u64) -> Groups {
        let large: Vec<Group> = self
            .large(crowd)
            .map(|came| Group { came, waiting: came.saturating_sub(self.taken_of(came, share)) })
            .collect();
        let small = Group {
            came: self.came().saturating_sub(sum(large.iter().map(|group| group.came))),
            waiting: self.waiting.saturating_sub(sum(large.iter().map(|group| group.waiting))),
        };
        Groups { large, small }
    }

    /// What is passed on before one of whoever is passed on first: what waits of such, and a tenth for each of the others.
    fn before_a_quiet_one(&self, groups: &Groups) -> u64 {
        least(0, self.waiting, |ahead| {
            let of_large = groups.large.iter().map(|group| group.waiting.min(ahead / NOISY_PART));
            sum(of_large).saturating_add(groups.small.waiting) <= ahead
        })
    }

    /// What is passed on before one of whoever fills the lane: all that waits, and what comes later and passes by.
    fn before_a_noisy_one(&self, groups: &Groups) -> u64 {
        let coming = |group: &Group, ahead: u64| {
            let within_ms = ahead.saturating_mul(1_000_000_000) / self.millionths_per_second.max(1);
            let within_ms = within_ms.min(COMING_MS);
            let comes = group.came.saturating_mul(within_ms) / self.gathered_ms.max(1_000);
            group.waiting.saturating_add(comes)
        };
        let of_large = sum(groups.large.iter().map(|group| coming(group, u64::MAX)));
        let most = of_large.saturating_add(coming(&groups.small, u64::MAX));
        least(self.waiting, most.max(self.waiting), |ahead| {
            let of_large = groups.large.iter().map(|group| {
                let is_noisy = group.waiting >= ahead / NOISY_PART;
                if is_noisy { group.waiting } else { coming(group, ahead).min(ahead / NOISY_PART) }
            });
            sum(of_large).saturating_add(coming(&groups.small, ahead)) <= ahead
        })
    }
}

/// All together, and no more than can be counted.
fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

/// The least number within these bounds that will do, if all above it do as well; the upper bound if none does.
fn least(mut low: u64, mut high: u64, will_do: impl Fn(u64) -> bool) -> u64 {
    while low < high {
        let middle = low.midpoint(high);
        if will_do(middle) {
            high = middle;
        } else {
            low = middle.saturating_add(1);
        }
    }
    low
}
