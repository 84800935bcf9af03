//! Money is whole minor units of a currency that is paid in, above zero and not beyond sense.

use payments::money::{Currency, CurrencyError, LARGEST_MAJOR_UNITS, Money, MoneyError};
use proptest::prelude::*;

use super::cases;

const CODES: [(&str, u32); 8] =
    [("GBP", 2), ("EUR", 2), ("USD", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("TND", 3), ("VES", 2)];

fn currency() -> impl Strategy<Value = (Currency, u32)> {
    proptest::sample::select(&CODES[..]).prop_map(|(code, digits)| (Currency::new(code).unwrap(), digits))
}

fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![
        0_u64..5,
        any::<u64>(),
        1_u64..100_000,
        999_999_990_u64..1_000_000_010,
        99_999_999_990_u64..100_000_000_010
    ]
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn an_amount_is_taken_from_one_unit_to_the_currencys_largest((currency, digits) in currency(), amount in amount()) {
        let largest = LARGEST_MAJOR_UNITS * 10_u64.pow(digits);
        let expected = match amount {
            0 => Err(MoneyError::Zero),
            _ if amount > largest => Err(MoneyError::TooLarge(largest)),
            _ => Ok(amount),
        };
        prop_assert_eq!(Money::new(amount, currency).map(Money::amount), expected);
    }

    #[test]
    fn what_is_stored_is_read_back_and_what_is_no_money_is_not((currency, _) in currency(), amount in amount()) {
        let text = serde_json::json!({ "amount": amount, "currency": currency.code() }).to_string();
        let read = serde_json::from_str::<Money>(&text).ok();
        prop_assert_eq!(read, Money::new(amount, currency).ok());
        if let Some(money) = read {
            prop_assert_eq!(serde_json::to_value(money).unwrap(), serde_json::from_str::<serde_json::Value>(&text).unwrap());
        }
    }

    #[test]
    fn a_code_is_three_capital_letters_of_the_standard_or_nothing(code in "[A-Za-z]{0,4}|\\PC{3}") {
        if let Ok(currency) = Currency::new(&code) {
            prop_assert_eq!(currency.code(), code.as_str());
            prop_assert!(code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()));
        }
    }
}

#[test]
fn each_currency_has_its_own_minor_unit() {
    for (code, digits) in CODES {
        assert_eq!(Currency::new(code).map(Currency::exponent), Ok(digits), "{code}");
        assert_eq!(Currency::new(&code.to_ascii_lowercase()), Err(CurrencyError::NotInCapitals), "{code}");
    }
}

#[test]
fn metals_funds_and_test_codes_are_not_paid_in() {
    for code in
        ["XAU", "XAG", "XDR", "XTS", "XXX", "XUA", "XAD", "CLF", "USN", "BOV", "CHE", "CHW", "COU", "MXV", "UYI", "UYW"]
    {
        assert_eq!(Currency::new(code), Err(CurrencyError::NotMoney), "{code}");
    }
    for code in ["", "ABC", "EURO", "€€€", " EUR", "eu", "abc"] {
        assert_eq!(Currency::new(code), Err(CurrencyError::Unknown), "{code}");
    }
}

#[test]
fn a_withdrawn_currency_is_named_with_what_took_its_place() {
    for (code, current) in [
        ("HRK", "EUR"),
        ("BGN", "EUR"),
        ("DEM", "EUR"),
        ("ZWL", "ZWG"),
        ("SLL", "SLE"),
        ("CUC", "CUP"),
        ("ANG", "XCG"),
        ("MRO", "MRU"),
        ("VEF", "VES"),
    ] {
        assert_eq!(Currency::new(code), Err(CurrencyError::Withdrawn(current)), "{code}");
        assert!(Currency::new(current).is_ok(), "{current}");
        assert_eq!(Currency::new(&code.to_ascii_lowercase()), Err(CurrencyError::NotInCapitals), "{code}");
    }
    // Both of Venezuela's codes are in list one of ISO 4217.
    assert!(Currency::new("VES").is_ok() && Currency::new("VED").is_ok());
}

/// Every code that three letters can make: what is taken today is money, and is read back from where it was stored.
#[test]
fn what_was_stored_before_a_currency_was_withdrawn_stays_readable() {
    let letters = || 'A'..='Z';
    let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))));
    let (mut taken, mut readable) = (Vec::new(), Vec::new());
    for code in codes {
        let stored = serde_json::json!({ "amount": 1, "currency": code });
        if Currency::new(&code).is_ok() {
            taken.push(code.clone());
        }
        if let Ok(money) = serde_json::from_value::<Money>(stored.clone()) {
            assert_eq!(serde_json::to_value(money).unwrap(), stored);
            readable.push(code);
        }
    }
    assert!(taken.iter().all(|code| readable.contains(code)));
    for code in ["HRK", "BGN", "ZWL", "SLL", "CUC", "CLF", "USN"] {
        let code = code.to_owned();
        assert!(readable.contains(&code) && !taken.contains(&code), "{code}");
    }
    assert_eq!((taken.len(), readable.len()), (155, 170));
}
