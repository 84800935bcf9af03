//! At `ingest`: what merchants are told, and what the provider is believed.

use crate::{Edit, Mutant};

const CREATE: &str = "functions/ingest/src/create.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "acknowledged-before-the-put",
        harm: "the merchant gets a 202 for a payment that is in no table",
        edits: &[Edit {
            file: CREATE,
            text: "            Ok(Written::ChargeRefused(charge)) => Err(charge_refused(&request, charge.as_deref())),
            Err(error) => Err(Self::put_failed(&id, &error)),",
            instead:
                "            Ok(Written::ChargeRefused(charge)) => Err(charge_refused(&request, charge.as_deref())),
            Err(_) => {
                self.send(&payment).await?;
                Ok(self.told(StatusCode::ACCEPTED, &payment, Replayed::No))
            }",
        }],
    },
    Mutant {
        name: "message-forgotten-after-the-put",
        harm: "a send that the queue refused is answered with a 202, and nothing is ever sent for that payment",
        edits: &[
            Edit {
                file: CREATE,
                text: "                self.send(&payment).await?;
                Ok(self.told(StatusCode::ACCEPTED, &payment, Replayed::No))",
                instead: "                let _ = self.send(&payment).await;
                Ok(self.told(StatusCode::ACCEPTED, &payment, Replayed::No))",
            },
            Edit {
                file: "functions/reconcile/src/look.rs",
                text: "if lanes.healing.finds_lost(&payment, lane_is_empty, now) {",
                instead: "if lanes.healing.finds_lost(&payment, lane_is_empty, now) && payment.ever_sent() {",
            },
        ],
    },
    Mutant {
        name: "callback-believed-unsigned",
        harm: "anybody who knows a payment's id can say that it was approved",
        edits: &[Edit {
            file: "functions/providers/src/callback.rs",
            text: "keys.verify(received.signature, received.body, received.at).map_err(NotTaken::Untrusted)?;",
            instead: "keys.verify(received.signature, received.body, received.at).map_err(NotTaken::Untrusted).ok();",
        }],
    },
    Mutant {
        name: "callback-acknowledged-before-it-is-written",
        harm: "the provider is told that its word was taken although the table refused it",
        edits: &[Edit {
            file: "functions/ingest/src/callback.rs",
            text: "                return Err(Problem::CallbackNotTaken(id.clone()));",
            instead: "                return Ok(document::received(callbacks.known.receipt(), id));",
        }],
    },
    Mutant {
        name: "another-order-under-the-same-id",
        harm: "two orders of one merchant share an id, and the second is never charged",
        edits: &[Edit {
            file: CREATE,
            text: "        if stands.fingerprint != request.fingerprint {
            let fields = request::differences(&request.order, &stands);
            return Err(Problem::different(stands, &fields));
        }
",
            instead: "",
        }],
    },
    Mutant {
        name: "order-taken-in-the-moment-it-ends",
        harm: "an order whose time is over as it comes is accepted, and can only expire",
        edits: &[Edit {
            file: CREATE,
            text: "request.order.expires_at.is_some_and(|at| at <= now)",
            instead: "request.order.expires_at.is_some_and(|at| at < now)",
        }],
    },
];
