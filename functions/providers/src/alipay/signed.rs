//! What is signed: a request's parameters, and an answer's raw text.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

use super::rsa::VerifyingKey;

/// The text of parameters that is signed: sorted by name, `name=value` joined by `&`.
pub fn content<'a>(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut parameters: Vec<(&str, &str)> = parameters.collect();
    parameters.sort_unstable();
    let pairs: Vec<String> = parameters.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// The text of the member `name` of an answer, if its `sign` is the key's signature of exactly that text.
///
/// The text is cut out of the body: written anew it could differ. An answer without a signature, or with two members of a
/// name, is believed in nothing.
pub fn verified(body: &[u8], name: &str, key: &VerifyingKey) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    let members = members(body)?;
    let only = |wanted: &str| {
        let mut found = members.iter().filter(|(name, _)| name == wanted).map(|(_, text)| *text);
        found.next().filter(|_| found.next().is_none())
    };
    let text = only(name)?;
    let sign: String = serde_json::from_str(only("sign")?).ok()?;
    // Alipay's own libraries verify the text with its slashes unescaped too. What is read is what was verified.
    let unescaped = || text.replace("\\/", "/");
    if key.verifies(text.as_bytes(), &sign) {
        Some(text.to_owned())
    } else {
        Some(unescaped()).filter(|unescaped| key.verifies(unescaped.as_bytes(), &sign))
    }
}

/// The members of a JSON object, each value as it stands there.
fn members(body: &str) -> Option<Vec<(String, &str)>> {
    // The whole is JSON to begin with; the walk below only has to find the places.
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(body).ok()?;
    let mut rest = body.trim_start().strip_prefix('{')?.trim_start();
    let mut members = Vec::new();
    while !rest.starts_with('}') {
        let (name, after) = value::<String>(rest)?;
        let after = after.trim_start().strip_prefix(':')?.trim_start();
        let (_, behind) = value::<IgnoredAny>(after)?;
        members.push((name, after.get(..after.len().checked_sub(behind.len())?)?));
        rest = behind.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(members)
}

/// The value that a text begins with, and what stands behind it.
fn value<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Option<(T, &'a str)> {
    let mut values = Deserializer::from_str(text).into_iter::<T>();
    let value = values.next()?.ok()?;
    Some((value, text.get(values.byte_offset()..)?))
}
