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

/// Why a text is not a currency that payments are made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CurrencyError {
    /// Not a code of ISO 4217 in upper case.
    #[error("must be a currency code of ISO 4217, such as EUR")]
    Unknown,
    /// A code for a metal, a fund or a test, which has no minor unit.
    #[error("must be a currency with a minor unit; metals, funds and test codes are not paid in")]
    NoMinorUnit,
}

/// A currency of ISO 4217 that has a minor unit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Reads an upper-case three-letter code.
    pub fn new(code: &str) -> Result<Self, CurrencyError> {
        let currency = iso_currency::Currency::from_code(code).ok_or(CurrencyError::Unknown)?;
        if currency.code() != code {
            return Err(CurrencyError::Unknown);
        }
        if currency.exponent().is_none() || code == "XTS" || code == "XXX" {
            return Err(CurrencyError::NoMinorUnit);
        }
        Ok(Self(currency))
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
        Self::new(&code)
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
