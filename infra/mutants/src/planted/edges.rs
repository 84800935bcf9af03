//! At the edges of the core's rules: a comparison, a bound or a field that one more case depends on.

use crate::{Edit, Mutant};

const RESTORED: &str = "functions/payments/src/transition/restored.rs";
const MESSAGE: &str = "functions/payments/src/message.rs";
const OVERDUE: &str = "functions/payments/src/transition/overdue.rs";
const OPERATOR: &str = "functions/payments/src/transition/operator.rs";
const LOST: &str = "functions/payments/src/transition/lost.rs";
const ANSWERED: &str = "functions/payments/src/transition/answered.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "restore-forgets-earlier-attempts",
        harm: "a decline after a restore is believed though an earlier attempt may have had an effect",
        edits: &[Edit { file: RESTORED, text: "next.attempts = next.attempts.max(1);", instead: "next.attempts = 1;" }],
    },
    Mutant {
        name: "restore-counts-as-never-sent",
        harm: "what a restored table holds as queued may have been charged, and is canceled as never sent",
        edits: &[Edit {
            file: RESTORED,
            text: "    next.attempts = next.attempts.max(1);
",
            instead: "",
        }],
    },
    Mutant {
        name: "restore-takes-the-later-first-send",
        harm: "the key window counts from the recovery point though a request was sent before it",
        edits: &[Edit { file: RESTORED, text: "at.min(earliest)", instead: "at.max(earliest)" }],
    },
    Mutant {
        name: "restore-takes-the-earlier-last-write",
        harm: "an absence is believed though a request may have been written until the consumers were off",
        edits: &[Edit { file: RESTORED, text: "until.max(recovery.at)", instead: "until.min(recovery.at)" }],
    },
    Mutant {
        name: "restore-keeps-the-old-wait",
        harm: "what is to be asked about after a restore waits for what it waited for before",
        edits: &[Edit {
            file: RESTORED,
            text: "    next.due_at = None;
    next.waits = 0;",
            instead: "    next.waits = 0;",
        }],
    },
    Mutant {
        name: "late-send-taken-for-a-person",
        harm: "a send of our own that was slow on its way replays what was parked",
        edits: &[Edit {
            file: MESSAGE,
            text: "self.sent_at.plus_ms(LATE_SEND_MS)",
            instead: "self.sent_at.plus_ms(LATE_SEND_MS / 2)",
        }],
    },
    Mutant {
        name: "overdue-a-moment-late",
        harm: "who looks at the very moment is not told, and the sweep's figure is one short",
        edits: &[Edit {
            file: OVERDUE,
            text: "open_ms >= policy.overdue_after_ms",
            instead: "open_ms > policy.overdue_after_ms",
        }],
    },
    Mutant {
        name: "parked-as-overdue-a-moment-late",
        harm: "what is to be put in front of a person at a moment is not, at that moment",
        edits: &[Edit {
            file: OVERDUE,
            text: "open_ms >= moment.policy.park_overdue_ms()",
            instead: "open_ms > moment.policy.park_overdue_ms()",
        }],
    },
    Mutant {
        name: "overdue-parked-under-a-live-lease",
        harm: "a payment is put in front of a person while somebody is asking about it",
        edits: &[Edit {
            file: OVERDUE,
            text: "            Some(held) if held.lease_until > moment.now => Step::Keep(Kept::LeaseHeld { until: held.lease_until }),",
            instead: "            Some(held) if held.lease_until < moment.now => Step::Keep(Kept::LeaseHeld { until: held.lease_until }),",
        }],
    },
    Mutant {
        name: "replay-keeps-the-doubt-of-a-restore",
        harm: "what a person has looked at and put back is parked again as absent after a restore",
        edits: &[Edit {
            file: OPERATOR,
            text: "            draft.next.recovered_at = None;
",
            instead: "",
        }],
    },
    Mutant {
        name: "replay-grants-no-attempt",
        harm: "what a person puts back is parked again at once, for want of an attempt",
        edits: &[Edit {
            file: OPERATOR,
            text: "draft.next.attempts_left = draft.next.attempts_left.max(1);",
            instead: "draft.next.attempts_left = draft.next.attempts_left.max(0);",
        }],
    },
    Mutant {
        name: "one-heal-too-many",
        harm: "a dead letter is put back once more than the bound says",
        edits: &[Edit {
            file: LOST,
            text: "heal.times >= moment.policy.max_heals",
            instead: "heal.times > moment.policy.max_heals",
        }],
    },
    Mutant {
        name: "heal-of-its-own-time-held-back",
        harm: "the message that a heal has put back is taken for an older one, and dropped",
        edits: &[Edit {
            file: LOST,
            text: "it.sent_at < heal.at && moment",
            instead: "it.sent_at <= heal.at && moment",
        }],
    },
    Mutant {
        name: "heal-held-back-for-too-long",
        harm: "a dead letter is dropped a moment after the pause in which another's message is on its way",
        edits: &[Edit {
            file: LOST,
            text: "moment.now.since_ms(heal.at) < HEAL_PAUSE_MS",
            instead: "moment.now.since_ms(heal.at) <= HEAL_PAUSE_MS",
        }],
    },
    Mutant {
        name: "heal-held-back-by-a-sweep",
        harm: "a dead letter is dropped for a sweep's message that may never have been sent",
        edits: &[Edit {
            file: LOST,
            text: "            if heal.message_id.is_some() && it.sent_at",
            instead: "            if it.sent_at",
        }],
    },
    Mutant {
        name: "refused-payment-keeps-its-first-send",
        harm: "a payment that was never sent is parked when a key would be forgotten that it never used",
        edits: &[Edit {
            file: ANSWERED,
            text: "        draft.next.first_sent_at = None;
        draft.next.written_until = None;
",
            instead: "        draft.next.written_until = None;
",
        }],
    },
    Mutant {
        name: "refused-payment-keeps-its-last-write",
        harm: "a payment that was never written looks as if it had been",
        edits: &[Edit {
            file: ANSWERED,
            text: "        draft.next.first_sent_at = None;
        draft.next.written_until = None;
",
            instead: "        draft.next.first_sent_at = None;
",
        }],
    },
    Mutant {
        name: "refusal-forgets-an-earlier-send",
        harm: "one refused attempt makes an earlier one never sent, and the key window begins anew",
        edits: &[Edit {
            file: ANSWERED,
            text: "    if draft.next.attempts == 0 {
        draft.next.first_sent_at",
            instead: "    if draft.next.attempts <= 1 {
        draft.next.first_sent_at",
        }],
    },
    Mutant {
        name: "proved-absent-and-not-due",
        harm: "what is proved absent has no moment to be sent at",
        edits: &[Edit {
            file: ANSWERED,
            text: "            draft.next.due_at = Some(moment.now);
            draft.go(State::Queued, Reason::ProvedAbsent, None)",
            instead: "            draft.go(State::Queued, Reason::ProvedAbsent, None)",
        }],
    },
    Mutant {
        name: "proved-absent-keeps-its-waits",
        harm: "the first refusal after a proof of absence waits for as long as if there had been ten",
        edits: &[Edit {
            file: ANSWERED,
            text: "            draft.next.waits = 0;
            draft.next.due_at = Some(moment.now);",
            instead: "            draft.next.due_at = Some(moment.now);",
        }],
    },
    Mutant {
        name: "asked-again-after-the-proof",
        harm: "a payment that can be proved absent in a second is asked about in an hour",
        edits: &[Edit {
            file: ANSWERED,
            text: "    draft.next.due_at = draft.next.due_at.map(|due| due.min(proved_at));
",
            instead: "",
        }],
    },
    Mutant {
        name: "decline-believed-of-what-it-has",
        harm: "a decline is believed though the provider has said that it has the payment",
        edits: &[Edit {
            file: ANSWERED,
            text: "payment.attempts == 1 && !payment.acknowledged;",
            instead: "payment.attempts == 1;",
        }],
    },
    Mutant {
        name: "acknowledged-payment-canceled",
        harm: "a refused repeat cancels what the provider has",
        edits: &[Edit {
            file: ANSWERED,
            text: "    if !payment.acknowledged && payment.cancel_requested_at.is_some() {",
            instead: "    if payment.cancel_requested_at.is_some() {",
        }],
    },
];
