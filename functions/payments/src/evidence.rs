//! What a person has to say who ends a payment or closes a case: where to look it up, who says so, and why.
//!
//! It is kept as one text in the line of history that it causes, `<reference>;by=<who>;why=<why>`, so that it is as
//! durable as the end itself and no item grows by more than it has to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::answer::{PROVIDER_TEXT_MAX, ProviderText};
use crate::card::contains_card_number;

/// Longest name of a person, in characters.
pub const OPERATOR_MAX: usize = 24;

/// Longest reason, in characters: with the reference and the name an ordinary item stays under 1 KB.
pub const WHY_MAX: usize = 60;

/// Why this is no evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Nothing there.
    #[error("{0} must not be empty")]
    Empty(&'static str),
    /// More characters than the limit.
    #[error("{0} must have at most {1} characters")]
    TooLong(&'static str, usize),
    /// A character that cannot be kept.
    #[error("{0} must consist of {1}")]
    Alphabet(&'static str, &'static str),
    /// It may hold a card number.
    #[error("{0} looks like a card number, which is never kept")]
    CardNumber(&'static str),
}

/// A person who decides: letters, digits and `._@-`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Operator(String);

impl Operator {
    /// Takes a name.
    pub fn new(name: &str) -> Result<Self, EvidenceError> {
        check("the operator", name, OPERATOR_MAX)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '@' | '-');
        if !name.chars().all(allowed) {
            return Err(EvidenceError::Alphabet("the operator", "letters, digits, '.', '_', '@' and '-'"));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it stands in a line of history.
    pub fn text(&self) -> ProviderText {
        ProviderText::new(&format!("by={}", self.0))
    }
}

impl TryFrom<String> for Operator {
    type Error = EvidenceError;

    fn try_from(name: String) -> Result<Self, EvidenceError> {
        Self::new(&name)
    }
}

impl From<Operator> for String {
    fn from(operator: Operator) -> String {
        operator.0
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The provider's own number for what happened, or where else to look it up.
    reference: ProviderText,
    by: Operator,
    why: String,
}

impl Evidence {
    /// Takes what a person says. Nothing is cut: evidence that was cut is none.
    pub fn new(reference: &str, by: &str, why: &str) -> Result<Self, EvidenceError> {
        check("the reference", reference, PROVIDER_TEXT_MAX)?;
        check("the reason", why, WHY_MAX)?;
        if !reference.chars().all(|c| c.is_ascii_graphic()) {
            return Err(EvidenceError::Alphabet("the reference", "printable ASCII characters without spaces"));
        }
        if !why.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            return Err(EvidenceError::Alphabet("the reason", "printable ASCII characters and spaces"));
        }
        Ok(Self { reference: ProviderText::new(reference), by: Operator::new(by)?, why: why.to_owned() })
    }

    /// Where to look it up.
    pub const fn reference(&self) -> &ProviderText {
        &self.reference
    }

    /// Who says so.
    pub const fn by(&self) -> &Operator {
        &self.by
    }

    /// As it stands in a line of history: one word.
    pub fn text(&self) -> ProviderText {
        let Self { reference, by, why } = self;
        ProviderText::of_history(&format!("{};by={by};why={}", reference.as_str(), why.replace(' ', "_")))
    }
}

fn check(what: &'static str, text: &str, max: usize) -> Result<(), EvidenceError> {
    if text.trim().is_empty() {
        return Err(EvidenceError::Empty(what));
    }
    if text.chars().count() > max {
        return Err(EvidenceError::TooLong(what, max));
    }
    if contains_card_number(text) {
        return Err(EvidenceError::CardNumber(what));
    }
    Ok(())
}
