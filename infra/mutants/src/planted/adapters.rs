//! In the adapters and at the doors: what only a test of the wire, of an expression or of an answer's words can see.

use crate::{Edit, Mutant};

const VERDICT: &str = "functions/aws/src/verdict.rs";
const CLAIM: &str = "functions/aws/src/store/claim.rs";
const GATES: &str = "functions/aws/src/gates.rs";
const CONTRACT: &str = "functions/providers/src/open/contract.rs";
const CALL: &str = "functions/providers/src/http/call.rs";
const POOL: &str = "functions/providers/src/http/pool.rs";
const SIGNATURES: &str = "functions/providers/src/open/callback.rs";
const INGEST: &str = "functions/ingest/src/lib.rs";
const CREATE: &str = "functions/ingest/src/create.rs";
const CALLERS: &str = "functions/ingest/src/callers.rs";
const BATCH: &str = "functions/batch/src/lib.rs";
const RECONCILE: &str = "functions/reconcile/src/lib.rs";
const LOOK: &str = "functions/reconcile/src/look.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "timed-out-write-counts-as-refused",
        harm: "a write that AWS answered with 408 may have been done, and counts as not done",
        edits: &[Edit {
            file: VERDICT,
            text: "(400..500).contains(&status) && status != 408",
            instead: "(400..500).contains(&status)",
        }],
    },
    Mutant {
        name: "earlier-doubt-forgotten",
        harm: "a lost answer followed by a throttled try looks like a plain refusal",
        edits: &[Edit {
            file: VERDICT,
            text: "    if attempts.doubtful() {",
            instead: "    if attempts.doubtful() && operation.is_empty() {",
        }],
    },
    Mutant {
        name: "canceled-payment-claimed-unread",
        harm: "a first claim sends what its merchant has asked to cancel",
        edits: &[Edit {
            file: CLAIM,
            text: "         AND attribute_not_exists({cancel_requested_at}) \\
         AND size",
            instead: "         AND (attribute_not_exists({cancel_requested_at}) OR attribute_exists({cancel_requested_at})) \\
         AND size",
        }],
    },
    Mutant {
        name: "claimed-without-an-attempt-left",
        harm: "a first claim uses an attempt that is not there",
        edits: &[Edit { file: CLAIM, text: "AND {attempts_left} > {zero}", instead: "AND {attempts_left} >= {zero}" }],
    },
    Mutant {
        name: "gate-made-anew",
        harm: "an environment that comes late sets the gate back to its settings",
        edits: &[Edit {
            file: GATES,
            text: "\"attribute_not_exists(#provider)\"",
            instead: "\"attribute_not_exists(#provider) OR attribute_exists(#provider)\"",
        }],
    },
    Mutant {
        name: "answer-about-another-amount",
        harm: "an answer about another amount settles the payment",
        edits: &[Edit {
            file: CONTRACT,
            text: "            && self.amount == asked.money.amount()
",
            instead: "",
        }],
    },
    Mutant {
        name: "absence-of-another-payment",
        harm: "a 404 about another payment proves this one absent",
        edits: &[Edit {
            file: CONTRACT,
            text: "if says.payment_id == asked.id.as_str() { Ok(()) }",
            instead: "if !says.payment_id.is_empty() { Ok(()) }",
        }],
    },
    Mutant {
        name: "retry-after-taken-for-milliseconds",
        harm: "a provider that asks for a minute is asked again after 60 ms",
        edits: &[Edit {
            file: "functions/providers/src/contract.rs",
            text: "unwrap_or(u64::MAX).saturating_mul(1_000)",
            instead: "unwrap_or(u64::MAX)",
        }],
    },
    Mutant {
        name: "idle-connection-kept-for-hours",
        harm: "a connection that the provider's edge has long forgotten is used, and its call is lost",
        edits: &[
            Edit {
                file: POOL,
                text: "if since.elapsed() >= self.idle_timeout {",
                instead: "if since.elapsed() >= self.idle_timeout * 1_000 {",
            },
            Edit {
                file: POOL,
                text: "        let mut idle = self.lock();
        idle.retain(|(since, _)| since.elapsed() < self.idle_timeout);
",
                instead: "        let mut idle = self.lock();
",
            },
        ],
    },
    Mutant {
        name: "callback-with-any-number-of-signatures",
        harm: "one request makes us compute thousands of signatures",
        edits: &[Edit {
            file: SIGNATURES,
            text: "\"v1\" if tags.len() >= SIGNATURES_MAX => return None,",
            instead: "\"v1\" if tags.len() >= SIGNATURES_MAX * 100 => return None,",
        }],
    },
    Mutant {
        name: "callback-from-the-future",
        harm: "what was signed for tomorrow is taken today",
        edits: &[Edit {
            file: SIGNATURES,
            text: "now.since_ms(at).max(at.since_ms(now)) > TOLERANCE_MS",
            instead: "now.since_ms(at) > TOLERANCE_MS",
        }],
    },
    Mutant {
        name: "key-that-was-not-bound-passes",
        harm: "an order is accepted though its idempotency key could not be written down",
        edits: &[Edit {
            file: CREATE,
            text: "error!(event = EventName::KeyWriteFailed.as_str(), payment_id = id.as_str(), %error);
                Err(Problem::NotWritten(id.clone()))",
            instead: "error!(event = EventName::KeyWriteFailed.as_str(), payment_id = id.as_str(), %error);
                Ok(())",
        }],
    },
    Mutant {
        name: "unresolved-put-told-as-not-written",
        harm: "a merchant is told that nothing was accepted where nobody knows",
        edits: &[Edit {
            file: CREATE,
            text: "            StoreError::Refused(_) => Problem::NotWritten(id.clone()),
            StoreError::Unresolved(_) | StoreError::Corrupt(_) => Problem::MayBeAccepted(id.clone()),",
            instead:
                "            StoreError::Refused(_) | StoreError::Unresolved(_) => Problem::NotWritten(id.clone()),
            StoreError::Corrupt(_) => Problem::MayBeAccepted(id.clone()),",
        }],
    },
    Mutant {
        name: "anybodys-payment-shown",
        harm: "a merchant reads another's payment by its id",
        edits: &[Edit {
            file: INGEST,
            text: "Some(payment) if payment.order.merchant == merchant.merchant => Ok(payment),",
            instead: "Some(payment) if !merchant.merchant.as_str().is_empty() => Ok(payment),",
        }],
    },
    Mutant {
        name: "unknown-key-believed-for-a-minute",
        harm: "a key that was just made is refused for a minute",
        edits: &[Edit {
            file: CALLERS,
            text: "if merchant.is_some() { KNOWN_MS } else { UNKNOWN_MS }",
            instead: "if merchant.is_some() { KNOWN_MS } else { KNOWN_MS }",
        }],
    },
    Mutant {
        name: "first-receive-counts-as-a-second",
        harm: "each payment costs a read before its claim",
        edits: &[Edit { file: BATCH, text: "|receives: u32| receives > 1", instead: "|receives: u32| receives >= 1" }],
    },
    Mutant {
        name: "hidden-for-whole-twelve-hours",
        harm: "SQS refuses to hide what was received minutes ago for 12 hours more, and it comes again at once",
        edits: &[Edit { file: BATCH, text: ".clamp(1, HIDE_SECONDS_MAX)", instead: ".clamp(1, 43_200)" }],
    },
    Mutant {
        name: "one-heal-beyond-the-sweeps-bound",
        harm: "a sweep puts back one more than it may",
        edits: &[Edit {
            file: RECONCILE,
            text: "tally.sweep.healed < self.most_heals",
            instead: "tally.sweep.healed <= self.most_heals",
        }],
    },
    Mutant {
        name: "sweep-without-an-end",
        harm: "a sweep of a long list is killed by Lambda, and tells nobody what it found",
        edits: &[Edit {
            file: RECONCILE,
            text: "self.ledger.now() >= end",
            instead: "self.ledger.now() >= end && end.ms() == 0",
        }],
    },
    Mutant {
        name: "young-refund-without-its-charge",
        harm: "a refund is told as without its charge while it is new, and no more when it is old",
        edits: &[Edit {
            file: LOOK,
            text: "if age_ms >= self.ledger.policy().overdue_after_ms && !payment",
            instead: "if age_ms < self.ledger.policy().overdue_after_ms && !payment",
        }],
    },
    Mutant {
        name: "connection-kept-after-an-overlong-answer",
        harm: "a call is made on a connection whose last answer was given up in the middle",
        edits: &[Edit {
            file: CALL,
            text: "if matches!(reply.body, Body::Whole(_)) {",
            instead: "if matches!(reply.body, Body::Whole(_) | Body::Malformed) {",
        }],
    },
];
