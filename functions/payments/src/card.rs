//! Finds what looks like a card number, so that none is ever stored, logged or passed on.
//!
//! A primary account number has 12 to 19 digits (ISO/IEC 7812-1 allows up to 19) and ends in a Luhn check digit.

/// Fewest and most digits of a card number.
const DIGITS: std::ops::RangeInclusive<usize> = 12..=19;

/// Whether `text` holds groups of digits, a space or a hyphen between them, that together have 12 to 19 digits and
/// pass Luhn's check. Groups are tried together as they stand: `4111 1111 1111 1111 12` is found, as a card and a month.
pub fn contains_card_number(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_digit() || c == ' ' || c == '-')).any(|run| {
        let groups: Vec<&str> = run.split([' ', '-']).filter(|group| !group.is_empty()).collect();
        (0..groups.len()).any(|first| starts_with_card_number(groups.get(first..).unwrap_or_default()))
    })
}

fn starts_with_card_number(groups: &[&str]) -> bool {
    let mut digits: Vec<u32> = Vec::new();
    for group in groups {
        digits.extend(group.chars().filter_map(|c| c.to_digit(10)));
        if digits.len() > *DIGITS.end() {
            return false;
        }
        if DIGITS.contains(&digits.len()) && passes_luhn(&digits) {
            return true;
        }
    }
    false
}

fn passes_luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, digit) {
            (0, _) => digit,
            (_, 0..=4) => digit * 2,
            (_, _) => digit * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}
