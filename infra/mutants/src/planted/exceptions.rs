//! What an exception in a checker, or a kindness of a fake, would let through if nothing else found it. Each names in its
//! harm what it hides behind.

use crate::{Edit, Mutant};

const JOB: &str = "functions/consumer/src/job.rs";
const ANSWERED: &str = "functions/payments/src/transition/answered.rs";
const CALLBACK: &str = "functions/ingest/src/callback.rs";
const RESTORED: &str = "functions/payments/src/transition/restored.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        // No rule leaves a queued payment with a wish to cancel, which the model holds as a property of its own: only an item
        // that was put there by hand gets here, and the simulator writes none. Its sibling below is the way that is gone.
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
    Mutant {
        name: "canceled-before-its-claim-and-sent",
        harm: "who comes too late to claim what its merchant has canceled sends it all the same",
        edits: &[Edit {
            file: JOB,
            text: "            Ok(Outcome::Kept(payment, kept)) => Err(self.verdict(&payment, Some(kept))),
            Ok(Outcome::Missing)",
            instead: "            Ok(Outcome::Kept(payment, _)) if payment.state == State::Canceled => {
                Ok(Held { payment: *payment, claim: Claim { id, from: State::Queued, lease_until } })
            }
            Ok(Outcome::Kept(payment, kept)) => Err(self.verdict(&payment, Some(kept))),
            Ok(Outcome::Missing)",
        }],
    },
    Mutant {
        name: "called-back-before-its-claim-and-sent",
        harm: "what the provider's callback has ended is sent once more; a send whose payment a callback has ended needs no lease",
        edits: &[Edit {
            file: JOB,
            text: "            Ok(Outcome::Kept(payment, kept)) => Err(self.verdict(&payment, Some(kept))),
            Ok(Outcome::Missing)",
            instead: "            Ok(Outcome::Kept(payment, _)) if payment.reason == payments::payment::Reason::CalledBack => {
                Ok(Held { payment: *payment, claim: Claim { id, from: State::Queued, lease_until } })
            }
            Ok(Outcome::Kept(payment, kept)) => Err(self.verdict(&payment, Some(kept))),
            Ok(Outcome::Missing)",
        }],
    },
    Mutant {
        name: "charge-without-its-refundable",
        harm: "no charge bears a refund; what says nothing of what is left is not judged by it",
        edits: &[Edit {
            file: "functions/payments/src/transition/accepted.rs",
            text: "            Kind::Charge => Some(order.money.signed_amount()),",
            instead: "            Kind::Charge => Some(order.money.signed_amount()).filter(|amount| *amount < 0),",
        }],
    },
    Mutant {
        name: "unlinked-refund-refused",
        harm: "refunds that name no charge are refused where they are enabled; a refusal is final for who is refused",
        edits: &[Edit {
            file: "functions/payments/src/request.rs",
            text: "if order.refund_of == Some(RefundOf::Unlinked) && !merchant.unlinked_refunds {",
            instead: "if order.refund_of == Some(RefundOf::Unlinked) {",
        }],
    },
    Mutant {
        name: "merchant-that-cannot-be-read-is-nobody",
        harm: "a throttled table answers good orders with a 401, for which a shop stops; what is read there never failed",
        edits: &[Edit {
            file: "functions/ingest/src/lib.rs",
            text: "            error!(event = EventName::MerchantReadFailed.as_str(), %error);
            Problem::CallerNotRead",
            instead: "            error!(event = EventName::MerchantReadFailed.as_str(), %error);
            Problem::Unauthorized",
        }],
    },
    Mutant {
        name: "shard-that-cannot-be-read-ends-the-sweep",
        harm: "one throttled read hides what is lost in every shard after it; what is read there never failed",
        edits: &[Edit {
            file: "functions/reconcile/src/lib.rs",
            text: "                error!(event = EventName::SweepFailed.as_str(), shard, %error);
                tally.failed();",
            instead: "                error!(event = EventName::SweepFailed.as_str(), shard, %error);
                tally.failed();
                break;",
        }],
    },
    Mutant {
        name: "headers-of-another-format",
        harm: "headers are in a field that an HTTP API does not read, so that no merchant gets a Retry-After; the local front read it",
        edits: &[Edit {
            file: "functions/ingest/src/document.rs",
            text: "    response.headers = headers;
    // Texts and numbers only",
            instead: "    response.multi_value_headers = headers;
    // Texts and numbers only",
        }],
    },
];
