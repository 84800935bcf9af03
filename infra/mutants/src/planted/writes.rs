//! In the writes: the nonce, the condition, and what a refund reserves and gives back.

use crate::{Edit, Mutant};

const LEDGER: &str = "functions/ports/src/ledger.rs";
const WRITE: &str = "functions/payments/src/write.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "settled-without-a-condition",
        harm: "a decision on what stood before is written over what somebody else wrote since",
        edits: &[Edit {
            file: LEDGER,
            text: "            Written::Refused(Some(current)) => stands = *current,",
            instead: "            Written::Refused(Some(current)) => {
                let forced = Payment { version: current.version.saturating_add(1), ..*after };
                return Ok(match store.replace(&current, &forced).await? {
                    Written::Applied(written) => Outcome::Changed(written),
                    Written::Refused(_) | Written::ChargeRefused(_) => Outcome::Missing,
                });
            }",
        }],
    },
    Mutant {
        name: "own-put-taken-for-a-repeat",
        harm: "a put whose answer was lost is taken for somebody else's, and no message is sent",
        edits: &[Edit {
            file: LEDGER,
            text: "        Written::Refused(Some(stands)) if stands.nonce == payment.nonce => Written::Applied(stands),",
            instead: "        Written::Refused(Some(stands)) if stands.nonce.as_str().is_empty() => Written::Applied(stands),",
        }],
    },
    Mutant {
        name: "own-claim-taken-for-somebody-elses",
        harm: "a claim whose answer was lost is asked about instead of sent, and waits out the absence bound",
        edits: &[Edit {
            file: LEDGER,
            text: "        Written::Refused(Some(stands)) if stands.claim.as_ref() == Some(&claim.kept()) => Written::Applied(stands),",
            instead: "        Written::Refused(Some(stands)) if stands.nonce.as_str().is_empty() => Written::Applied(stands),",
        }],
    },
    Mutant {
        name: "refund-without-its-charge",
        harm: "refunds are taken without reserving anything, so that more goes back than was paid",
        edits: &[Edit {
            file: WRITE,
            text: "        (Some(RefundOf::Charge { payment_id, .. }), false) => Some((payment_id, payment.order.money.amount())),
        (Some(RefundOf::Charge { .. } | RefundOf::Unlinked) | None, _) => None,",
            instead: "        (Some(RefundOf::Charge { .. } | RefundOf::Unlinked) | None, _) => None,",
        }],
    },
    Mutant {
        name: "refund-gives-back-what-it-used",
        harm: "a refund that was paid out frees its amount for another one",
        edits: &[Edit {
            file: WRITE,
            text: "        !before.state.is_terminal() && after.state.is_terminal() && after.state != State::Succeeded;",
            instead: "        !before.state.is_terminal() && after.state.is_terminal();",
        }],
    },
    Mutant {
        name: "late-refund-takes-nothing-back",
        harm: "a refund that the provider does after it was declined leaves its amount to be given back once more",
        edits: &[Edit {
            file: WRITE,
            text: "    let succeeds_late = before.case.is_none() && after.case.is_some();",
            instead: "    let succeeds_late = before.case.is_some() && after.case.is_none();",
        }],
    },
    Mutant {
        name: "declined-refund-keeps-its-share",
        harm: "what a refund that failed had reserved can never be given back",
        edits: &[Edit {
            file: WRITE,
            text: "        (Some(RefundOf::Charge { payment_id, .. }), true) => Some((payment_id, after.order.money.amount())),
        (Some(RefundOf::Charge { .. } | RefundOf::Unlinked) | None, _) => None,",
            instead: "        (Some(RefundOf::Charge { .. } | RefundOf::Unlinked) | None, _) => None,",
        }],
    },
];
