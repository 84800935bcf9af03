//! Money: whole minor units and their ISO 4217 currency. It never rounds, because nothing here divides.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Largest amount taken, in major units; an amount beyond it is a mistake in the unit, not a sale.
pub const LARGEST_MAJOR_UNITS: u64 = 1_000_000_000;

/// Why money is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// There is nothing to pay.
    #[error("must be at least 1 minor unit; there is nothing to pay")]
    Zero,
    /// Beyond [`LARGEST_MAJOR_UNITS`].
    #[error("must be at most {0} minor units for this currency")]
    TooLarge(u64),
}

/// Why a text is not a currency that new payments are made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CurrencyError {
    /// Not a code of ISO 4217.
    #[error("must be a currency code of ISO 4217, such as EUR")]
    Unknown,
    /// A code of ISO 4217 that is not in capitals.
    #[error("must be in capitals, such as EUR")]
    NotInCapitals,
    /// A code for a metal, a fund, a unit of account or a test.
    #[error("must be money that is paid in; metals, funds, units of account and test codes are not")]
    NotMoney,
    /// A currency that ISO 4217 has withdrawn, with the one that took its place.
    #[error("is a withdrawn currency, which is paid in no more; {0} took its place")]
    Withdrawn(&'static str),
}

/// Currencies that ISO 4217 has withdrawn since 1999 (its list three), each with the one that took its place. Those of
/// them that `iso_currency` does not know were never stored.
const WITHDRAWN: [(&str, &str); 43] = [
    ("AFA", "AFN"),
    ("ANG", "XCG"),
    ("ATS", "EUR"),
    ("AZM", "AZN"),
    ("BEF", "EUR"),
    ("BGL", "EUR"),
    ("BGN", "EUR"),
    ("BYB", "BYN"),
    ("BYR", "BYN"),
    ("CSD", "RSD"),
    ("CUC", "CUP"),
    ("CYP", "EUR"),
    ("DEM", "EUR"),
    ("EEK", "EUR"),
    ("ESP", "EUR"),
    ("FIM", "EUR"),
    ("FRF", "EUR"),
    ("GHC", "GHS"),
    ("GRD", "EUR"),
    ("HRK", "EUR"),
    ("IEP", "EUR"),
    ("ITL", "EUR"),
    ("LTL", "EUR"),
    ("LUF", "EUR"),
    ("LVL", "EUR"),
    ("MGF", "MGA"),
    ("MRO", "MRU"),
    ("MTL", "EUR"),
    ("MZM", "MZN"),
    ("NLG", "EUR"),
    ("PTE", "EUR"),
    ("ROL", "RON"),
    ("RUR", "RUB"),
    ("SIT", "EUR"),
    ("SKK", "EUR"),
    ("SLL", "SLE"),
    ("STD", "STN"),
    ("TMM", "TMT"),
    ("TRL", "TRY"),
    ("VEB", "VES"),
    ("VEF", "VES"),
    ("ZMK", "ZMW"),
    ("ZWL", "ZWG"),
];

/// A currency of ISO 4217 that has a minor unit.
///
/// A new payment's is made by [`Currency::new`]. What is stored is read more widely, because a currency may be withdrawn
/// after payments were made in it, and their items have to stay readable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Reads the upper-case three-letter code of a currency that payments are made in today.
    pub fn new(code: &str) -> Result<Self, CurrencyError> {
        let capitals = code.to_ascii_uppercase();
        let withdrawn = WITHDRAWN.iter().find(|(old, _)| *old == capitals).map(|(_, current)| *current);
        let known = iso_currency::Currency::from_code(&capitals).filter(|known| known.code() == capitals);
        match (known, withdrawn) {
            (None, None) => Err(CurrencyError::Unknown),
            (Some(_), _) | (None, Some(_)) if capitals != code => Err(CurrencyError::NotInCapitals),
            (_, Some(current)) => Err(CurrencyError::Withdrawn(current)),
            (Some(known), None) if known.is_fund() || known.is_special() || known.exponent().is_none() => {
                Err(CurrencyError::NotMoney)
            }
            (Some(known), None) => Ok(Self(known)),
        }
    }

    /// Reads the code of a currency that payments were made in at any time.
    fn stored(code: &str) -> Result<Self, CurrencyError> {
        let known = iso_currency::Currency::from_code(code).filter(|known| known.code() == code);
        let known = known.ok_or(CurrencyError::Unknown)?;
        if known.exponent().is_none() { Err(CurrencyError::NotMoney) } else { Ok(Self(known)) }
    }

    /// The three-letter code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits of the minor unit: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }

    /// Largest amount taken, in minor units.
    pub fn largest_amount(self) -> u64 {
        LARGEST_MAJOR_UNITS.saturating_mul(10_u64.saturating_pow(self.exponent()))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl TryFrom<String> for Currency {
    type Error = CurrencyError;
    fn try_from(code: String) -> Result<Self, CurrencyError> {
        Self::stored(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.code().to_owned()
    }
}

/// An amount above zero in minor units, with its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Money {
    amount: u64,
    currency: Currency,
}

#[derive(Deserialize)]
struct Unchecked {
    amount: u64,
    currency: Currency,
}

impl TryFrom<Unchecked> for Money {
    type Error = MoneyError;
    fn try_from(money: Unchecked) -> Result<Self, MoneyError> {
        Self::new(money.amount, money.currency)
    }
}

impl Money {
    /// Takes an amount in minor units, from 1 to the currency's largest.
    pub fn new(amount: u64, currency: Currency) -> Result<Self, MoneyError> {
        let largest = currency.largest_amount();
        if amount == 0 {
            Err(MoneyError::Zero)
        } else if amount > largest {
            Err(MoneyError::TooLarge(largest))
        } else {
            Ok(Self { amount, currency })
        }
    }

    /// Minor units.
    pub const fn amount(self) -> u64 {
        self.amount
    }

    /// The same, for a sum that may fall below zero; from 0 to 10^13, so that no sum of them overflows.
    pub fn signed_amount(self) -> i64 {
        i64::try_from(self.amount).unwrap_or(i64::MAX)
    }

    /// The currency that the amount is in.
    pub const fn currency(self) -> Currency {
        self.currency
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}
