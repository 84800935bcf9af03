//! How the sandbox misbehaves, and when: by dice that fall the same way in every run of the same seed.

/// One way to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Takes `slow_ms` longer, sends and queries; falls apart from the others and together with them.
    Slow,
    /// 429 although the rate is kept, sends and queries.
    RateLimited,
    /// 500 and no effect, sends and queries.
    ErrorBefore,
    /// The connection is closed without an answer and without an effect, sends and queries.
    DropBefore,
    /// The payment is declined.
    Decline,
    /// The payment is accepted and approved `pending_ms` later.
    Pending,
    /// The payment is done, and the answer is a 500.
    ErrorAfter,
    /// The payment is done, and the connection is closed without an answer.
    DropAfter,
    /// The payment is done, and the answer speaks of another amount.
    Unreadable,
    /// The payment is done `late_ms` after its request came, and never answered.
    Late,
    /// What is true is said, with a signature that is not the provider's, to sends and queries; where answers are signed.
    WronglySigned,
    /// What came of the payment is also said by a callback; falls beside the others, as do the two below.
    Callback,
    /// The callback comes twice.
    CallbackTwice,
    /// The first callback of a payment comes `slow_ms` later, after what follows it.
    CallbackLate,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 14] = [
        Self::Slow,
        Self::RateLimited,
        Self::ErrorBefore,
        Self::DropBefore,
        Self::Decline,
        Self::Pending,
        Self::ErrorAfter,
        Self::DropAfter,
        Self::Unreadable,
        Self::Late,
        Self::WronglySigned,
        Self::Callback,
        Self::CallbackTwice,
        Self::CallbackLate,
    ];

    /// Whether it falls to a call beside any other.
    const fn falls_beside(self) -> bool {
        matches!(self, Self::Slow | Self::Callback | Self::CallbackTwice | Self::CallbackLate)
    }

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::RateLimited => "rate_limited",
            Self::ErrorBefore => "error_before",
            Self::DropBefore => "drop_before",
            Self::Decline => "decline",
            Self::Pending => "pending",
            Self::ErrorAfter => "error_after",
            Self::DropAfter => "drop_after",
            Self::Unreadable => "unreadable",
            Self::Late => "late",
            Self::WronglySigned => "wrongly_signed",
            Self::Callback => "callback",
            Self::CallbackTwice => "callback_twice",
            Self::CallbackLate => "callback_late",
        }
    }
}

/// The share of calls that each fault happens to, from 0 to 1. But for `slow` and the callbacks, at most one happens to a call, so those
/// shares add up to 1 at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "each is the fault of the same name, which says what it does")]
pub struct Faults {
    pub slow: f64,
    pub rate_limited: f64,
    pub error_before: f64,
    pub drop_before: f64,
    pub decline: f64,
    pub pending: f64,
    pub error_after: f64,
    pub drop_after: f64,
    pub unreadable: f64,
    pub late: f64,
    pub wrongly_signed: f64,
    pub callback: f64,
    pub callback_twice: f64,
    pub callback_late: f64,
}

impl Faults {
    /// A fault's share.
    pub const fn share(&self, fault: Fault) -> f64 {
        match fault {
            Fault::Slow => self.slow,
            Fault::RateLimited => self.rate_limited,
            Fault::ErrorBefore => self.error_before,
            Fault::DropBefore => self.drop_before,
            Fault::Decline => self.decline,
            Fault::Pending => self.pending,
            Fault::ErrorAfter => self.error_after,
            Fault::DropAfter => self.drop_after,
            Fault::Unreadable => self.unreadable,
            Fault::Late => self.late,
            Fault::WronglySigned => self.wrongly_signed,
            Fault::Callback => self.callback,
            Fault::CallbackTwice => self.callback_twice,
            Fault::CallbackLate => self.callback_late,
        }
    }

    /// Sets a fault's share.
    pub const fn set(&mut self, fault: Fault, share: f64) {
        let place = match fault {
            Fault::Slow => &mut self.slow,
            Fault::RateLimited => &mut self.rate_limited,
            Fault::ErrorBefore => &mut self.error_before,
            Fault::DropBefore => &mut self.drop_before,
            Fault::Decline => &mut self.decline,
            Fault::Pending => &mut self.pending,
            Fault::ErrorAfter => &mut self.error_after,
            Fault::DropAfter => &mut self.drop_after,
            Fault::Unreadable => &mut self.unreadable,
            Fault::Late => &mut self.late,
            Fault::WronglySigned => &mut self.wrongly_signed,
            Fault::Callback => &mut self.callback,
            Fault::CallbackTwice => &mut self.callback_twice,
            Fault::CallbackLate => &mut self.callback_late,
        };
        *place = share;
    }

    /// Says what is wrong with the shares, if anything is.
    pub fn check(&self) -> Result<(), String> {
        let mut sum = 0.0;
        for fault in Fault::ALL {
            let share = self.share(fault);
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("the share of {} must be from 0 to 1, not {share}", fault.name()));
            }
            if !fault.falls_beside() {
                sum += share;
            }
        }
        // Shares such as 0.1 and 0.9 need not add up to 1 exactly.
        if sum > 1.0 + 1e-9 {
            return Err(format!(
                "the shares of all faults but slow and the callbacks add up to {sum}; at most one of them happens to a \
                 call, so 1 is the most"
            ));
        }
        Ok(())
    }
}

/// Reads `NAME=SHARE`, such as `drop_after=0.02`.
pub fn parse_fault(text: &str) -> Result<(Fault, f64), String> {
    let known = || Fault::ALL.map(Fault::name).join(", ");
    let Some((name, share)) = text.split_once('=') else {
        return Err(format!("`{text}` must be NAME=SHARE, such as drop_after=0.02; the names are {}", known()));
    };
    let Some(fault) = Fault::ALL.into_iter().find(|fault| fault.name() == name) else {
        return Err(format!("`{name}` is not a fault; the faults are {}", known()));
    };
    match share.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok((fault, share)),
        Ok(_) | Err(_) => Err(format!("the share of {name} must be from 0 to 1, such as 0.02, not `{share}`")),
    }
}

/// What falls to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) fault: Option<Fault>,
    pub(super) slow: bool,
    pub(super) latency_ms: u64,
    /// One of the decline codes, should it be declined.
    pub(super) decline_code: &'static str,
    pub(super) callback: Option<DrawnCallback>,
}

/// How what came of a call is called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DrawnCallback {
    pub(super) twice: bool,
    pub(super) late: bool,
}

const DECLINE_CODES: [&str; 4] = ["insufficient_funds", "card_declined", "expired_card", "limit_exceeded"];

/// Draws for a payment's call of this number. Neither the time nor the order of other payments' calls has a part in it.
pub(super) fn draw(
    seed: u64,
    payment_id: &str,
    call_number: u32,
    faults: &Faults,
    (min_ms, max_ms): (u64, u64),
) -> Drawn {
    let mut dice = fastrand::Rng::with_seed(mix(seed, payment_id, call_number));
    let slow = dice.f64() < faults.slow;
    let mut rest = dice.f64();
    let mut drawn = None;
    for fault in Fault::ALL.into_iter().filter(|fault| !fault.falls_beside()) {
        rest -= faults.share(fault);
        if rest < 0.0 {
            drawn = Some(fault);
            break;
        }
    }
    Drawn {
        fault: drawn,
        slow,
        latency_ms: dice.u64(min_ms..=max_ms.max(min_ms)),
        decline_code: DECLINE_CODES[dice.usize(..DECLINE_CODES.len())],
        callback: (dice.f64() < faults.callback).then(|| DrawnCallback {
            twice: dice.f64() < faults.callback_twice,
            late: dice.f64() < faults.callback_late,
        }),
    }
}

/// FNV-1a, 64 bits: the standard library's hash may change from one release to the next.
fn mix(seed: u64, payment_id: &str, call_number: u32) -> u64 {
    let number = call_number.to_be_bytes();
    let seed = seed.to_be_bytes();
    let bytes = seed.iter().chain(payment_id.as_bytes()).chain(&number);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
