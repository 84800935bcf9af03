//! Generated mutants that no test has to find, each with the reason. One that is not there any more is an error, so that
//! the list says only what is true.

use std::path::Path;

use crate::switched::{Generated, line_of};

/// A mutant that may survive.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// The file, from the repository's root.
    pub file: &'static str,
    /// What is done, as cargo-mutants says it.
    pub what: &'static str,
    /// The line that it is done to, without the space around it: lines move.
    pub line: &'static str,
    /// Why that harms nobody.
    pub reason: &'static str,
}

const DEBUG: &str =
    "For whoever debugs: what must not stand in it is tested, and that something does is nobody's promise.";

/// All of them.
pub const ACCEPTED: &[Accepted] = &[
    Accepted {
        file: "functions/aws/src/verdict.rs",
        what: "replace <impl Intercept for Attempts>::name -> &'static str with \"\"",
        line: "\"Attempts\"",
        reason: "The SDK says it in its own debug logs only.",
    },
    Accepted {
        file: "functions/aws/src/verdict.rs",
        what: "replace <impl Intercept for Attempts>::name -> &'static str with \"xyzzy\"",
        line: "\"Attempts\"",
        reason: "The SDK says it in its own debug logs only.",
    },
    Accepted {
        file: "functions/aws/src/verdict.rs",
        what: "delete match arm SdkError::ConstructionFailure(_) in store_error",
        line: "SdkError::ConstructionFailure(_) => StoreError::Refused(what),",
        reason: "The arm below says that nobody knows, which is the more careful word.",
    },
    Accepted {
        file: "functions/aws/src/verdict.rs",
        what: "replace match guard refuses(service.raw().status().as_u16()) with true in store_error",
        line: "SdkError::ServiceError(service) if refuses(service.raw().status().as_u16()) => StoreError::Refused(what),",
        reason: "What is no refusal was marked as doubtful after its attempt, and is told before this is asked.",
    },
    Accepted {
        file: "functions/aws/src/verdict.rs",
        what: "replace match guard failure.as_connector_error().is_some_and(never_connected) with true in store_error",
        line: "SdkError::DispatchFailure(failure) if failure.as_connector_error().is_some_and(never_connected) => {",
        reason: "What may have been written was marked as doubtful after its attempt, and is told before this is asked.",
    },
    Accepted {
        file: "functions/providers/src/http/pool.rs",
        what: "replace < with == in Pool::take",
        line: "self.lock().retain(|(since, _)| since.elapsed() < self.idle_timeout);",
        reason: "Those that are left are older than one that is too old: none is kept either way.",
    },
    Accepted {
        file: "functions/reconcile/src/look.rs",
        what: "replace match guard payment.state == State::Parked with true in Reconcile<L, G>::park_if_overdue",
        line: "Outcome::Changed(payment) if payment.state == State::Parked => payment,",
        reason: "The event parks a payment or changes nothing.",
    },
    Accepted {
        file: "functions/ingest/src/create.rs",
        what: "replace match guard charge.order.merchant == request.order.merchant with true in charge_refused",
        line: "Some(charge) if charge.order.merchant == request.order.merchant => {",
        reason: "A charge's id is made of its merchant, so that nobody else's is found by it.",
    },
    Accepted {
        file: "functions/payments/src/request.rs",
        what: "replace <impl Deserialize<'de> for Fields>::deserialize::<impl Visitor<'de> for Object>::expecting -> fmt::Result with Ok(Default::default())",
        line: "f.write_str(\"a JSON object\")",
        reason: "Serde's own words, which nobody is told: a body that is no object has words of ours.",
    },
    Accepted {
        file: "functions/aws/src/settings.rs",
        what: "replace <impl fmt::Debug for Secret>::fmt -> fmt::Result with Ok(Default::default())",
        line: "f.write_str(\"Secret(not shown)\")",
        reason: DEBUG,
    },
    Accepted {
        file: "functions/payments/src/money.rs",
        what: "replace <impl fmt::Debug for Currency>::fmt -> fmt::Result with Ok(Default::default())",
        line: "f.write_str(self.code())",
        reason: DEBUG,
    },
    Accepted {
        file: "functions/payments/src/key.rs",
        what: "replace <impl fmt::Debug for HistoryKey>::fmt -> fmt::Result with Ok(Default::default())",
        line: "write!(f, \"HistoryKey({}, not shown)\", self.id())",
        reason: DEBUG,
    },
    Accepted {
        file: "functions/providers/src/http/mod.rs",
        what: "replace <impl fmt::Debug for HttpProvider>::fmt -> fmt::Result with Ok(Default::default())",
        line: "f.debug_struct(\"HttpProvider\")",
        reason: DEBUG,
    },
    Accepted {
        file: "functions/providers/src/open/mod.rs",
        what: "replace <impl fmt::Debug for Open>::fmt -> fmt::Result with Ok(Default::default())",
        line: "f.debug_struct(\"Open\").finish_non_exhaustive()",
        reason: DEBUG,
    },
    Accepted {
        file: "functions/providers/src/alipay/rsa.rs",
        what: "replace <impl fmt::Debug for VerifyingKey>::fmt -> fmt::Result with Ok(Default::default())",
        line: "f.write_str(\"VerifyingKey\")",
        reason: DEBUG,
    },
    Accepted {
        file: "functions/providers/src/http/call.rs",
        what: "replace <impl fmt::Debug for HttpConnection>::fmt -> fmt::Result with Ok(Default::default())",
        line: "f.debug_struct(\"HttpConnection\").field(\"target\", &self.target).finish_non_exhaustive()",
        reason: DEBUG,
    },
    Accepted {
        file: "functions/providers/src/http/settings.rs",
        what: "replace <impl fmt::Debug for HttpSettings>::fmt -> fmt::Result with Ok(Default::default())",
        line: "f.debug_struct(\"HttpSettings\")",
        reason: DEBUG,
    },
    Accepted {
        file: "functions/providers/src/http/settings.rs",
        what: "replace <impl fmt::Debug for Target>::fmt -> fmt::Result with Ok(Default::default())",
        line: "f.debug_struct(\"Target\")",
        reason: DEBUG,
    },
    Accepted {
        file: "functions/providers/src/open/callback.rs",
        what: "replace <impl fmt::Debug for CallbackKeys>::fmt -> fmt::Result with Ok(Default::default())",
        line: "f.write_str(\"CallbackKeys(not shown)\")",
        reason: DEBUG,
    },
];

impl Accepted {
    fn is(&self, root: &Path, mutant: &Generated) -> Result<bool, String> {
        Ok(self.file == mutant.file && self.what == mutant.what() && line_of(root, mutant)? == self.line)
    }
}

/// Why this one may survive, if it may.
pub fn reason(root: &Path, mutant: &Generated) -> Result<Option<&'static str>, String> {
    for accepted in ACCEPTED {
        if accepted.is(root, mutant)? {
            return Ok(Some(accepted.reason));
        }
    }
    Ok(None)
}

/// Those that are none of these mutants.
pub fn stale(root: &Path, mutants: &[Generated]) -> Result<Vec<String>, String> {
    let mut stale = Vec::new();
    for accepted in ACCEPTED {
        let mut is_there = false;
        for mutant in mutants {
            is_there |= accepted.is(root, mutant)?;
        }
        if !is_there {
            stale.push(format!("{}: {}", accepted.file, accepted.what));
        }
    }
    Ok(stale)
}
