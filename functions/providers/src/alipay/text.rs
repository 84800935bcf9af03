//! Amounts and times as Alipay writes them.

use payments::money::Money;
use payments::time::Timestamp;

/// Milliseconds by which Alipay's clock is before UTC: GMT+8.
const GMT_8_MS: u64 = 8 * 60 * 60 * 1_000;

/// Yuan with two places, from fen. No float has a part in it.
pub fn yuan(money: Money) -> String {
    let digits = format!("{:03}", money.amount());
    let (whole, fen) = digits.split_at(digits.len().saturating_sub(2));
    format!("{whole}.{fen}")
}

/// Fen from yuan as Alipay writes them: digits, and after a point one or two more.
pub fn fen(yuan: &str) -> Option<u64> {
    let (whole, places) = yuan.split_once('.').unwrap_or((yuan, "00"));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(places) || !(1..=2).contains(&places.len()) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let places: u64 = format!("{places:0<2}").parse().ok()?;
    whole.checked_mul(100)?.checked_add(places)
}

/// Whether this text is this amount.
pub fn says(yuan: Option<&str>, money: Money) -> bool {
    yuan.and_then(fen) == Some(money.amount())
}

/// `yyyy-MM-dd HH:mm:ss` in GMT+8.
pub fn timestamp(at: Timestamp) -> String {
    let text = at.plus_ms(GMT_8_MS).to_string();
    text.chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}
