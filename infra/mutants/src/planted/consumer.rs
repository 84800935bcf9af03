//! At the `consumer`: when a message goes, when a request is written, and what its silence means.

use crate::{Edit, Mutant};

const JOB: &str = "functions/consumer/src/job.rs";
const LAST_LOOK: &str = "functions/payments/src/transition/last_look.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "acknowledged-before-it-is-settled",
        harm: "the message is deleted although the provider's answer could not be written down",
        edits: &[Edit {
            file: JOB,
            text: "        Verdict::again_at(held.claim.lease_until, self.ledger.now())",
            instead: "        Verdict::Done",
        }],
    },
    Mutant {
        name: "acknowledged-on-somebody-elses-lease",
        harm: "the message is deleted while another consumer, which may die, is still sending",
        edits: &[Edit {
            file: JOB,
            text: "        if let Some(Kept::LeaseHeld { until }) = kept {
            return Verdict::again_at(until, now);
        }",
            instead: "        if let Some(Kept::LeaseHeld { .. }) = kept {
            return Verdict::Done;
        }",
        }],
    },
    Mutant {
        name: "acknowledged-while-pending",
        harm: "the provider has it and says how it ended by no callback: nobody asks",
        edits: &[Edit {
            file: JOB,
            text: "            State::Queued | State::Pending | State::Unknown => {
                Verdict::again_at(",
            instead: "            State::Pending => Verdict::Done,
            State::Queued | State::Unknown => {
                Verdict::again_at(",
        }],
    },
    Mutant {
        name: "lease-not-looked-at-before-the-call",
        harm: "who was frozen past its lease writes its request while another may be sending",
        edits: &[
            Edit {
                file: LAST_LOOK,
                text: "    let too_late_to_start = now > latest;",
                instead: "    let too_late_to_start = now > latest && latest.ms() == 0;",
            },
            // A slot that was missed is replaced only by one within the lease, which would save it.
            Edit {
                file: JOB,
                text: "            if now_us <= slot.start_us.saturating_add(slot.of.margin_us) {",
                instead: "            if now_us >= slot.start_us {",
            },
        ],
    },
    Mutant {
        name: "expiry-not-looked-at-before-the-call",
        harm: "a customer who left is charged",
        edits: &[Edit {
            file: LAST_LOOK,
            text: "    let too_late_to_pay = claim.from == State::Queued && payment.is_expired(now);",
            instead: "    let too_late_to_pay = claim.from == State::Sending && payment.is_expired(now);",
        }],
    },
    Mutant {
        name: "time-out-treated-as-not-sent",
        harm: "a request that got no answer in time is sent again at once",
        edits: &[Edit {
            file: JOB,
            text: "                Answer::Send(answer.unwrap_or(SendAnswer::Unclear(Unclear::TimedOut)))",
            instead: "                Answer::Send(answer.unwrap_or(SendAnswer::NotTaken(NotTaken::NotWritten)))",
        }],
    },
    Mutant {
        name: "fresh-key-for-each-attempt",
        harm: "the provider cannot tell a second attempt from a second payment",
        edits: &[Edit {
            file: JOB,
            text: "                let sending = connection.send(&payment.id, &payment.order);",
            instead: "                let order_id = format!(\"{}.{}\", payment.order.order_id, payment.attempts);
                let order_id = payments::id::OrderId::new(order_id).unwrap_or_else(|_| payment.order.order_id.clone());
                let fresh =
                    payments::id::PaymentId::derive(&payment.order.merchant, payment.order.kind, &order_id);
                let key = if payment.attempts > 1 { &fresh } else { &payment.id };
                let sending = connection.send(key, &payment.order);",
        }],
    },
    Mutant {
        name: "query-replaced-by-a-send",
        harm: "what may have been charged is sent again instead of asked about",
        edits: &[
            Edit {
                file: JOB,
                text: "            State::Queued => {
                let sending",
                instead: "            State::Queued | State::Unknown => {
                let sending",
            },
            Edit {
                file: JOB,
                text: "            | State::Pending
            | State::Unknown
            | State::Parked
            | State::Succeeded",
                instead: "            | State::Pending
            | State::Parked
            | State::Succeeded",
            },
        ],
    },
    Mutant {
        name: "replay-by-message-skips-the-item",
        harm: "a person's replay claims what is parked to send it, whatever was sent before",
        edits: &[Edit {
            file: JOB,
            text: "            Ok(Outcome::Changed(payment)) => {
                info!(event = EventName::PaymentReplayedByOperator.as_str(), payment_id = payment.id.as_str());
                Ok(*payment)",
            instead: "            Ok(Outcome::Changed(payment)) => {
                info!(event = EventName::PaymentReplayedByOperator.as_str(), payment_id = payment.id.as_str());
                Ok(Payment { state: State::Queued, ..*payment })",
        }],
    },
];
