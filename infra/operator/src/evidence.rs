//! What a person decides and says, and having it written by the function that has the keys of histories.

use clap::Args;
use payments::evidence::Evidence;
use payments::payment::Payment;
use ports::Store;
use reconcile::operate::{Answer, Request, Said};

use crate::account::Account;
use crate::caller::Caller;
use crate::failure::Failure;

/// Where to look it up, and why. Who says so is who calls.
#[derive(Args, Clone, Debug)]
pub struct EvidenceArguments {
    /// The provider's own number for what happened, or where else to look it up; 48 characters, no space
    #[arg(long, value_name = "TEXT")]
    reference: String,
    /// Why, in a few words; 60 characters
    #[arg(long, value_name = "TEXT")]
    why: String,
}

impl EvidenceArguments {
    /// What is no evidence is refused here already.
    pub(crate) fn said_by(&self, caller: &Caller) -> Result<Said, String> {
        let (Self { reference, why }, who) = (self.clone(), caller.operator().to_string());
        Evidence::new(&reference, &who, &why).map_err(|error| error.to_string())?;
        Ok(Said { reference, who, why })
    }
}

/// Has one payment written, and reads it as it is then.
pub async fn write(account: &Account, request: &Request) -> Result<Payment, Failure> {
    let id = match request {
        Request::Resolve { payment_id, .. }
        | Request::TakeCase { payment_id, .. }
        | Request::CloseCase { payment_id, .. }
        | Request::Replay { payment_id } => payment_id,
        Request::Doubt { .. } => return Err("a doubt is about many payments".into()),
    };
    let failed = |error: &dyn std::fmt::Display| format!("payment {id} is not changed: {error}");
    let is_missing = || Failure::Found(format!("there is no payment {id}"));
    match account.writer.ask(request).await.map_err(|error| failed(&error))? {
        Answer::Changed { .. } => {}
        Answer::Kept { state, why } => return Err(Failure::Found(failed(&format_args!("it is {state} ({why})")))),
        Answer::Missing => return Err(is_missing()),
        Answer::Refused { why } => return Err(failed(&why).into()),
        Answer::Doubted { .. } => return Err(failed(&"another question was answered").into()),
    }
    let payment = account.store().get(id).await.map_err(|error| format!("payment {id} is changed; {error}"))?;
    payment.ok_or_else(is_missing)
}
