//! Who runs a command: what AWS knows the caller by, not what they say of themselves.

use aws_sdk_sts::Client;
use data_encoding::HEXLOWER;
use payments::evidence::{OPERATOR_MAX, Operator};
use sha2::{Digest, Sha256};

use crate::account::why;

/// Characters of a hash that stand for what a name has no room for.
const MARK: usize = 6;

/// A caller's name as a payment's history and a gate's note keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    operator: Operator,
}

impl Caller {
    /// The one with this ARN. A user or a session is called by its name; CloudTrail has the whole ARN.
    pub fn of(arn: &str) -> Result<Self, String> {
        let name = arn.rsplit(['/', ':']).next().unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '@' | '-');
        if name.is_empty() {
            return Err("AWS does not say who is calling".to_owned());
        }
        let name: String = name.chars().map(|c| if fits(c) { c } else { '-' }).collect();
        // Two callers never look alike: what is cut off is told apart by a hash of the whole. A name that may not be kept at all,
        // such as one that looks like a card number, is told by the hash alone.
        let hash = HEXLOWER.encode(&Sha256::digest(arn.as_bytes()));
        let mark: String = hash.chars().take(MARK).collect();
        let begins: String = name.chars().take(OPERATOR_MAX - MARK - 1).collect();
        let operator = Operator::new(&name)
            .or_else(|_| Operator::new(&format!("{begins}-{mark}")))
            .or_else(|_| Operator::new(&format!("caller-{mark}")));
        let operator = operator.map_err(|error| format!("the caller {arn} has no name that can be kept: {error}"))?;
        Ok(Self { operator })
    }

    /// Their name.
    pub const fn operator(&self) -> &Operator {
        &self.operator
    }
}

/// Asks who signs ("GetCallerIdentity", AWS STS API Reference: no permission is needed).
pub(crate) async fn ask(client: &Client) -> Result<Caller, String> {
    let answer = client.get_caller_identity().send().await;
    let answer = answer.map_err(|error| format!("AWS does not say who is calling: {}", why(&error)))?;
    Caller::of(answer.arn().unwrap_or_default())
}

/// The user of this machine, as an access key may be called.
pub(crate) fn user() -> String {
    let named = ["USER", "LOGNAME"].iter().find_map(|variable| std::env::var(variable).ok());
    let name: String = named
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        .collect();
    if name.is_empty() { "somebody".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(arn: &str) -> String {
        Caller::of(arn).unwrap().operator().to_string()
    }

    #[test]
    fn a_caller_is_called_by_the_name_of_user_or_session() {
        assert_eq!(name("arn:aws:iam::123456789012:user/team/anna"), "anna");
        assert_eq!(name("arn:aws:sts::123456789012:assumed-role/oncall/anna@shop.example"), "anna@shop.example");
        assert_eq!(name("arn:aws:iam::123456789012:root"), "root");
        assert_eq!(name("arn:aws:sts::123456789012:assumed-role/oncall/anna=b,c"), "anna-b-c");
        assert!(Caller::of("").is_err());
    }

    #[test]
    fn callers_whose_names_are_too_long_are_told_apart() {
        let session = |name: &str| format!("arn:aws:sts::123456789012:assumed-role/oncall/{name}");
        let (one, other) =
            (name(&session("anna.von.der.schmiede@shop.example")), name(&session("anna.von.der.schmied@shop.example")));
        assert!(one.starts_with("anna.von.der.schm-") && other.starts_with("anna.von.der.schm-"), "{one} {other}");
        assert_ne!(one, other);
        // A name that looks like a card number is never kept.
        assert!(name(&session("4111111111111111")).starts_with("caller-"));
    }
}
