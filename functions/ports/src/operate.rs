//! What an operator does to a gate, written: by the version that was seen, anew when somebody else was quicker.

use pacing::gate::{GateAnswer, Note, Operated, Operation};

use crate::{GateStore, PortError};

/// Why it was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperateError {
    /// There is no gate of that name.
    #[error("there is no gate for the provider {0}: a consumer writes it with its first batch")]
    Missing(String),
    /// Others changed it each time.
    #[error("the gate of {0} was changed by others each time: look at it and try again")]
    Contended(String),
    /// The table.
    #[error(transparent)]
    Gate(#[from] PortError),
}

/// Most times that an operator's change is made anew because somebody else changed the gate in between.
const OPERATIONS_MAX: u32 = 16;

/// Does it.
pub async fn operate<G: GateStore>(
    store: &G,
    provider: &str,
    operation: Operation,
    note: &Note,
) -> Result<Operated, OperateError> {
    let missing = || OperateError::Missing(provider.to_owned());
    let mut before = store.read(provider).await?.ok_or_else(missing)?;
    for _ in 0..OPERATIONS_MAX {
        match store.update(&operation.update(&before, note)).await? {
            GateAnswer::Done(after) => return Ok(Operated { before, after: *after }),
            GateAnswer::Refused(Some(stands)) => before = *stands,
            GateAnswer::Refused(None) => return Err(missing()),
        }
    }
    Err(OperateError::Contended(provider.to_owned()))
}
