//! How much of the world is explored.

use std::fmt;
use std::str::FromStr;

use payments::history::{HistoryKey, HistoryKeys};
use payments::policy::Policy;

/// A tick of the model's time, in milliseconds. Longer than every pause that the core has as a constant (two minutes
/// at most where it decides on a message), and as long as the clocks may be apart.
pub(crate) const TICK_MS: u64 = 600_000;

/// The bounds of one check. Everything else is explored without a bound: crashes, duplicate deliveries, lost answers,
/// lost replies, sweeps and redrives may happen any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Consumers at work at the same time: 1 or 2.
    pub consumers: u8,
    /// Messages of the payment that there are at the same time: 2 or 3.
    pub messages: u8,
    /// Sends before the payment is parked.
    pub attempts: u8,
    /// Moves back that `dead_letter` may make before only the sweep may.
    pub heals: u8,
    /// Moves of a message by a person.
    pub replays: u8,
    /// Whether a person also moves a message of a payment that is not parked.
    pub moves_of_open: u8,
    /// How often the merchant takes it back.
    pub cancels: u8,
    /// How often the provider calls back.
    pub callbacks: u8,
    /// Ticks of a lease. With more than one the claim at the end of the key window may write after it, by less than a
    /// lease: `race,lease=2,key_window=5` shows it.
    pub lease: u8,
    /// Ticks within which what was written takes effect, if ever.
    pub absence: u8,
    /// Ticks for which the provider knows a key.
    pub key_window: u8,
    /// Ticks by which the second consumer's clock is ahead of all others.
    pub skew: u8,
    /// Ticks until the payment's own time is over; 0 is never.
    pub expires: u8,
    /// Whether the answer of a write may be lost, so that it is written again.
    pub lost_answers: u8,
    /// Whether the provider may say that it does not know what it has said that it has.
    pub vanishing: u8,
    /// Whether messages are received too often, so that `dead_letter` comes in.
    pub dead_letters: u8,
    /// Whether a message may leave the DLQ without having been failed on.
    pub strays: u8,
    /// Whether the sweep may come while somebody is still at work.
    pub early_sweeps: u8,
    /// Ticks that a consumer may outlive the one in which it took up its message.
    pub stalls: u8,
}

impl Bounds {
    /// Two consumers and the merchant race for one message.
    pub const RACE: Self = Self {
        consumers: 2,
        messages: 2,
        attempts: 2,
        heals: 1,
        replays: 0,
        moves_of_open: 0,
        cancels: 1,
        callbacks: 0,
        lease: 1,
        absence: 1,
        key_window: 3,
        skew: 0,
        expires: 0,
        lost_answers: 0,
        vanishing: 0,
        dead_letters: 0,
        strays: 0,
        early_sweeps: 0,
        stalls: 1,
    };

    /// One consumer, and all queues: dead letters, heals, a person's replay.
    pub const QUEUES: Self = Self { consumers: 1, replays: 1, cancels: 0, vanishing: 1, dead_letters: 1, ..Self::RACE };

    /// Two consumers whose clocks are as far apart as they may be, and answers of the table that are lost.
    pub const CLOCKS: Self = Self { cancels: 0, skew: 1, key_window: 5, lost_answers: 1, ..Self::RACE };

    /// Two heals and nobody's replay: one message's heal and another's.
    ///
    /// A person's move together with two heals (`queues,heals=2`) breaks I4: a heal is written down, its sender dies, and
    /// the message that would have come again until it is sent gets a new id by the move; within the pause of two minutes
    /// it is then dropped in favour of one that does not exist, and the payment waits for the sweep.
    pub const HEALS: Self = Self { heals: 2, replays: 0, ..Self::QUEUES };

    /// What a test explores.
    pub const SMALL: [Self; 4] = [Self::RACE, Self::QUEUES, Self::CLOCKS, Self::HEALS];

    /// What a person explores when the rules have changed.
    pub const LARGE: [Self; 5] = [
        Self { cancels: 1, callbacks: 1, ..Self::CLOCKS },
        Self { callbacks: 1, stalls: 2, expires: 3, ..Self::RACE },
        Self { consumers: 2, ..Self::QUEUES },
        Self { replays: 2, cancels: 1, moves_of_open: 1, strays: 1, ..Self::QUEUES },
        Self { messages: 3, cancels: 1, early_sweeps: 1, ..Self::HEALS },
    ];

    /// Reads `small`, `large`, or one set of bounds: a name of one, changes to it, or both, such as
    /// `queues,cancels=1,expires=3`.
    pub fn parse(text: &str) -> Result<Vec<Self>, String> {
        match text {
            "small" => Ok(Self::SMALL.to_vec()),
            "large" => Ok(Self::LARGE.to_vec()),
            one => Ok(vec![one.parse()?]),
        }
    }

    /// The bounds' names and values.
    pub const fn named(&self) -> [(&'static str, u8); 19] {
        [
            ("consumers", self.consumers),
            ("messages", self.messages),
            ("attempts", self.attempts),
            ("heals", self.heals),
            ("replays", self.replays),
            ("moves_of_open", self.moves_of_open),
            ("cancels", self.cancels),
            ("callbacks", self.callbacks),
            ("lease", self.lease),
            ("absence", self.absence),
            ("key_window", self.key_window),
            ("skew", self.skew),
            ("expires", self.expires),
            ("lost_answers", self.lost_answers),
            ("vanishing", self.vanishing),
            ("dead_letters", self.dead_letters),
            ("strays", self.strays),
            ("early_sweeps", self.early_sweeps),
            ("stalls", self.stalls),
        ]
    }

    fn set(&mut self, name: &str, value: u8) -> Result<(), String> {
        let (field, most) = match name {
            "consumers" => (&mut self.consumers, 2),
            "messages" => (&mut self.messages, 3),
            "attempts" => (&mut self.attempts, 5),
            "heals" => (&mut self.heals, 3),
            "replays" => (&mut self.replays, 3),
            "moves_of_open" => (&mut self.moves_of_open, 1),
            "cancels" => (&mut self.cancels, 3),
            "callbacks" => (&mut self.callbacks, 3),
            "lease" => (&mut self.lease, 3),
            "absence" => (&mut self.absence, 3),
            "key_window" => (&mut self.key_window, 12),
            "skew" => (&mut self.skew, 1),
            "expires" => (&mut self.expires, 6),
            "lost_answers" => (&mut self.lost_answers, 1),
            "vanishing" => (&mut self.vanishing, 1),
            "dead_letters" => (&mut self.dead_letters, 1),
            "strays" => (&mut self.strays, 1),
            "early_sweeps" => (&mut self.early_sweeps, 1),
            "stalls" => (&mut self.stalls, 3),
            _ => return Err(format!("no bound is named {name:?}; there are {}", Self::RACE)),
        };
        let least = match name {
            // A heal's message and the one that it replaces.
            "messages" => 2,
            "consumers" | "attempts" | "lease" | "absence" | "key_window" => 1,
            _ => 0,
        };
        if value < least || value > most {
            return Err(format!("{name} has to be from {least} to {most}, not {value}"));
        }
        *field = value;
        Ok(())
    }

    /// The provider's numbers that these bounds stand for.
    pub fn policy(&self) -> Policy {
        let ticks = |count: u8| u64::from(count) * TICK_MS;
        Policy {
            connect_timeout_ms: ticks(self.lease.saturating_sub(1)),
            call_timeout_ms: TICK_MS,
            claim_lead_ms: 0,
            settle_allowance_ms: 0,
            absence_bound_ms: ticks(self.absence),
            key_window_ms: ticks(self.key_window),
            clock_skew_ms: ticks(self.skew),
            max_attempts: u32::from(self.attempts),
            backoff_base_ms: 1_000,
            backoff_cap_ms: 60_000,
            pending_backoff_base_ms: 5_000,
            pending_backoff_cap_ms: 900_000,
            max_heals: u32::from(self.heals),
            missing_item_grace_ms: 0,
            newer_version_grace_ms: 0,
            retention_ms: 0,
            // The sweep for what is overdue is no part of this world: nothing stands so long.
            overdue_after_ms: u64::MAX,
            park_overdue_after_ms: u64::MAX,
            history_keys: HistoryKeys::one(HistoryKey::of(b"the model's key, and no secret..")),
        }
    }
}

impl fmt::Display for Bounds {
    /// As [`FromStr`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.named().into_iter().enumerate() {
            write!(f, "{}{name}={value}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Bounds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut bounds = Self::RACE;
        for (index, part) in text.split(',').enumerate() {
            match (part.split_once('='), part) {
                (None, "race") if index == 0 => bounds = Self::RACE,
                (None, "queues") if index == 0 => bounds = Self::QUEUES,
                (None, "clocks") if index == 0 => bounds = Self::CLOCKS,
                (None, "heals") if index == 0 => bounds = Self::HEALS,
                (None, _) => {
                    return Err(format!(
                        "{part:?} is no bounds: there are small and large, and race, queues, clocks and heals with \
                         changes such as queues,cancels=1"
                    ));
                }
                (Some((name, value)), _) => {
                    let value = value.parse().map_err(|_| format!("{name} has to be a small number, not {value:?}"))?;
                    bounds.set(name, value)?;
                }
            }
        }
        Ok(bounds)
    }
}
