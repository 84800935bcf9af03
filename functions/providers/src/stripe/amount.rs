//! Amounts as Stripe counts them ("Supported currencies", "Minor units in API amounts"): for most currencies in the minor unit of
//! ISO 4217, for some in another one. A currency that the page does not list is not taken, because in which unit it would
//! be counted is not said.

use payments::money::{Currency, Money};

/// Largest amount of most currencies: eight digits ("Minimum and maximum charge amounts").
const LARGEST: u64 = 99_999_999;

/// How Stripe counts a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// In ISO 4217's minor unit.
    Minor,
    /// In ISO 4217's minor unit, a thousandth, whose last digit has to be 0 ("Three-decimal currencies").
    Thousandth,
    /// In hundredths of what has no minor unit: ISK and UGX ("Special cases").
    HundredthOfWhole,
    /// In whole ones of what ISO 4217 counts in hundredths: MGA ("Zero-decimal currencies").
    Whole,
}

/// "Supported presentment currencies", those that ISO 4217 still has.
const TWO_DECIMALS: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BMD", "BND", "BOB", "BRL",
    "BSD", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CVE", "CZK", "DKK", "DOP", "DZD", "EGP",
    "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS",
    "INR", "JMD", "KES", "KGS", "KHR", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MKD", "MMK",
    "MNT", "MOP", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN",
    "PGK", "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SEK", "SGD", "SHP", "SLE", "SOS",
    "SRD", "SZL", "THB", "TJS", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "UYU", "UZS", "WST", "XCD", "YER",
    "ZAR", "ZMW",
];
const NO_DECIMALS: &[&str] =
    &["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
const THREE_DECIMALS: &[&str] = &["BHD", "JOD", "KWD", "OMR", "TND"];
const HUNDREDTHS_OF_WHOLE: &[&str] = &["ISK", "UGX"];
const WHOLE: &[&str] = &["MGA"];

/// Why Stripe does not take an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountError {
    /// Its page does not list the currency.
    Currency,
    /// Not one that can be written in its unit.
    NotWhole(&'static str),
    /// Beyond what it takes.
    TooLarge,
}

fn unit(currency: Currency) -> Option<Unit> {
    let code = currency.code();
    // What ISO 4217 says now has to be what the page was read with.
    match currency.exponent() {
        2 if TWO_DECIMALS.contains(&code) => Some(Unit::Minor),
        0 if NO_DECIMALS.contains(&code) => Some(Unit::Minor),
        3 if THREE_DECIMALS.contains(&code) => Some(Unit::Thousandth),
        0 if HUNDREDTHS_OF_WHOLE.contains(&code) => Some(Unit::HundredthOfWhole),
        2 if WHOLE.contains(&code) => Some(Unit::Whole),
        _ => None,
    }
}

/// The amount as Stripe counts it. No float has a part in it, and nothing is rounded.
pub fn of(money: Money) -> Result<u64, AmountError> {
    let amount = money.amount();
    let counted = match unit(money.currency()).ok_or(AmountError::Currency)? {
        Unit::Minor => Some(amount),
        Unit::Thousandth if !amount.is_multiple_of(10) => {
            return Err(AmountError::NotWhole("must end in 0: Stripe takes this currency in steps of ten minor units"));
        }
        Unit::Thousandth => Some(amount),
        Unit::HundredthOfWhole => amount.checked_mul(100),
        Unit::Whole if !amount.is_multiple_of(100) => {
            return Err(AmountError::NotWhole("must end in 00: Stripe takes this currency in whole units only"));
        }
        Unit::Whole => amount.checked_div(100),
    };
    counted.filter(|counted| *counted <= LARGEST).ok_or(AmountError::TooLarge)
}

/// Whether what Stripe says is this money.
pub fn says(amount: u64, currency: &str, money: Money) -> bool {
    of(money) == Ok(amount) && currency == code(money)
}

/// The currency's code as Stripe writes it.
pub fn code(money: Money) -> String {
    money.currency().code().to_ascii_lowercase()
}
