//! What an exception in a checker, or a kindness of a fake, would let through if nothing else found it. Each names in its
//! harm what it hides behind.

use crate::{Edit, Mutant};

const JOB: &str = "functions/consumer/src/job.rs";
const ANSWERED: &str = "functions/payments/src/transition/answered.rs";
const CALLBACK: &str = "functions/ingest/src/callback.rs";
const RESTORED: &str = "functions/payments/src/transition/restored.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "canceled-at-its-claim-and-sent",
        harm: "who finds it canceled as it claims it sends it all the same; what was sent of an ended payment is judged by its effect",
        edits: &[Edit {
            file: JOB,
            text: "            Some(_) | None => Err(self.verdict(&payment, None)),
        }
    }

    /// Connects",
            instead: "            None if payment.state == State::Canceled => {
                let lease_until = self.ledger.now().plus_ms(self.ledger.policy().lease_ms());
                let claim = Claim { id: id.clone(), from: State::Queued, lease_until };
                Ok(Held { payment, claim })
            }
            Some(_) | None => Err(self.verdict(&payment, None)),
        }
    }

    /// Connects",
        }],
    },
    Mutant {
        name: "pending-is-parked-at-once",
        harm: "what the provider has and will do is put in front of people, for whom a parked payment is at rest",
        edits: &[Edit {
            file: ANSWERED,
            text: "            draft.go(State::Pending, Reason::PendingAtProvider, reference)",
            instead: "            draft.go(State::Parked, Reason::Overdue, reference)",
        }],
    },
    Mutant {
        name: "late-success-of-a-decline-not-written-down",
        harm: "the provider's word that it has done what it declined changes nothing; until that word is taken nobody can know",
        edits: &[Edit {
            file: ANSWERED,
            text: "            if payment.case.is_some() {
                return Step::Keep(Kept::Ended);",
            instead: "            if payment.case.is_some() || payment.state == State::Declined {
                return Step::Keep(Kept::Ended);",
        }],
    },
    Mutant {
        name: "callback-forgets-its-payment-after-a-restore",
        harm: "after a restore every callback is answered with a 404, as one about what was lost may be",
        edits: &[Edit {
            file: CALLBACK,
            text: "let payment = stands.ok_or_else(unknown)?;",
            instead: "let payment = stands.filter(|_| self.recovery.is_none()).ok_or_else(unknown)?;",
        }],
    },
    Mutant {
        name: "restored-payment-not-asked-about",
        harm: "what was open before a restore stays queued and is sent, as what ended before it may be left alone",
        edits: &[Edit {
            file: RESTORED,
            text: "            doubt(&mut draft.next, recovery, payment.created_at);
            draft.next.recovered_at = Some(recovery.at);
            draft.go(State::Unknown, Reason::Restored, None)",
            instead: "            draft.next.recovered_at = Some(recovery.at);
            draft.go(State::Queued, Reason::Restored, None)",
        }],
    },
    Mutant {
        name: "parked-message-moved-nowhere",
        harm: "who is parked goes on as done, so that nobody can put its message back",
        edits: &[Edit {
            file: JOB,
            text: "            State::Parked => Verdict::PassOn,
            State::Succeeded | State::Declined | State::Canceled | State::Expired => Verdict::Done,",
            instead: "            State::Parked | State::Succeeded | State::Declined | State::Canceled | State::Expired => Verdict::Done,",
        }],
    },
];
