//! What a provider's secret holds where it is more than one word: a JSON object of texts. Nothing of a value is ever
//! repeated.

use std::collections::BTreeMap;

/// Why a secret cannot be used. No case repeats anything of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not JSON, or not an object of texts.
    #[error("the provider's secret must be a JSON object whose values are texts; it takes {0}")]
    NotTexts(&'static str),
    /// Something is not there.
    #[error("the provider's secret lacks {0}")]
    Missing(&'static str),
    /// Something is there that does not belong there.
    #[error("the provider's secret holds a member that is not taken; it takes {0}")]
    Foreign(&'static str),
    /// A value has not the form that it needs.
    #[error("{name} in the provider's secret must be {expected}")]
    Wrong {
        /// The member.
        name: &'static str,
        /// Its form.
        expected: &'static str,
    },
}

/// The members that have not been read yet.
pub(crate) struct Members {
    texts: BTreeMap<String, String>,
    takes: &'static str,
}

impl Members {
    /// Reads the object; `takes` says what belongs there.
    pub(crate) fn read(text: &str, takes: &'static str) -> Result<Self, SecretError> {
        let texts = serde_json::from_str(text).map_err(|_| SecretError::NotTexts(takes))?;
        Ok(Self { texts, takes })
    }

    /// A member that has to be there.
    pub(crate) fn take(&mut self, name: &'static str) -> Result<String, SecretError> {
        self.optional(name).ok_or(SecretError::Missing(name))
    }

    /// A member that may be there.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<String> {
        self.texts.remove(name)
    }

    /// What was read, if nothing else is there.
    pub(crate) fn end<T>(self, read: T) -> Result<T, SecretError> {
        if self.texts.is_empty() { Ok(read) } else { Err(SecretError::Foreign(self.takes)) }
    }
}
