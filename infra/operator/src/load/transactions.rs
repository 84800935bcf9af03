//! Reads a file of payments. One bad line is named and left out; it never costs the others, and never becomes a payment
//! that nobody asked for.
//!
//! Only what stops a line from being asked at all is judged here. Whether a payment is taken is `ingest`'s to say, so
//! that an amount of zero is refused by the same code that refuses a merchant's.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use payments::id::{MerchantId, OrderId, PaymentId};
use payments::payment::Kind;
use serde_json::{Value, json};

use crate::load::table::{Columns, HeaderError, Row, Table, Values};

/// The columns that a file must have, in any order.
pub const REQUIRED_COLUMNS: [&str; 5] = ["order_id", "kind", "merchant", "amount", "currency"];
/// The columns that a file may have and that are sent as they stand.
pub const SENT_COLUMNS: [&str; 6] =
    ["payment_method", "original_order_id", "expires_at", "priority", "customer", "description"];
/// When it happened in the shop. Known, and not sent.
const AT_COLUMN: &str = "at";
/// Where half a value is another payment: a last line that was not ended is not believed if it ends with one of these.
const MONEY_COLUMNS: [&str; 5] = ["order_id", "merchant", "amount", "original_order_id", "payment_method"];

/// One payment to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its line in the file; the header is line 1.
    pub line: u64,
    /// The merchant's number for it.
    pub order_id: OrderId,
    /// What is to happen.
    pub kind: Kind,
    /// Who asks.
    pub merchant: MerchantId,
    /// Minor units; 0 is passed on, to be refused with its reason.
    pub amount: u64,
    /// As written; passed on unjudged.
    pub currency: String,
    /// What else the file says, by the request's field; passed on unjudged.
    pub optional: BTreeMap<&'static str, String>,
}

impl Transaction {
    /// The id that the payment will have.
    pub fn payment_id(&self) -> PaymentId {
        PaymentId::derive(&self.merchant, self.kind, &self.order_id)
    }

    /// Whether it is a refund that names no charge.
    pub fn is_unlinked_refund(&self) -> bool {
        self.kind == Kind::Refund && !self.optional.contains_key("original_order_id")
    }

    /// The body of the request for it.
    pub fn body(&self) -> Value {
        let required = [
            ("order_id", json!(self.order_id.as_str())),
            ("kind", json!(self.kind.as_str())),
            ("amount", json!(self.amount)),
            ("currency", json!(self.currency)),
        ];
        let optional = self.optional.iter().map(|(name, value)| (*name, json!(value)));
        let unlinked = self.is_unlinked_refund().then_some(("unlinked", json!(true)));
        required.into_iter().chain(optional).chain(unlinked).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Whether both ask for the same in every field.
    fn is_the_same_as(&self, other: &Self) -> bool {
        Self { line: 0, ..self.clone() } == Self { line: 0, ..other.clone() }
    }
}

/// A line that cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the file; the header is line 1.
    pub line: u64,
    /// What is wrong, column first.
    pub reason: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transactions {
    /// What can be asked for, in the file's order.
    pub rows: Vec<Transaction>,
    /// What cannot, in the file's order.
    pub bad: Vec<BadRow>,
}

/// Why a file cannot be read at all.
#[derive(Debug, PartialEq, Eq)]
pub enum FileError {
    /// It cannot be opened, or not read to its end.
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It was written to meanwhile.
    Changed(PathBuf),
    /// Its header cannot be understood.
    Header(HeaderError),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, reason } => write!(f, "cannot read {}: {reason}", path.display()),
            Self::Changed(path) => {
                write!(f, "{} was written to while it was read; nothing was sent, start again", path.display())
            }
            Self::Header(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FileError {}

/// Reads the file at `path` to its end, before anything of it is sent.
pub fn read_file(path: &Path, ignored: &[String]) -> Result<Transactions, FileError> {
    let failed = |error: std::io::Error| FileError::Read { path: path.to_owned(), reason: error.to_string() };
    let stands = || std::fs::metadata(path).and_then(|file| Ok((file.len(), file.modified()?))).map_err(failed);
    let before = stands()?;
    let bytes = std::fs::read(path).map_err(failed)?;
    // A pipe has no length to compare.
    let is_whole = before.0 == 0 || u64::try_from(bytes.len()).is_ok_and(|length| length == before.0);
    if stands()? != before || !is_whole {
        return Err(FileError::Changed(path.to_owned()));
    }
    read(&bytes, ignored)
}

/// Reads payments in CSV. Columns that are not known are refused, because a misspelt `expires_at` would be an order that
/// never expires; those in `ignored` are not read.
pub fn read(bytes: &[u8], ignored: &[String]) -> Result<Transactions, FileError> {
    let optional: Vec<&'static str> = SENT_COLUMNS.into_iter().chain([AT_COLUMN]).collect();
    let columns = Columns { required: &REQUIRED_COLUMNS, optional: &optional, ignored };
    let table = Table::open(bytes, columns).map_err(FileError::Header)?;
    let may_be_cut = table.last_column().filter(|column| MONEY_COLUMNS.contains(column));
    let mut read = Transactions::default();
    for Row { line, values, is_ended } in table {
        let row = values.and_then(|values| match may_be_cut {
            Some(column) if !is_ended => Err(format!(
                "{column} is the file's last value and no line break follows it: it may have been cut off; end the line \
                 if it is whole"
            )),
            Some(_) | None => row(&values, line),
        });
        match row {
            Ok(row) => read.rows.push(row),
            Err(reason) => read.bad.push(BadRow { line, reason }),
        }
    }
    one_line_an_order(&mut read);
    Ok(read)
}

/// An order that is asked for twice alike is sent once. Where the lines differ nobody can say which of them is meant: sent
/// side by side, either could win.
fn one_line_an_order(read: &mut Transactions) {
    let mut lines: BTreeMap<PaymentId, Vec<usize>> = BTreeMap::new();
    for (index, row) in read.rows.iter().enumerate() {
        lines.entry(row.payment_id()).or_default().push(index);
    }
    let mut refused = BTreeMap::new();
    for indexes in lines.values() {
        let rows: Vec<&Transaction> = indexes.iter().filter_map(|index| read.rows.get(*index)).collect();
        let [first, _, ..] = rows.as_slice() else { continue };
        let all: Vec<String> = rows.iter().map(|row| row.line.to_string()).collect();
        let (name, all) = (format!("{} {} of {}", first.kind.as_str(), first.order_id, first.merchant), all.join(", "));
        if rows.iter().all(|row| row.is_the_same_as(first)) {
            for index in indexes.iter().skip(1) {
                refused.insert(*index, format!("{name} stands in line {} already and is sent once", first.line));
            }
        } else {
            for index in indexes {
                refused.insert(*index, format!("{name} stands in lines {all}, which differ: none of them is sent"));
            }
        }
    }
    let rows = std::mem::take(&mut read.rows);
    for (index, row) in rows.into_iter().enumerate() {
        match refused.remove(&index) {
            Some(reason) => read.bad.push(BadRow { line: row.line, reason }),
            None => read.rows.push(row),
        }
    }
    read.bad.sort_by_key(|bad| bad.line);
}

fn row(values: &Values, line: u64) -> Result<Transaction, String> {
    Ok(Transaction {
        line,
        order_id: OrderId::new(values.required("order_id")?).map_err(|error| format!("order_id {error}"))?,
        kind: Kind::parse(values.required("kind")?).ok_or("kind must be charge, refund or payout")?,
        merchant: MerchantId::new(values.required("merchant")?).map_err(|error| format!("merchant {error}"))?,
        amount: minor_units(values.required("amount")?)?,
        currency: values.required("currency")?.to_owned(),
        optional: SENT_COLUMNS
            .into_iter()
            .filter_map(|name| values.optional(name).map(|value| (name, value.to_owned())))
            .collect(),
    })
}

/// Digits of ASCII and nothing else: `19.99`, `1e3`, `+5` and `１９` mean too many things.
fn minor_units(text: &str) -> Result<u64, String> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("amount must be a whole number of minor units, digits only (19.99 EUR is 1999)".to_owned());
    }
    if text.len() > 1 && text.starts_with('0') {
        return Err("amount begins with 0, as what has lost its decimal point does".to_owned());
    }
    text.parse().map_err(|_| format!("amount is above {}, the most that there can be", u64::MAX))
}

#[cfg(test)]
mod tests;
