//! What becomes of messages: at `dead_letter`, in the triage, and in the answer to a batch.

use crate::{Edit, Mutant};

const DEAD_LETTER: &str = "functions/dead_letter/src/lib.rs";
const TRIAGE: &str = "functions/payments/src/transition/triage.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "receive-count-used-as-attempts",
        harm: "what waited too often for a slot, a pause or a throttled table is parked untried",
        edits: &[Edit {
            file: "functions/payments/src/transition.rs",
            text: "            Some((state, reason)) => Draft::of(payment, moment).go(state, reason, None),
            None => Step::Keep(Kept::NotDue),
        },
        State::Sending =>",
            instead: "            Some((state, reason)) => Draft::of(payment, moment).go(state, reason, None),
            None => Draft::of(payment, moment).go(State::Parked, Reason::AttemptsUsedUp, None),
        },
        State::Sending =>",
        }],
    },
    Mutant {
        name: "heal-drops-before-it-sends",
        harm: "a dead letter is deleted although the message that replaces it could not be sent",
        edits: &[Edit {
            file: DEAD_LETTER,
            text: "                        error!(event = EventName::MessageSendFailed.as_str(), payment_id = payment.id.as_str(), %error);
                        Verdict::Again { seconds: PORT_DOWN_SECONDS }",
            instead: "                        error!(event = EventName::MessageSendFailed.as_str(), payment_id = payment.id.as_str(), %error);
                        Verdict::Done",
        }],
    },
    Mutant {
        // As it was until the simulator's dead letters found it.
        name: "heal-done-again-looks-younger",
        harm: "what a dead letter's first delivery has put back is dropped in favour of what its second never sent",
        edits: &[Edit {
            file: "functions/payments/src/transition/lost.rs",
            text: "(heal.times, heal.at.min(now)),",
            instead: "(heal.times, now),",
        }],
    },
    Mutant {
        name: "dead-letter-of-an-unknown-payment-dropped",
        harm: "nobody asks the provider any more what became of a payment",
        edits: &[Edit {
            file: TRIAGE,
            text: "        State::Queued | State::Pending | State::Unknown => Triage::Heal,",
            instead: "        State::Unknown => Triage::Drop,
        State::Queued | State::Pending => Triage::Heal,",
        }],
    },
    Mutant {
        name: "table-down-means-done",
        harm: "a dead letter whose item could not be read is deleted",
        edits: &[Edit {
            file: DEAD_LETTER,
            text: "Verdict::port_down(error, PORT_DOWN_SECONDS)",
            instead: "match error { StoreError::Refused(_) | StoreError::Unresolved(_) | StoreError::Corrupt(_) => Verdict::Done }",
        }],
    },
    Mutant {
        name: "late-duplicate-taken-for-a-replay",
        harm: "a second copy of a message that comes late undoes what was put in front of a person",
        edits: &[Edit {
            file: "functions/payments/src/message.rs",
            text: "        sent_timestamp > parked_at && sent_timestamp > self.sent_at.plus_ms(LATE_SEND_MS)",
            instead: "        sent_timestamp.plus_ms(86_400_000) > parked_at",
        }],
    },
    Mutant {
        name: "record-without-a-verdict-is-done",
        harm: "what a batch had no time for is deleted with it",
        edits: &[Edit {
            file: "functions/consumer/src/lib.rs",
            text: "        batch::response(failed.into_iter().chain(open))",
            instead: "        batch::response(failed)",
        }],
    },
];
