//! In the transition function: what becomes of a payment.

use crate::{Edit, Mutant};

const TRANSITION: &str = "functions/payments/src/transition.rs";
const ANSWERED: &str = "functions/payments/src/transition/answered.rs";
const OPERATOR: &str = "functions/payments/src/transition/operator.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "lease-not-checked",
        harm: "a payment that somebody is sending is taken over while the request may not be written yet",
        edits: &[Edit {
            file: TRANSITION,
            text: "            Some(held) if held.lease_until > moment.now && held.id != *id => {",
            instead: "            Some(held) if held.lease_until > moment.now && held.id == *id => {",
        }],
    },
    Mutant {
        name: "lease-taken-over-to-send",
        harm: "what a dead consumer may have sent is sent again without a question",
        edits: &[Edit {
            file: TRANSITION,
            text: "                draft.note(State::Unknown, Reason::LeaseEnded);
                draft.take(id, lease_until)
            }
        },
        State::Pending",
            instead: "                draft.next.state = State::Queued;
                draft.take(id, lease_until)
            }
        },
        State::Pending",
        }],
    },
    Mutant {
        name: "time-out-treated-as-failed",
        harm: "a payment is declined that the provider may have charged",
        edits: &[Edit {
            file: ANSWERED,
            text: "        SendAnswer::Unclear(why) if mine => wait(payment, State::Unknown, reason_of_unclear(*why), None, moment),",
            instead: "        SendAnswer::Unclear(why) if mine => {
                Draft::of(payment, moment).go(State::Declined, reason_of_unclear(*why), None)
            }",
        }],
    },
    Mutant {
        name: "not-found-believed-at-once",
        harm: "a payment is sent again while its first request is still on its way",
        edits: &[Edit {
            file: ANSWERED,
            text: "    if claimed_at >= proved_at {",
            instead: "    if claimed_at >= payment.created_at {",
        }],
    },
    Mutant {
        name: "not-found-judged-by-when-it-is-written-down",
        harm: "an absence counts as proved by the time that its answer took, not by when it was asked for",
        edits: &[Edit {
            file: ANSWERED,
            text: "    let claimed_at = payment.changed_at;",
            instead: "    let claimed_at = moment.now;",
        }],
    },
    Mutant {
        name: "vanished-payment-sent-again",
        harm: "what the provider said that it had is sent again when it no longer finds it",
        edits: &[Edit {
            file: ANSWERED,
            text: "    if payment.acknowledged {
        return draft.go(State::Parked, Reason::VanishedAtProvider, None);
    }
",
            instead: "",
        }],
    },
    Mutant {
        name: "attempts-counted-on-deferral",
        harm: "a payment that could not be sent for a while is parked as if it had been tried",
        edits: &[Edit {
            file: ANSWERED,
            text: "    draft.next.attempts = draft.next.attempts.saturating_sub(1);
    draft.next.attempts_left = draft.next.attempts_left.saturating_add(1);
",
            instead: "",
        }],
    },
    Mutant {
        name: "rate-limit-uses-up-an-attempt",
        harm: "a provider that asks for fewer calls gets payments parked that it never refused",
        edits: &[Edit {
            file: ANSWERED,
            text: "    draft.next.attempts_left = draft.next.attempts_left.saturating_add(1);
",
            instead: "    if reason != Reason::RateLimited {
        draft.next.attempts_left = draft.next.attempts_left.saturating_add(1);
    }
",
        }],
    },
    Mutant {
        name: "decline-overwrites-an-end",
        harm: "a late word of the provider turns a payment that succeeded into one that was declined",
        edits: &[Edit {
            file: ANSWERED,
            text: "            Draft::of(payment, moment).go(State::Declined, why, Some(code))
        }
        State::Succeeded |",
            instead: "            Draft::of(payment, moment).go(State::Declined, why, Some(code))
        }
        State::Succeeded => Draft::of(payment, moment).go(State::Declined, why, Some(code)),
        State::Succeeded |",
        }],
    },
    Mutant {
        name: "late-success-overwrites-an-end",
        harm: "a payment that was canceled and told so becomes one that was charged, without anybody being told",
        edits: &[Edit {
            file: ANSWERED,
            text: "            if payment.case.is_some() {
                return Step::Keep(Kept::Ended);
            }
",
            instead: "            if payment.case.is_none() {
                return Draft::of(payment, moment).go(State::Succeeded, why, Some(reference));
            }
",
        }],
    },
    Mutant {
        name: "cancel-overwrites-an-end",
        harm: "a merchant is told that a charge was canceled that was made",
        edits: &[Edit {
            file: TRANSITION,
            text: "        State::Queued => Draft::of(payment, moment).go(State::Canceled, Reason::CanceledByMerchant, None),
        State::Sending |",
            instead: "        State::Queued | State::Succeeded => {
            Draft::of(payment, moment).go(State::Canceled, Reason::CanceledByMerchant, None)
        }
        State::Sending |",
        }],
    },
    Mutant {
        name: "canceled-while-it-is-sent",
        harm: "a payment is canceled at once although its request is under way",
        edits: &[Edit {
            file: TRANSITION,
            text: "            let mut draft = Draft::of(payment, moment);
            draft.next.cancel_requested_at = Some(moment.now);
            draft.done()",
            instead: "            Draft::of(payment, moment).go(State::Canceled, Reason::CanceledByMerchant, None)",
        }],
    },
    Mutant {
        name: "replay-skips-the-query",
        harm: "a person's replay sends again what may have been charged",
        edits: &[Edit {
            file: OPERATOR,
            text: "            let state = if payment.ever_sent() { State::Unknown } else { State::Queued };",
            instead: "            let state = State::Queued;",
        }],
    },
    Mutant {
        name: "key-window-forgotten",
        harm: "a payment is sent again after the provider has forgotten its key",
        edits: &[Edit {
            file: TRANSITION,
            text: "        payment.first_sent_at.is_some_and(|at| moment.now.since_ms(at) >= moment.policy.sure_key_window_ms());",
            instead: "        payment.first_sent_at.is_some_and(|at| moment.now < at);",
        }],
    },
    Mutant {
        name: "key-window-counted-from-the-last-attempt",
        harm: "a payment is sent again after the provider has forgotten the key of its first attempt",
        edits: &[Edit {
            file: TRANSITION,
            text: "                draft.next.first_sent_at = draft.next.first_sent_at.or(Some(moment.now));",
            instead: "                draft.next.first_sent_at = Some(moment.now);",
        }],
    },
    Mutant {
        name: "ever-sent-forgotten-by-a-refusal",
        harm: "one refused attempt wipes out an earlier one, whose request may have arrived",
        edits: &[Edit {
            file: ANSWERED,
            text: "    draft.next.attempts = draft.next.attempts.saturating_sub(1);
",
            instead: "    draft.next.attempts = 0;
",
        }],
    },
    Mutant {
        name: "clocks-trusted-in-the-proof-of-absence",
        harm: "an absence is believed ten minutes too early where two clocks disagree",
        edits: &[Edit {
            file: "functions/payments/src/policy.rs",
            text: "        self.absence_bound_ms.saturating_add(self.clock_skew_ms)",
            instead: "        self.absence_bound_ms",
        }],
    },
    Mutant {
        name: "absence-counted-from-the-query",
        harm: "each question starts the absence bound again, so that it is never over",
        edits: &[Edit {
            file: "functions/payments/src/transition/draft.rs",
            text: "        self.next.claim = Some(Claim { id: id.clone(), from, lease_until });
        self.done()",
            instead: "        self.next.claim = Some(Claim { id: id.clone(), from, lease_until });
        self.next.written_until = Some(lease_until);
        self.done()",
        }],
    },
    Mutant {
        name: "history-rewritten-by-a-settle",
        harm: "the line that says what was sent disappears, and the chain no longer fits",
        edits: &[Edit {
            file: "functions/payments/src/transition/draft.rs",
            text: "        self.append(state, reason, text);
        if let Some(text) = text {",
            instead: "        if state == State::Succeeded {
            self.next.history.pop();
        }
        self.append(state, reason, text);
        if let Some(text) = text {",
        }],
    },
];
