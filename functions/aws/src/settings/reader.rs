//! Reads settings one by one and keeps every problem, so that a person mends them all at once.

use std::fmt;
use std::ops::RangeInclusive;

use payments::history::{HISTORY_KEY_BYTES_MIN, HistoryKey, HistoryKeys};
use payments::provider::ProviderKind;

/// What is wrong with the settings. The function does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// One line each: the setting, its value's problem, and what is expected.
    pub problems: Vec<String>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the settings are wrong or missing:", self.problems.len())?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// Takes settings from a lookup by name. A setting that is missing or wrong yields a stand-in, which `finish` never
/// lets out.
pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, problems: Vec::new() }
    }

    /// Notes a problem.
    pub(super) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// Notes a problem unless `holds`.
    pub(super) fn require(&mut self, holds: bool, problem: &str) {
        if !holds {
            self.problem(problem.to_owned());
        }
    }

    fn given(&mut self, name: &str, expected: &str) -> Option<String> {
        match (self.lookup)(name) {
            None => self.problem(format!("{name} is missing: expected {expected}")),
            Some(value) if value.trim().is_empty() => {
                self.problem(format!("{name} is empty: expected {expected}"));
            }
            Some(value) => return Some(value),
        }
        None
    }

    /// A whole number in a range.
    pub(super) fn number<T>(&mut self, name: &str, range: RangeInclusive<u64>, unit: &str) -> T
    where
        T: TryFrom<u64> + Default,
    {
        let (start, end) = (range.start(), range.end());
        let expected = format!("a whole number of {unit} from {start} to {end}");
        let Some(text) = self.given(name, &expected) else {
            return T::default();
        };
        let number = text.parse::<u64>().ok().filter(|number| range.contains(number));
        if let Some(number) = number.and_then(|number| T::try_from(number).ok()) {
            return number;
        }
        self.problem(format!("{name} is {text:?}: expected {expected}"));
        T::default()
    }

    /// A name: letters, digits, `.`, `_` and `-`, as tables and providers have.
    pub(super) fn name(&mut self, name: &str) -> String {
        let expected = "a name of 1 to 255 letters, digits, '.', '_' or '-'";
        let Some(text) = self.given(name, expected) else {
            return String::new();
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if text.len() > 255 || !text.chars().all(allowed) {
            self.problem(format!("{name} is {text:?}: expected {expected}"));
        }
        text
    }

    /// The kind of a provider.
    pub(super) fn provider_kind(&mut self, name: &str) -> ProviderKind {
        let expected = format!("one of {}", ProviderKind::ALL.map(ProviderKind::as_str).join(", "));
        let Some(text) = self.given(name, &expected) else {
            return ProviderKind::default();
        };
        ProviderKind::parse(&text).unwrap_or_else(|| {
            self.problem(format!("{name} is {text:?}: expected {expected}"));
            ProviderKind::default()
        })
    }

    /// A URL with a host, over HTTP or HTTPS, without credentials in it.
    pub(super) fn url(&mut self, name: &str, what: &str) -> String {
        let expected = format!("{what}, such as https://example.com/path, without a user or password");
        let Some(text) = self.given(name, &expected) else {
            return String::new();
        };
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split('/').next());
        // Its value may hold what nobody is to read in a log.
        if text.contains(char::is_whitespace) || host.is_none_or(|host| host.is_empty() || host.contains('@')) {
            self.problem(format!("{name} is not a URL that can be used: expected {expected}"));
        }
        text
    }

    /// A secret, which no problem repeats. The end of a line after it is not part of it: editors write one.
    pub(super) fn secret(&mut self, name: &str) -> String {
        let expected = "printable ASCII characters without spaces";
        let Some(text) = self.given(name, expected) else {
            return String::new();
        };
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            self.problem(format!("{name} holds other characters than expected: {expected}"));
        }
        text
    }

    /// A provider's secret, in the form that its contract reads: one word of our own contract's, a document of others'.
    pub(super) fn provider_secret(&mut self, name: &str, kind: ProviderKind) -> String {
        match kind {
            ProviderKind::Open => self.secret(name),
            ProviderKind::Alipay | ProviderKind::Stripe => {
                self.given(name, "a JSON object of texts").unwrap_or_default()
            }
        }
    }

    /// A secret of some length that need not be given; given empty, it is a mistake.
    pub(super) fn optional_secret(&mut self, name: &str, kind: ProviderKind, min_chars: usize) -> Option<String> {
        (self.lookup)(name)?;
        let secret = self.provider_secret(name, kind);
        if secret.chars().count() < min_chars {
            self.problem(format!("{name} is too short: expected at least {min_chars} random characters"));
        }
        Some(secret)
    }

    /// Keys for histories, which no problem repeats.
    pub(super) fn history_keys(&mut self, name: &str) -> HistoryKeys {
        let expected = format!(
            "keys of at least {HISTORY_KEY_BYTES_MIN} bytes in base64 or hex, separated by commas, the one for new \
             payments first"
        );
        if let Some(text) = self.given(name, &expected) {
            match HistoryKeys::parse(&text) {
                Ok(keys) => return keys,
                Err(error) => self.problem(format!("{name} cannot be used: {error}; expected {expected}")),
            }
        }
        HistoryKeys::one(HistoryKey::of(&[0; HISTORY_KEY_BYTES_MIN]))
    }

    /// The settings, if nothing was wrong.
    pub(super) fn finish<T>(self, settings: T) -> Result<T, SettingsError> {
        if self.problems.is_empty() { Ok(settings) } else { Err(SettingsError { problems: self.problems }) }
    }
}
