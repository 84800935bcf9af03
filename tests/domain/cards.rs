//! I10: what looks like a card number is found wherever it stands, and order numbers are not taken for one.

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

fn card() -> impl Strategy<Value = String> {
    "[0-9]{11,18}".prop_map(|digits| format!("{digits}{}", check_digit(&digits)))
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn a_card_number_is_found_in_any_text(card in card(), before in "[a-z:_=]{0,9}", after in "[a-z:_.]{0,9}") {
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
    fn fewer_than_twelve_digits_are_never_a_card(text in "[a-zA-Z]{0,9}[0-9]{0,11}[a-zA-Z]{0,9}") {
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
    for text in
        ["536365", "C536379", "2010-12-01 08:26", "17850", "0d5e9a3c-7f0e-4a58-9a53-1f6f3a2b9c11", "+44 20 7946 0958"]
    {
        assert!(!contains_card_number(text), "{text}");
    }
}
