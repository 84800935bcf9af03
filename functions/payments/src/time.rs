//! Points in time as milliseconds since 1970-01-01T00:00:00Z. Whoever needs "now" is given it.

use std::fmt;

use ::time::OffsetDateTime;
use ::time::format_description::BorrowedFormatItem;
use ::time::format_description::well_known::Rfc3339;
use ::time::macros::format_description;
use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

const MILLISECONDS: &[BorrowedFormatItem<'_>] =
    format_description!(version = 2, "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

impl Timestamp {
    /// A point in time from its milliseconds since the epoch.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// A point in time from its microseconds since the epoch, rounded down.
    pub const fn from_us(us: u64) -> Self {
        Self(us / 1_000)
    }

    /// Reads an RFC 3339 date-time; `None` when it is not one or lies before 1970.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(parsed.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    /// Milliseconds since the epoch.
    pub const fn ms(self) -> u64 {
        self.0
    }

    /// Microseconds since the epoch.
    pub const fn us(self) -> u64 {
        self.0.saturating_mul(1_000)
    }

    /// Whole seconds since the epoch, as DynamoDB's time to live wants them.
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000
    }

    /// This much later.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// This much earlier, not before the epoch.
    #[must_use]
    pub const fn minus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// Milliseconds from `earlier` to here; 0 when `earlier` is later.
    pub const fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds; beyond the year 9999 the bare milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = i128::from(self.0)
            .checked_mul(1_000_000)
            .and_then(|nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).ok())
            .and_then(|at| at.format(MILLISECONDS).ok());
        match text {
            Some(text) => f.write_str(&text),
            None => write!(f, "{}", self.0),
        }
    }
}
