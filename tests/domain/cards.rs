//! I10: what looks like a card number is found wherever and however it is written, and order numbers are not taken for one.

use payments::answer::{PROVIDER_TEXT_MAX, ProviderText};
use payments::card::contains_card_number;
use proptest::prelude::*;

use super::cases;

/// The digit that makes digits pass Luhn's check, by its definition and not by our code.
fn check_digit(digits: &str) -> u32 {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            if place % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
        })
        .sum();
    (10 - sum % 10) % 10
}

/// The first digits of a scheme's numbers, and how many digits they have.
const SCHEMES: [(&str, &[usize]); 18] = [
    ("4", &[13, 16, 19]),
    ("51", &[16]),
    ("55", &[16]),
    ("2221", &[16]),
    ("2720", &[16]),
    ("34", &[15]),
    ("37", &[15]),
    ("6011", &[16, 19]),
    ("644", &[16]),
    ("65", &[16]),
    ("300", &[14]),
    ("36", &[14, 19]),
    ("3528", &[16]),
    ("3589", &[16, 19]),
    ("62", &[16, 17, 18, 19]),
    ("81", &[16]),
    ("6759", &[13, 16, 19]),
    ("2204", &[16]),
];

/// A number of this scheme, with digits drawn from `bits`.
fn of_a_scheme(scheme: usize, length: usize, mut bits: u64) -> String {
    let (first, lengths) = SCHEMES[scheme % SCHEMES.len()];
    let length = lengths[length % lengths.len()];
    let mut digits = first.to_owned();
    while digits.len() < length - 1 {
        digits.push(char::from(b'0' + u8::try_from(bits % 10).unwrap()));
        bits = (bits / 10) ^ bits.rotate_left(23);
    }
    format!("{digits}{}", check_digit(&digits))
}

fn card() -> impl Strategy<Value = String> {
    (any::<usize>(), any::<usize>(), any::<u64>()).prop_map(|(scheme, length, bits)| of_a_scheme(scheme, length, bits))
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn a_card_number_is_found_in_any_text(card in card(), before in "([a-z:_=]{0,9}[:_= ])?", after in "([:_. ][a-z:_.]{0,9})?") {
        let text = format!("{before}{card}{after}");
        prop_assert!(contains_card_number(&text));
    }

    #[test]
    fn a_card_number_is_found_in_groups_of_any_size(card in card(), size in 1_usize..7, hyphens in any::<bool>()) {
        let groups: Vec<&str> = card.as_bytes().chunks(size).map(|group| std::str::from_utf8(group).unwrap()).collect();
        let text = groups.join(if hyphens { "-" } else { " " });
        prop_assert!(contains_card_number(&text), "{}", text);
        prop_assert!(contains_card_number(&format!("{text} 12-27 999")), "{}", text);
    }

    #[test]
    fn one_wrong_digit_and_it_is_none(card in card(), place in 0_usize..19, by in 1_u8..10) {
        let mut digits = card.into_bytes();
        let place = place % digits.len();
        digits[place] = b'0' + (digits[place] - b'0' + by) % 10;
        let text = String::from_utf8(digits).unwrap();
        prop_assert!(!contains_card_number(&text), "{}", text);
    }

    #[test]
    fn digits_that_touch_a_letter_are_an_identifier(card in card(), letter in "[a-zA-Z]", rest in "[a-z0-9-]{0,9}") {
        let text = format!("{letter}{card}");
        prop_assert!(!contains_card_number(&text), "{}", text);
        let text = format!("{card}{letter}{}", rest.replace(|c: char| c.is_ascii_digit(), ""));
        prop_assert!(!contains_card_number(&text), "{}", text);
    }

    /// What Unicode calls a decimal digit counts as one, by the tables of the regex crate and not by ours.
    #[test]
    fn every_unicode_digit_counts(before in "4[0-9]{13}", digit in "\\p{Nd}") {
        // The digit's value is not known here: one of the ten that it may have makes the number whole.
        let found = (0..10).filter(|value| {
            let check = check_digit(&format!("{before}{value}"));
            contains_card_number(&format!("{before}{digit}{check}"))
        });
        prop_assert_eq!(found.count(), 1, "{:?}", digit);
    }

    #[test]
    fn fewer_than_thirteen_digits_are_never_a_card(text in "[a-zA-Z]{0,9}[0-9]{0,12}[a-zA-Z]{0,9}") {
        prop_assert!(!contains_card_number(&text));
    }

    #[test]
    fn a_providers_text_is_kept_short_printable_and_without_a_card(text in "\\PC{0,80}", card in card()) {
        for text in [text.clone(), format!("{text}/{card}")] {
            let kept = ProviderText::new(&text);
            prop_assert!(!contains_card_number(kept.as_str()));
            prop_assert!((1..=PROVIDER_TEXT_MAX).contains(&kept.as_str().len()));
            prop_assert!(kept.as_str().bytes().all(|b| b.is_ascii_graphic()));
            prop_assert_eq!(&ProviderText::new(kept.as_str()), &kept);
        }
    }
}

/// Test numbers that card schemes publish, and numbers that shops have.
#[test]
fn well_known_card_numbers_are_found_and_order_numbers_are_not() {
    for card in ["4111111111111111", "5555 5555 5555 4444", "3782-822463-10005", "6011111111111117", "30569309025904"] {
        assert!(contains_card_number(card), "{card}");
    }
    for text in [
        "1c095f52-3008-4602-80b9-f8f05d45ce5a",
        "20260131-000017",
        "20260131000017",
        "000000012346",
        "192.168.100.200",
        "2026-11-27T17:21:33.123456Z",
        "1764263999123456",
        "536365",
        "C536379",
        "2010-12-01 08:26",
        "17850",
        "0d5e9a3c-7f0e-4a58-9a53-1f6f3a2b9c11",
        "+44 20 7946 0958",
    ] {
        assert!(!contains_card_number(text), "{text}");
    }
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators"): the same numbers in each run.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A random UUID (RFC 9562, version 4).
    fn uuid(&mut self) -> String {
        let (high, low) = (self.next() & !0xF000 | 0x4000, self.next() & !(0b11 << 62) | (0b10 << 62));
        let text = format!("{high:016x}{low:016x}");
        [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
    }
}

/// Each way to write the digits of a card: between groups of four, or instead of a digit.
fn spellings(card: &str) -> Vec<String> {
    let groups: Vec<&str> = card.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).unwrap()).collect();
    let between = [
        " ", "  ", "-", "\u{A0}", "\u{202F}", "\u{2009}", "\u{3000}", "\u{2010}", "\u{2011}", "\u{2013}", "\u{2014}",
        "\u{2212}", "\u{200B}", "\u{2060}", "\u{FEFF}", ".", "\t",
    ];
    let in_digits =
        |zero: u32| card.bytes().map(|digit| char::from_u32(zero + u32::from(digit - b'0')).unwrap()).collect();
    let mut all: Vec<String> = between.iter().map(|between| groups.join(between)).collect();
    all.extend([in_digits(0xFF10), in_digits(0x660), in_digits(0x966), card.to_owned()]);
    all
}

/// What shops call their orders, and how people write cards: the figures that infra/docs/api.md states.
#[test]
fn no_order_number_is_refused_and_no_card_is_missed() {
    const NUMBERS: u64 = 100_000;
    const CARDS: usize = 10_000;
    let mut draws = Draws(1);
    let mut refused = [("random UUIDs", 0), ("YYYYMMDD-NNNN", 0), ("YYYYMMDDNNNNNN", 0), ("counters of 12 digits", 0)];
    for number in 0..NUMBERS {
        let day = format!("20{:02}{:02}{:02}", 20 + number % 10, 1 + number / 10 % 12, 1 + number / 120 % 28);
        let counter = draws.next() % 1_000_000_000_000;
        let texts = [
            draws.uuid(),
            format!("{day}-{:04}", number % 10_000),
            format!("{day}{:06}", counter % 1_000_000),
            format!("{counter:012}"),
        ];
        for ((_, refused), text) in refused.iter_mut().zip(texts) {
            *refused += u32::from(contains_card_number(&text));
        }
    }
    println!("of {NUMBERS} each refused: {refused:?}");
    // A UUID of decimal digits alone may have a card's in it: one in some hundred thousand.
    assert!(refused[0].1 <= 2, "{refused:?}");
    assert!(refused[1..].iter().all(|(_, refused)| *refused == 0), "{refused:?}");

    let mut tried = 0;
    for scheme in 0..CARDS {
        let card = of_a_scheme(scheme, scheme / SCHEMES.len(), draws.next());
        for text in spellings(&card) {
            tried += 1;
            assert!(contains_card_number(&text), "{text:?}");
        }
    }
    println!("of {CARDS} cards in {} spellings missed: 0 of {tried}", tried / CARDS);
    assert!(tried >= 20 * CARDS);
}
