//! How a person writes a time and a rate.

use std::num::NonZeroU32;

/// Units of time with their milliseconds; the longer name first, so that `ms` is not read as minutes.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A time in ms: `200ms`, `2s`, `15m`, `24h` or `90d`.
pub fn duration_ms(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no time: write 200ms, 2s, 15m, 24h or 90d");
    let (number, unit_ms) =
        UNITS.iter().find_map(|(unit, ms)| text.strip_suffix(unit).map(|number| (number, *ms))).ok_or_else(wrong)?;
    let number: u64 = number.trim_end().parse().map_err(|_| wrong())?;
    number.checked_mul(unit_ms).ok_or_else(wrong)
}

/// The same, and longer than nothing.
pub fn some_duration_ms(text: &str) -> Result<u64, String> {
    match duration_ms(text)? {
        0 => Err(format!("{text:?} is no time to plan with: it has to be longer")),
        ms => Ok(ms),
    }
}

/// A rate a second: `5000` or `5000/s`.
pub fn rate(text: &str) -> Result<NonZeroU32, String> {
    let number =
        text.strip_suffix("/s").unwrap_or(text).parse().ok().filter(|rate: &NonZeroU32| rate.get() <= 1_000_000);
    number.ok_or_else(|| format!("{text:?} is no rate: write 5000 or 5000/s, from 1 to 1000000"))
}

/// A parameter: `NAME=VALUE`.
pub fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is no parameter: write NAME=VALUE")),
    }
}
