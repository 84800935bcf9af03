//! In the core's arithmetic: a rate, a count, an id or a bound that is off.

use crate::{Edit, Mutant};

const BREAKER: &str = "functions/pacing/src/breaker.rs";
const LIMITER: &str = "functions/pacing/src/bucket/limiter.rs";
const VERIFY: &str = "functions/payments/src/history/verify.rs";
const ID: &str = "functions/payments/src/id.rs";
const GATE: &str = "functions/pacing/src/gate.rs";
const REQUEST: &str = "functions/payments/src/request.rs";
const MONEY: &str = "functions/payments/src/money.rs";
const PAYMENT: &str = "functions/payments/src/payment.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "breaker-ramp-stands-still",
        harm: "after a brownout the rate stays at its first tenth until an operator comes",
        edits: &[Edit {
            file: BREAKER,
            text: "2_u32.saturating_pow(doublings)",
            instead: "1_u32.saturating_pow(doublings)",
        }],
    },
    Mutant {
        name: "breaker-forgets-how-often-it-opened",
        harm: "a provider that is down for a day is tried every few seconds",
        edits: &[Edit {
            file: BREAKER,
            text: "let reopened = self.reopened.saturating_add(1);",
            instead: "let reopened = self.reopened;",
        }],
    },
    Mutant {
        name: "breaker-closed-and-still-counting",
        harm: "a provider that recovered yesterday is given up for an hour at its first failures",
        edits: &[Edit {
            file: BREAKER,
            text: "since_us: now_us, version, reopened: 0 })",
            instead: "since_us: now_us, version, reopened: self.reopened })",
        }],
    },
    Mutant {
        name: "breaker-open-without-a-bound",
        harm: "a provider that was down for a night is not tried again before the evening",
        edits: &[Edit { file: BREAKER, text: ".min(settings.open_max_ms.max(settings.open_ms))", instead: "" }],
    },
    Mutant {
        name: "breaker-opened-by-two-calls",
        harm: "one failure of two calls stops everything",
        edits: &[Edit { file: BREAKER, text: "(enough && failing).then_some", instead: "failing.then_some" }],
    },
    Mutant {
        name: "probe-slowed-down-counts-as-failed",
        harm: "a provider that answers a probe with a 429 counts as down",
        edits: &[
            Edit {
                file: BREAKER,
                text: "Health::Answers | Health::RateLimits { .. } => to(Mode::Ramp",
                instead: "Health::Answers => to(Mode::Ramp",
            },
            Edit {
                file: BREAKER,
                text: "Health::Fails | Health::RefusesCredentials => reopen(",
                instead: "Health::Fails | Health::RateLimits { .. } | Health::RefusesCredentials => reopen(",
            },
        ],
    },
    Mutant {
        name: "lease-of-tokens-never-lapses",
        harm: "a merchant that was quiet for a day comes with yesterday's tokens of each environment",
        edits: &[Edit {
            file: LIMITER,
            text: "if self.lapse_us <= now_us {",
            instead: "if self.lapse_us <= now_us && now_us == 0 {",
        }],
    },
    Mutant {
        name: "token-not-used-up",
        harm: "one token lets a merchant's whole flood in",
        edits: &[Edit {
            file: LIMITER,
            text: "            self.tokens = self.tokens.saturating_sub(1);
",
            instead: "",
        }],
    },
    Mutant {
        name: "verify-blind-to-more-attempts",
        harm: "attempts that were added by hand are not found",
        edits: &[Edit {
            file: VERIFY,
            text: "if last.attempt != payment.attempts {",
            instead: "if last.attempt > payment.attempts {",
        }],
    },
    Mutant {
        name: "verify-takes-any-unlinked-line",
        harm: "a line without a link in the middle is taken for a claim's",
        edits: &[Edit {
            file: VERIFY,
            text: "if !(to.awaits_link && number == payment.history.len()) {",
            instead: "if !to.awaits_link {",
        }],
    },
    Mutant {
        name: "id-without-its-lengths",
        harm: "two orders of two merchants run together to one id",
        edits: &[Edit {
            file: ID,
            text: "            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
",
            instead: "",
        }],
    },
    Mutant {
        name: "longest-id-refused",
        harm: "an order number of the longest length is refused",
        edits: &[Edit {
            file: ID,
            text: "if text.chars().count() > max {",
            instead: "if text.chars().count() >= max {",
        }],
    },
    Mutant {
        name: "pace-rounded-up",
        harm: "slots are a fraction too short, and a second holds one call too many",
        edits: &[Edit {
            file: GATE,
            text: ".div_ceil(calls_per_million_seconds)",
            instead: ".saturating_div(calls_per_million_seconds)",
        }],
    },
    Mutant {
        name: "one-slot-beyond-the-latest",
        harm: "a call begins after the last moment at which it can be settled",
        edits: &[Edit {
            file: GATE,
            text: "u32::try_from(room_us / one_us).unwrap_or(u32::MAX).saturating_add(1)",
            instead: "u32::try_from(room_us / one_us).unwrap_or(u32::MAX).saturating_add(2)",
        }],
    },
    Mutant {
        name: "one-entry-of-metadata-too-many",
        harm: "nine entries of metadata are taken where the documents say eight",
        edits: &[Edit {
            file: REQUEST,
            text: "if entries.len() > METADATA_MAX {",
            instead: "if entries.len() > METADATA_MAX + 1 {",
        }],
    },
    Mutant {
        name: "longest-text-refused",
        harm: "a text of the longest length is refused",
        edits: &[Edit {
            file: REQUEST,
            text: "} else if text.chars().count() > max {",
            instead: "} else if text.chars().count() >= max {",
        }],
    },
    Mutant {
        name: "largest-amount-refused",
        harm: "the largest amount of a currency is refused",
        edits: &[Edit { file: MONEY, text: "} else if amount > largest {", instead: "} else if amount >= largest {" }],
    },
    Mutant {
        name: "acknowledged-counts-as-never-sent",
        harm: "what the provider says that it has may be canceled as never sent",
        edits: &[Edit { file: PAYMENT, text: "self.attempts > 0 || self.acknowledged", instead: "self.attempts > 0" }],
    },
    Mutant {
        name: "expires-a-moment-late",
        harm: "a customer whose time is over at this moment is charged",
        edits: &[Edit {
            file: PAYMENT,
            text: "is_some_and(|expires_at| expires_at <= now)",
            instead: "is_some_and(|expires_at| expires_at < now)",
        }],
    },
    Mutant {
        name: "blind-pace-above-the-burst",
        harm: "while a bucket does not answer, an environment lets more of a merchant's payments in at once than its burst",
        edits: &[Edit {
            file: LIMITER,
            text: "self.leased.max(self.leased_before).max(least).max(1).min(limit.burst());",
            instead: "self.leased.max(self.leased_before).max(least).max(1);",
        }],
    },
];
