//! In what is forgotten and what is kept for ever.

use crate::{Edit, Mutant};

const FORGOTTEN: &str = "functions/payments/src/transition/forgotten.rs";
const ANSWERED: &str = "functions/payments/src/transition/answered.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "parts-of-the-table-never-read",
        harm: "the details of many payments are kept for ever",
        edits: &[Edit {
            file: "functions/payments/src/pass.rs",
            text: "let number = sweep.saturating_mul(parts_a_sweep)",
            instead: "let number = sweep.saturating_mul(1)",
        }],
    },
    Mutant {
        name: "forgets-before-its-time",
        harm: "a payment's details and history are gone as soon as it has ended",
        edits: &[Edit {
            file: "functions/payments/src/transition/draft.rs",
            text: "self.next.forget_at = Some(now.plus_ms(self.moment.policy.retention_ms));",
            instead: "self.next.forget_at = Some(now);",
        }],
    },
    Mutant {
        name: "forgets-what-waits-for-a-person",
        harm: "a late success loses its history and who sees to it while nobody has decided about the money",
        edits: &[Edit {
            file: ANSWERED,
            text: "            draft.next.forget_at = None;",
            instead: "            draft.next.forget_at = payment.forget_at;",
        }],
    },
    Mutant {
        name: "forgotten-order-begins-anew",
        harm: "an order is paid once more when its details are forgotten",
        edits: &[Edit {
            file: FORGOTTEN,
            text: "        state,
        reason,
        changed_at,
        version: version.saturating_add(1),",
            instead: "        state: if state.is_terminal() { State::Queued } else { state },
        reason,
        changed_at,
        version: version.saturating_add(1),",
        }],
    },
    Mutant {
        name: "anything-passes-for-a-forgotten-order",
        harm: "another sale under an old order's number is told that it is paid",
        edits: &[Edit {
            file: "functions/ingest/src/create.rs",
            text: "        if stands.fingerprint != request.fingerprint {",
            instead: "        if stands.fingerprint != request.fingerprint && !stands.is_forgotten() {",
        }],
    },
    Mutant {
        name: "late-success-after-forgetting-is-lost",
        harm: "a customer is charged for what was declined, and nobody hears of it because its details are forgotten",
        edits: &[Edit {
            file: ANSWERED,
            text: "            if payment.case.is_some() {",
            instead: "            if payment.case.is_some() || payment.is_forgotten() {",
        }],
    },
    Mutant {
        name: "forgets-what-is-left-to-refund",
        harm: "an old charge can never be given back",
        edits: &[Edit {
            file: FORGOTTEN,
            text: "        refundable,
        open_shard: None,",
            instead: "        refundable: refundable.filter(|left| *left < 0),
        open_shard: None,",
        }],
    },
    Mutant {
        name: "forgets-which-charge-a-refund-is-of",
        harm: "a refund that is done late takes nothing from its charge, which is given back once more",
        edits: &[Edit {
            file: "functions/payments/src/payment.rs",
            text: "            refund_of,
            idempotency_key: None,",
            instead: "            refund_of: refund_of.filter(|of| *of == RefundOf::Unlinked),
            idempotency_key: None,",
        }],
    },
];
