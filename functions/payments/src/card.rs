//! Finds what looks like a card number, so that none is ever stored, logged or passed on.
//!
//! A primary account number ends in a Luhn check digit, and its first digits say who issued it and how long it can be
//! (ISO/IEC 7812-1). Digits that no known issuer has are somebody's order number. Digits that touch a letter are part of an
//! identifier, such as a UUID, and not of a number that somebody has read off a card.

/// One issuer's numbers: the first digits from `low` to `high`, all of them `width` long, and how many digits follow in all.
struct Issuer {
    width: usize,
    low: u32,
    high: u32,
    digits: &'static [usize],
}

const fn issuer(width: usize, low: u32, high: u32, digits: &'static [usize]) -> Issuer {
    Issuer { width, low, high, digits }
}

const FROM_16: &[usize] = &[16, 17, 18, 19];

/// The ranges that the schemes have published. Maestro's twelve-digit numbers are left out: none has been issued for years,
/// and each counter of twelve digits would have to be looked at.
const ISSUERS: [Issuer; 34] = [
    // Visa.
    issuer(1, 4, 4, &[13, 16, 18, 19]),
    // Mastercard.
    issuer(2, 51, 55, &[16]),
    issuer(4, 2221, 2720, &[16]),
    // American Express.
    issuer(2, 34, 34, &[15]),
    issuer(2, 37, 37, &[15]),
    // Discover.
    issuer(4, 6011, 6011, FROM_16),
    issuer(3, 644, 649, FROM_16),
    issuer(2, 65, 65, FROM_16),
    // Diners Club.
    issuer(3, 300, 305, &[14, 15, 16, 17, 18, 19]),
    issuer(4, 3095, 3095, &[14, 15, 16, 17, 18, 19]),
    issuer(2, 36, 36, &[14, 15, 16, 17, 18, 19]),
    issuer(2, 38, 39, &[14, 15, 16, 17, 18, 19]),
    // JCB.
    issuer(4, 3528, 3589, FROM_16),
    // UnionPay.
    issuer(2, 62, 62, FROM_16),
    issuer(2, 81, 81, FROM_16),
    // Maestro.
    issuer(4, 5018, 5018, &[13, 14, 15, 16, 17, 18, 19]),
    issuer(4, 5020, 5020, &[13, 14, 15, 16, 17, 18, 19]),
    issuer(4, 5038, 5038, &[13, 14, 15, 16, 17, 18, 19]),
    issuer(4, 5893, 5893, &[13, 14, 15, 16, 17, 18, 19]),
    issuer(4, 6304, 6304, &[13, 14, 15, 16, 17, 18, 19]),
    issuer(4, 6759, 6759, &[13, 14, 15, 16, 17, 18, 19]),
    issuer(4, 6761, 6763, &[13, 14, 15, 16, 17, 18, 19]),
    // Dankort.
    issuer(4, 5019, 5019, &[16]),
    // Mir.
    issuer(4, 2200, 2204, FROM_16),
    // RuPay.
    issuer(2, 60, 60, &[16]),
    issuer(2, 82, 82, &[16]),
    issuer(3, 508, 508, &[16]),
    // Verve and Elo.
    issuer(4, 5060, 5067, &[16, 18, 19]),
    issuer(4, 5078, 5079, &[16, 18, 19]),
    issuer(3, 509, 509, &[16]),
    issuer(4, 6362, 6363, &[16]),
    // Troy.
    issuer(4, 9792, 9792, &[16]),
    // Uzcard and Humo.
    issuer(4, 8600, 8600, &[16]),
    issuer(4, 9860, 9860, &[16]),
];

/// Most digits of a card number.
const DIGITS_MAX: usize = 19;

/// Unicode's decimal digits besides ASCII's: the code point of each zero, which the other nine follow (general category Nd,
/// Unicode 16.0).
const ZEROS: [u32; 75] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20,
    0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0,
    0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0,
    0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50,
    0x11D50, 0x11DA0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1D7CE, 0x1D7D8, 0x1D7E2,
    0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0,
];

/// What a character is to a number that somebody has typed or pasted.
enum Kind {
    Digit(u8),
    /// Stands between groups of digits.
    Separator,
    /// Is not seen: zero-width characters, marks of direction, soft hyphens.
    Unseen,
    Letter,
    Other,
}

fn kind(c: char) -> Kind {
    match c {
        '0'..='9' => digit(c, 0x30),
        'a'..='z' | 'A'..='Z' => Kind::Letter,
        '-' | '.' | '_' | '/' => Kind::Separator,
        c if c.is_ascii() => {
            if c.is_whitespace() {
                Kind::Separator
            } else {
                Kind::Other
            }
        }
        c if is_unseen(c) => Kind::Unseen,
        c if c.is_whitespace() || is_dash(c) => Kind::Separator,
        c => match ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&u32::from(c))) {
            Some(zero) => digit(c, *zero),
            None => Kind::Other,
        },
    }
}

fn digit(c: char, zero: u32) -> Kind {
    u32::from(c).checked_sub(zero).and_then(|digit| u8::try_from(digit).ok()).map_or(Kind::Other, Kind::Digit)
}

/// Unicode's dashes (general category Pd), the minus sign, and the dots that stand between groups.
fn is_dash(c: char) -> bool {
    matches!(
        c,
        '\u{58A}' | '\u{5BE}' | '\u{1400}' | '\u{1806}' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2043}'
                | '\u{2212}'
                | '\u{2E17}'
                | '\u{2E1A}'
                | '\u{2E3A}'
                | '\u{2E3B}'
                | '\u{2E40}'
                | '\u{2E5D}'
                | '\u{301C}'
                | '\u{3030}'
                | '\u{30A0}'
                | '\u{FE31}'
                | '\u{FE32}'
                | '\u{FE58}'
                | '\u{FE63}'
                | '\u{FF0D}'
                | '\u{10EAD}'
                | '\u{B7}'
                | '\u{2022}'
                | '\u{2027}'
                | '\u{30FB}'
                | '\u{FF0E}'
                | '\u{FF0F}'
                | '\u{FF3F}'
    )
}

/// Format characters (general category Cf) and selectors that a copied text may carry.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}'
    )
}

/// Whether `text` holds a card number: groups of digits, separators between them, that together are a number of a known
/// issuer. Groups are tried together as they stand: `4111 1111 1111 1111 12` is found, as a card and a month.
pub fn contains_card_number(text: &str) -> bool {
    let mut groups: Vec<Vec<u8>> = Vec::new();
    let mut group: Vec<u8> = Vec::new();
    let (mut touches, mut after_letter) = (false, false);
    // The end of the text ends the last group.
    for kind in text.chars().map(kind).chain([Kind::Other]) {
        match kind {
            Kind::Unseen => {}
            Kind::Digit(digit) => {
                touches |= group.is_empty() && after_letter;
                group.push(digit);
                after_letter = false;
            }
            Kind::Separator | Kind::Letter | Kind::Other => {
                after_letter = matches!(kind, Kind::Letter);
                touches |= after_letter;
                let ended = std::mem::take(&mut group);
                let is_apart = !std::mem::take(&mut touches) || ended.is_empty();
                if is_apart && !ended.is_empty() {
                    groups.push(ended);
                }
                if !is_apart || !matches!(kind, Kind::Separator) {
                    if any_is_a_card_number(&groups) {
                        return true;
                    }
                    groups.clear();
                }
            }
        }
    }
    false
}

fn any_is_a_card_number(groups: &[Vec<u8>]) -> bool {
    (0..groups.len()).any(|first| starts_with_card_number(groups.get(first..).unwrap_or_default()))
}

fn starts_with_card_number(groups: &[Vec<u8>]) -> bool {
    let mut digits: Vec<u8> = Vec::new();
    for group in groups {
        digits.extend(group);
        if digits.len() > DIGITS_MAX {
            return false;
        }
        if is_of_an_issuer(&digits) && passes_luhn(&digits) {
            return true;
        }
    }
    false
}

fn is_of_an_issuer(digits: &[u8]) -> bool {
    ISSUERS.iter().any(|issuer| {
        let first = digits.iter().take(issuer.width).fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit));
        issuer.digits.contains(&digits.len()) && (issuer.low..=issuer.high).contains(&first)
    })
}

fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| match (place % 2, digit) {
            (0, _) => u32::from(digit),
            (_, 0..=4) => u32::from(digit) * 2,
            (_, _) => u32::from(digit) * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}
