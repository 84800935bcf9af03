//! In waits and counts: what is right but for how long, how often or how much.

use crate::{Edit, Mutant};

const JOB: &str = "functions/consumer/src/job.rs";
const POLICY: &str = "functions/payments/src/policy.rs";
const PACE: &str = "functions/consumer/src/pace.rs";
const DEAD_LETTER: &str = "functions/dead_letter/src/lib.rs";
const RECONCILE: &str = "functions/reconcile/src/lib.rs";
const LOST: &str = "functions/payments/src/transition/lost.rs";
const QUEUE: &str = "functions/aws/src/queue.rs";
const TRIAGE: &str = "functions/payments/src/transition/triage.rs";
const OPEN: &str = "functions/aws/src/open.rs";
const ADMISSION: &str = "functions/ingest/src/admission.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "store-down-waits-for-minutes",
        harm: "a table that is down for a moment costs each of its payments minutes",
        edits: &[Edit { file: JOB, text: "Verdict::port_down(error, STORE_DOWN_SECONDS)", instead: "Verdict::port_down(error, STORE_DOWN_SECONDS * 100)" }, ],
    },
    Mutant {
        name: "missing-item-waits-for-minutes",
        harm: "a message that overtook its item is looked at when its customer has left",
        edits: &[Edit { file: JOB, text: "Verdict::Again { seconds: MISSING_ITEM_SECONDS }", instead: "Verdict::Again { seconds: MISSING_ITEM_SECONDS * 30 }" }, ],
    },
    Mutant {
        name: "settled-by-one-try",
        harm: "one throttled write makes a payment that was done unknown until a lease and a query later",
        edits: &[Edit { file: JOB, text: "for _ in 0..SETTLE_TRIES {", instead: "for _ in 0..SETTLE_TRIES.min(1) {" }, ],
    },
    Mutant {
        name: "slot-without-time-to-settle",
        harm: "a request is written so late that its answer cannot be written down under its lease",
        edits: &[Edit { file: POLICY, text: "until.minus_ms(self.call_timeout_ms.saturating_add(self.settle_allowance_ms))", instead: "until.minus_ms(self.call_timeout_ms)" }, ],
    },
    Mutant {
        name: "slot-used-ten-margins-late",
        harm: "what is late by more than the margin goes out above the provider's rate",
        edits: &[Edit { file: JOB, text: "now_us <= slot.start_us.saturating_add(slot.of.margin_us)", instead: "now_us <= slot.start_us.saturating_add(slot.of.margin_us.saturating_mul(10))" }, ],
    },
    Mutant {
        name: "gate-not-looked-at-in-the-slot",
        harm: "a call is made in a slot from before the breaker opened, which the batch's other calls have just opened",
        edits: &[Edit { file: JOB, text: "if !may_be_written(&held.payment, &held.claim, now, latest) || !self.may_send(slot) {", instead: "if !may_be_written(&held.payment, &held.claim, now, latest) {" }, ],
    },
    Mutant {
        name: "due-message-hidden-without-the-cap",
        harm: "a message sleeps through a callback or a person's replay for as long as its payment was once to wait",
        edits: &[Edit { file: JOB, text: "payment.due_at.unwrap_or(now).min(longest)", instead: "payment.due_at.unwrap_or(now)" }, ],
    },
    Mutant {
        name: "claim-of-another-taken-for-ours",
        harm: "two consumers call for one payment under one claim",
        edits: &[Edit { file: JOB, text: "payment.state == State::Sending && claim.id == *id", instead: "payment.state == State::Sending" }, ],
    },
    Mutant {
        name: "stopped-batch-hidden-for-an-hour",
        harm: "an operator resumes a provider and nothing is sent for an hour",
        edits: &[Edit { file: PACE, text: "STOPPED_HIDE_MS.min(self.ledger.policy().backoff_cap_ms)", instead: "STOPPED_HIDE_MS * 180" }, ],
    },
    Mutant {
        name: "stopped-batch-comes-back-at-once",
        harm: "a pause of a day uses up every message's receives",
        edits: &[Edit { file: PACE, text: "if self.seen().is_stopped(now_us) {", instead: "if self.seen().is_stopped(now_us) && now_us == 0 {" }, ],
    },
    Mutant {
        name: "gate-down-waits-for-minutes",
        harm: "a gate that is throttled for a moment stops a consumer's whole batch for minutes",
        edits: &[Edit { file: PACE, text: "Turn::Over(Verdict::Again { seconds: GATE_DOWN_SECONDS })", instead: "Turn::Over(Verdict::Again { seconds: GATE_DOWN_SECONDS * 100 })" }, ],
    },
    Mutant {
        name: "gate-down-sends-all-the-same",
        harm: "a gate that cannot be read counts as free: everybody sends at once",
        edits: &[Edit { file: PACE, text: "                Turn::Over(Verdict::Again { seconds: GATE_DOWN_SECONDS })", instead: "                let margin_us = 1_000_000;
                let version = u64::MAX;
                let span_us = u64::from(wanted);
                Turn::Slots(Slots { first_us: earliest_us, count: wanted, span_us, margin_us, version, permille: 1_000, is_probe: false })" }, ],
    },
    Mutant {
        name: "newer-dead-letter-waits-for-hours",
        harm: "a payment of newer code is taken up hours after that code was deployed",
        edits: &[Edit { file: DEAD_LETTER, text: "NEWER_VERSION_SECONDS.saturating_mul(1_000)", instead: "NEWER_VERSION_SECONDS.saturating_mul(4_000)" }, ],
    },
    Mutant {
        name: "dead-letter-without-an-item-waits-for-minutes",
        harm: "a dead letter that overtook its item is put in front of people instead",
        edits: &[Edit { file: DEAD_LETTER, text: "Verdict::Again { seconds: MISSING_ITEM_LOOK_SECONDS }", instead: "Verdict::Again { seconds: MISSING_ITEM_LOOK_SECONDS * 40 }" }, ],
    },
    Mutant {
        name: "dead-letter-waits-for-a-table-for-hours",
        harm: "one throttled read costs a payment in the DLQ hours",
        edits: &[Edit { file: DEAD_LETTER, text: "Verdict::port_down(error, PORT_DOWN_SECONDS)", instead: "Verdict::port_down(error, PORT_DOWN_SECONDS * 60)" }, ],
    },
    Mutant {
        name: "dead-letter-looks-again-at-once",
        harm: "a table that is down uses up the receives of every dead letter, so that people get them",
        edits: &[Edit { file: DEAD_LETTER, text: "Verdict::port_down(error, PORT_DOWN_SECONDS)", instead: "match error { StoreError::Refused(_) | StoreError::Unresolved(_) | StoreError::Corrupt(_) => Verdict::PassOn }" }, ],
    },
    Mutant {
        name: "lane-in-flight-counted-as-empty",
        harm: "payments whose messages are being worked at count as lost, and a second message is sent for each",
        edits: &[Edit { file: RECONCILE, text: "Ok(depth) => depth.all() == 0,", instead: "Ok(depth) => depth.waiting == 0," }, ],
    },
    Mutant {
        name: "depth-that-cannot-be-read-counts-as-empty",
        harm: "a throttled queue makes the sweep put back what merely waits in a sale",
        edits: &[Edit { file: RECONCILE, text: "                error!(event = EventName::DepthUnreadable.as_str(), lane = lane.as_str(), %error);
                false", instead: "                error!(event = EventName::DepthUnreadable.as_str(), lane = lane.as_str(), %error);
                true" }, ],
    },
    Mutant {
        name: "ids-without-a-bound-in-a-log-line",
        harm: "a bad day's line is longer than CloudWatch takes, and nobody is told",
        edits: &[Edit { file: RECONCILE, text: "if is_one && ids.len() < IDS_MAX {", instead: "if is_one {" }, ],
    },
    Mutant {
        name: "busy-lane-waits-for-half-a-day",
        harm: "what lost its message while a sale goes on is found after the sale's day",
        edits: &[Edit { file: LOST, text: "else { LOST_IN_BUSY_LANE_MS };", instead: "else { LOST_IN_BUSY_LANE_MS * 12 };" }, ],
    },
    Mutant {
        name: "delay-of-a-second-too-many",
        harm: "SQS is asked for a delay that it refuses, and a message is not put back",
        edits: &[Edit { file: QUEUE, text: ".filter(|_| seconds <= max)", instead: ".filter(|_| seconds <= max + 1)" }, ],
    },
    Mutant {
        name: "heal-delayed-beyond-what-sqs-takes",
        harm: "a dead letter of what is due in hours is never put back: SQS refuses its delay",
        edits: &[Edit { file: TRIAGE, text: ".min(DELAY_SECONDS_MAX)).unwrap_or(900)", instead: ".min(DELAY_SECONDS_MAX + 1)).unwrap_or(900)" }, ],
    },
    Mutant {
        name: "delayed-messages-not-counted",
        harm: "a lane whose messages are all delayed counts as empty, and each gets a second one",
        edits: &[Edit { file: OPEN, text: "count(&VISIBLE)?.saturating_add(count(&DELAYED)?)", instead: "count(&VISIBLE)?" }, ],
    },
    Mutant {
        name: "told-wait-ignores-what-is-due",
        harm: "a merchant is told a second for a payment that is to be looked at in minutes",
        edits: &[Edit { file: ADMISSION, text: "
                .map(|seconds| seconds.max(due_seconds)),", instead: "
                .map(|seconds| seconds.max(due_seconds.min(1)))," }, ],
    },
];
