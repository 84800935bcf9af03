//! Random walks of one payment: what may happen happens, in any order, by clocks that are apart, under claims that may
//! have been lost. Beside the payment stands what is true, so that a rule can be judged by that and not by the item.

use payments::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use payments::backoff::Dice;
use payments::case::CaseResolution;
use payments::evidence::{Evidence, Operator};
use payments::id::ClaimId;
use payments::payment::{Kind, Lane, Order, Payment, RefundOf, State};
use payments::policy::Policy;
use payments::time::Timestamp;
use payments::transition::{Event, Kept, Moment, Replaced, Resolution, Step, transition};
use proptest::prelude::*;

use crate::contract::samples::{NOW, accepted, nonce, order, policy};

/// How far a clock may be from the true time: two of them are at most the policy's skew apart.
pub const SKEW_MS: i64 = 300_000;

/// What is drawn to happen next.
#[derive(Clone, Debug)]
pub enum What {
    Claim {
        lease_ms: u64,
    },
    /// The answer to the call under one of the claims so far; counted from the newest.
    Answer {
        back: usize,
        send: SendAnswer,
        query: QueryAnswer,
    },
    CalledBack(Found),
    Cancel,
    Expire,
    DeadLettered,
    /// For this dead-lettered message, written so long ago; none when a repeated request or the sweep does it.
    Heal(Option<(u8, u64)>),
    Replay,
    Overdue,
    Resolve(Resolution),
    TakeCase(u8),
    CloseCase(CaseResolution),
}

/// One step of a walk.
#[derive(Clone, Debug)]
pub struct Turn {
    pub what: What,
    pub after_ms: u64,
    pub skew_ms: i64,
    pub dice: u64,
}

/// A claim as it truly was.
#[derive(Clone, Debug)]
pub struct Held {
    pub id: ClaimId,
    pub to_send: bool,
    /// True times.
    pub taken_at: u64,
    pub lease_until: u64,
    /// Both before the claim.
    pub attempts: (u32, u32),
    pub answered: Option<(SendAnswer, QueryAnswer)>,
    /// The provider surely did not take it.
    pub refused: bool,
    /// A query that came late enough did not find it.
    pub absent: bool,
}

/// What one step did.
#[derive(Clone, Debug)]
pub struct Done {
    pub before: Payment,
    pub after: Payment,
    pub kept: Option<Kept>,
    pub what: What,
    /// The claim that was answered, as it was before.
    pub answered: Option<Held>,
    /// Whether that claim was the one that stood.
    pub mine: bool,
    /// The mark that the write was to bear.
    pub nonce: payments::id::Nonce,
    /// When, by the clock of whoever decided.
    pub at: Timestamp,
}

/// A payment and the truth about it.
#[derive(Clone, Debug)]
pub struct Walk {
    pub payment: Payment,
    pub policy: Policy,
    /// Milliseconds of true time.
    pub now: u64,
    pub claims: Vec<Held>,
    pub acknowledged: bool,
}

impl Walk {
    pub fn new(order: Order) -> Self {
        let payment = accepted(order);
        Self { payment, policy: policy(), now: NOW.ms(), claims: Vec::new(), acknowledged: false }
    }

    /// Calls whose request may have been written and may yet have an effect that no query has seen.
    pub fn at_large(&self) -> Vec<&Held> {
        self.claims.iter().filter(|held| held.to_send && !held.refused && !held.absent).collect()
    }

    /// Calls whose request may have been written at all.
    pub fn ever_sent(&self) -> bool {
        self.claims.iter().any(|held| held.to_send && !held.refused)
    }

    pub fn take(&mut self, turn: &Turn) -> Done {
        self.now += turn.after_ms;
        let clock = Timestamp::from_ms(self.now.saturating_add_signed(turn.skew_ms));
        let before = self.payment.clone();
        let policy = self.policy.clone();
        let history_keys = Some(&policy.history_keys);
        let moment = Moment { now: clock, nonce: nonce(), dice: Dice(turn.dice), policy: &policy, history_keys };
        let (step, answered, mine) = self.decide(turn, &moment);
        let (after, kept) = match step {
            Step::Change(after) => (*after, None),
            Step::Keep(kept) => (before.clone(), Some(kept)),
        };
        self.learn(turn, &before, &after);
        self.payment = after.clone();
        Done { before, after, kept, what: turn.what.clone(), answered, mine, nonce: moment.nonce.clone(), at: clock }
    }

    fn decide(&mut self, turn: &Turn, moment: &Moment<'_>) -> (Step, Option<Held>, bool) {
        let evidence = Evidence::new("ref-17", "anna", "the console shows it").unwrap();
        let owner;
        let name;
        let event = match &turn.what {
            What::Claim { lease_ms } => {
                let id = ClaimId::from_bits(u128::try_from(self.claims.len()).unwrap());
                Event::Claim { id, lease_until: moment.now.plus_ms(*lease_ms) }
            }
            What::Answer { back, send, query } => return self.answer(*back, send, query, moment),
            What::CalledBack(found) => Event::CalledBack(found),
            What::Cancel => Event::Cancel,
            What::Expire => Event::Expire,
            What::DeadLettered => Event::DeadLettered,
            What::Heal(message) => {
                name = message.map_or_else(String::new, |(id, _)| format!("m-{id}"));
                let replaces =
                    message.map(|(_, ago_ms)| Replaced { message_id: &name, sent_at: moment.now.minus_ms(ago_ms) });
                Event::Heal { replaces }
            }
            What::Replay => Event::Replay,
            What::Overdue => Event::Overdue,
            What::Resolve(end) => Event::Resolve { end: *end, evidence: &evidence },
            What::TakeCase(who) => {
                owner = Operator::new(&format!("operator-{who}")).unwrap();
                Event::TakeCase { owner: &owner }
            }
            What::CloseCase(resolution) => Event::CloseCase { resolution: *resolution, evidence: &evidence },
        };
        (transition(&self.payment, &event, moment), None, false)
    }

    /// A call is answered once; who settles it again says the same again.
    fn answer(
        &mut self,
        back: usize,
        send: &SendAnswer,
        query: &QueryAnswer,
        moment: &Moment<'_>,
    ) -> (Step, Option<Held>, bool) {
        let Some(index) = self.claims.len().checked_sub(1 + back % self.claims.len().max(1)) else {
            return (Step::Keep(Kept::NotDue), None, false);
        };
        let first = (send.clone(), query.clone());
        let (send, query) = self.claims[index].answered.get_or_insert(first).clone();
        let held = self.claims[index].clone();
        let claim = &held.id;
        let mine = self.payment.claim.as_ref().is_some_and(|claim| claim.id == held.id);
        let event = if held.to_send {
            Event::SendAnswered { claim, answer: &send }
        } else {
            Event::QueryAnswered { claim, answer: &query }
        };
        let step = transition(&self.payment, &event, moment);
        let found = match (held.to_send, &send, &query) {
            (true, SendAnswer::Found(found), _) | (false, _, QueryAnswer::Found(found)) => Some(found),
            (_, _, _) => None,
        };
        self.acknowledged |= matches!(found, Some(Found::Accepted { .. })) && !self.payment.state.is_terminal();
        if held.to_send && matches!(send, SendAnswer::NotTaken(_)) {
            self.claims[index].refused = true;
        }
        if !held.to_send && query == QueryAnswer::NotFound {
            // What was not there when it was asked for may have come since, however late the answer is read.
            let asked_at = self.claims[index].taken_at;
            for earlier in self.claims.iter_mut().filter(|held| held.to_send) {
                earlier.absent |= asked_at >= earlier.lease_until + self.policy.absence_bound_ms;
            }
        }
        (step, Some(held), mine)
    }

    fn learn(&mut self, turn: &Turn, before: &Payment, after: &Payment) {
        if let What::CalledBack(Found::Accepted { .. }) = turn.what {
            self.acknowledged |= !before.state.is_terminal();
        }
        if let (What::Claim { lease_ms }, State::Sending) = (&turn.what, after.state)
            && after.version > before.version
        {
            self.claims.push(Held {
                id: after.claim.as_ref().unwrap().id.clone(),
                to_send: before.state == State::Queued,
                taken_at: self.now,
                lease_until: self.now + lease_ms,
                attempts: (before.attempts, before.attempts_left),
                answered: None,
                refused: false,
                absent: false,
            });
        }
    }
}

fn found() -> impl Strategy<Value = Found> {
    prop_oneof![
        2 => Just(Found::Approved { reference: ProviderText::new("ref-1") }),
        3 => Just(Found::Accepted { reference: None }),
        3 => Just(Found::Declined { code: ProviderText::new("insufficient_funds") }),
    ]
}

fn not_taken() -> impl Strategy<Value = NotTaken> {
    prop_oneof![
        proptest::option::of(0_u64..90_000).prop_map(|retry_after_ms| NotTaken::RateLimited { retry_after_ms }),
        Just(NotTaken::ConnectFailed),
        Just(NotTaken::CredentialsRefused),
        Just(NotTaken::NotWritten),
    ]
}

fn unclear() -> impl Strategy<Value = Unclear> {
    prop_oneof![
        Just(Unclear::TimedOut),
        Just(Unclear::ConnectionLost),
        Just(Unclear::ProviderError),
        Just(Unclear::Conflict),
        Just(Unclear::Unreadable),
    ]
}

fn answer() -> impl Strategy<Value = What> {
    let send = prop_oneof![
        2 => found().prop_map(SendAnswer::Found),
        4 => not_taken().prop_map(SendAnswer::NotTaken),
        6 => unclear().prop_map(SendAnswer::Unclear),
    ];
    let query = prop_oneof![
        1 => found().prop_map(QueryAnswer::Found),
        8 => Just(QueryAnswer::NotFound),
        2 => not_taken().prop_map(QueryAnswer::NotTaken),
        1 => unclear().prop_map(QueryAnswer::Unclear),
    ];
    let back = prop_oneof![6 => Just(0_usize), 1 => 1_usize..6];
    (back, send, query).prop_map(|(back, send, query)| What::Answer { back, send, query })
}

fn what() -> impl Strategy<Value = What> {
    let resolution = prop_oneof![Just(Resolution::Succeeded), Just(Resolution::Declined), Just(Resolution::Canceled)];
    prop_oneof![
        24 => (1_u64..20_000).prop_map(|lease_ms| What::Claim { lease_ms }),
        24 => answer(),
        2 => found().prop_map(What::CalledBack),
        2 => Just(What::Cancel),
        1 => Just(What::Expire),
        2 => Just(What::DeadLettered),
        1 => proptest::option::of((0_u8..3, 0_u64..300_000)).prop_map(What::Heal),
        3 => Just(What::Replay),
        1 => Just(What::Overdue),
        1 => resolution.prop_map(What::Resolve),
        1 => (0_u8..2).prop_map(What::TakeCase),
        1 => prop_oneof![Just(CaseResolution::Refund), Just(CaseResolution::RefundElsewhere), Just(CaseResolution::Accept)].prop_map(What::CloseCase),
    ]
}

/// A step, mostly soon after the one before, now and then much later.
pub fn turn() -> impl Strategy<Value = Turn> {
    let after_ms = prop_oneof![
        12 => 0_u64..5_000,
        4 => 5_000_u64..60_000,
        6 => 600_000_u64..3_600_000,
        1 => 3_600_000_u64..43_200_000,
    ];
    (what(), after_ms, -SKEW_MS..=SKEW_MS, any::<u64>()).prop_map(|(what, after_ms, skew_ms, dice)| Turn {
        what,
        after_ms,
        skew_ms,
        dice,
    })
}

/// An order of any kind, which may expire.
pub fn any_order() -> impl Strategy<Value = Order> {
    let kind = prop_oneof![Just(Kind::Charge), Just(Kind::Refund), Just(Kind::Payout)];
    let expires_ms = proptest::option::weighted(0.3, 1_u64..7_200_000);
    (kind, expires_ms, any::<bool>()).prop_map(|(kind, expires_ms, high)| Order {
        kind,
        expires_at: expires_ms.map(|ms| NOW.plus_ms(ms)),
        lane: if high { Lane::High } else { Lane::Standard },
        refund_of: (kind == Kind::Refund).then_some(RefundOf::Unlinked),
        ..order()
    })
}
