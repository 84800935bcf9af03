//! Reads a file of payments. One bad line is named and left out; it never costs the others.
//!
//! Only what stops a line from being asked at all is judged here. Whether a payment is taken is `ingest`'s to say, so
//! that an amount of zero is refused by the same code that refuses a merchant's.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use payments::id::{MerchantId, OrderId, PaymentId};
use payments::payment::Kind;
use serde_json::{Value, json};

/// The columns that a file must have, in any order and among any others.
pub const REQUIRED_COLUMNS: [&str; 5] = ["order_id", "kind", "merchant", "amount", "currency"];

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
    /// The merchant's number for the customer, if the file has one.
    pub customer: Option<String>,
}

impl Transaction {
    /// The id that the payment will have.
    pub fn payment_id(&self) -> PaymentId {
        PaymentId::derive(&self.merchant, self.kind, &self.order_id)
    }

    /// The body of the request for it. The file's refunds name no charge.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "order_id": self.order_id.as_str(),
            "kind": self.kind.as_str(),
            "amount": self.amount,
            "currency": self.currency,
        });
        if let Some(customer) = &self.customer {
            body["customer"] = json!(customer);
        }
        if self.kind == Kind::Refund {
            body["unlinked"] = json!(true);
        }
        body
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
    /// What cannot.
    pub bad: Vec<BadRow>,
}

/// Why a file cannot be read at all.
#[derive(Debug, PartialEq, Eq)]
pub enum FileError {
    /// It cannot be opened.
    Open {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Its first line is not one of CSV.
    Header(String),
    /// These columns are missing.
    MissingColumns(Vec<&'static str>),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { path, reason } => {
                write!(f, "cannot open {}: {reason}; name a CSV file with --file", path.display())
            }
            Self::Header(reason) => write!(f, "the file's first line is no CSV header: {reason}"),
            Self::MissingColumns(columns) => write!(
                f,
                "the file lacks the column{} {}; its first line must name {}",
                if columns.len() == 1 { "" } else { "s" },
                columns.join(", "),
                REQUIRED_COLUMNS.join(", "),
            ),
        }
    }
}

impl std::error::Error for FileError {}

/// Reads the file at `path`.
pub fn read_file(path: &Path) -> Result<Transactions, FileError> {
    let open = |error: std::io::Error| FileError::Open { path: path.to_owned(), reason: error.to_string() };
    let file = std::fs::File::open(path).map_err(open)?;
    if file.metadata().map_err(open)?.is_dir() {
        return Err(open(std::io::ErrorKind::IsADirectory.into()));
    }
    read(file)
}

/// Reads payments in CSV.
pub fn read(source: impl Read) -> Result<Transactions, FileError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(source);
    let header = reader.byte_headers().map_err(|error| FileError::Header(error.to_string()))?;
    let columns: HashMap<String, usize> = header
        .iter()
        .enumerate()
        // Spreadsheets begin their files with a byte order mark, which would hide the first column.
        .map(|(index, name)| (String::from_utf8_lossy(name).trim_start_matches('\u{feff}').to_owned(), index))
        .collect();
    let missing: Vec<_> = REQUIRED_COLUMNS.into_iter().filter(|name| !columns.contains_key(*name)).collect();
    if !missing.is_empty() {
        return Err(FileError::MissingColumns(missing));
    }
    let mut read = Transactions::default();
    let mut record = csv::ByteRecord::new();
    loop {
        let next_line = reader.position().line();
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = record.position().map_or(next_line, csv::Position::line);
                match row(&record, &columns, line) {
                    Ok(row) => read.rows.push(row),
                    Err(reason) => read.bad.push(BadRow { line, reason }),
                }
            }
            Err(error) => {
                read.bad.push(BadRow { line: next_line, reason: error.to_string() });
                if error.is_io_error() {
                    break;
                }
            }
        }
    }
    Ok(read)
}

fn row(record: &csv::ByteRecord, columns: &HashMap<String, usize>, line: u64) -> Result<Transaction, String> {
    let text = |name: &str| -> Result<&str, String> {
        let field = columns.get(name).and_then(|index| record.get(*index)).unwrap_or_default();
        std::str::from_utf8(field).map_err(|_| format!("{name} is not UTF-8"))
    };
    let required = |name: &str| -> Result<&str, String> {
        match text(name)? {
            "" => Err(format!("{name} is missing")),
            value => Ok(value),
        }
    };
    let amount = required("amount")?;
    Ok(Transaction {
        line,
        order_id: OrderId::new(required("order_id")?).map_err(|error| format!("order_id {error}"))?,
        kind: Kind::parse(required("kind")?).ok_or("kind must be charge, refund or payout")?,
        merchant: MerchantId::new(required("merchant")?).map_err(|error| format!("merchant {error}"))?,
        amount: amount
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| amount.parse().ok())
            .flatten()
            .ok_or("amount must be a whole number of minor units, digits only")?,
        currency: required("currency")?.to_owned(),
        customer: Some(text("customer")?).filter(|customer| !customer.is_empty()).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "order_id,kind,merchant,customer,amount,currency,at\n";

    fn read_text(text: &str) -> Transactions {
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_zero_amount_is_read_because_ingest_has_to_refuse_it() {
        let read = read_text(&format!("{HEADER}1,charge,eire,,0,GBP,\n"));
        assert_eq!(read.rows[0].amount, 0);
        assert_eq!(read.rows[0].customer, None);
        assert_eq!(read.bad, []);
    }

    #[test]
    fn a_bad_line_is_named_and_the_others_are_read() {
        let text = format!(
            "{HEADER}1,charge,eire,7,100,GBP,x\n2,gift,eire,7,100,GBP,x\n3,charge,Eire,7,100,GBP,x\n\
             4,charge,eire,7,-5,GBP,x\n5,charge\n6,charge,eire,7,1.5,GBP,x\n7,refund,eire,7,3,GBP,x\n"
        );
        let read = read_text(&text);
        let orders: Vec<_> = read.rows.iter().map(|row| row.order_id.as_str()).collect();
        assert_eq!(orders, ["1", "7"]);
        let lines: Vec<_> = read.bad.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7]);
        assert_eq!(read.bad[0].to_string(), "line 3: kind must be charge, refund or payout");
        assert!(read.bad[1].reason.starts_with("merchant must consist of"));
        assert!(read.bad[3].reason.contains("is missing"));
    }

    #[test]
    fn bytes_that_are_no_text_cost_their_line_only() {
        let mut bytes = HEADER.as_bytes().to_vec();
        bytes.extend_from_slice(b"1,charge,\xff\xfe,7,100,GBP,x\n2,charge,eire,7,100,GBP,x\n");
        let read = read(bytes.as_slice()).unwrap();
        assert_eq!(read.rows.len(), 1);
        assert_eq!(read.bad[0].to_string(), "line 2: merchant is not UTF-8");
    }

    #[test]
    fn missing_columns_are_named_together() {
        let error = read("order_id,kind,merchant\n".as_bytes()).unwrap_err();
        assert_eq!(error, FileError::MissingColumns(vec!["amount", "currency"]));
        assert_eq!(
            error.to_string(),
            "the file lacks the columns amount, currency; its first line must name order_id, kind, merchant, \
             amount, currency"
        );
        assert!(matches!(read("".as_bytes()), Err(FileError::MissingColumns(all)) if all.len() == 5));
    }

    #[test]
    fn columns_may_stand_in_any_order_behind_a_byte_order_mark() {
        let read = read_text("\u{feff}currency,extra,amount,merchant,kind,order_id\nEUR,?,5,m,payout,o-1\n");
        assert_eq!(read.rows[0].currency, "EUR");
        assert_eq!(read.rows[0].kind, Kind::Payout);
    }

    #[test]
    fn a_refund_asks_for_itself_as_unlinked() {
        let read = read_text(&format!("{HEADER}C1,refund,eire,7,100,GBP,x\n2,charge,eire,7,100,GBP,x\n"));
        assert_eq!(read.rows[0].body()["unlinked"], json!(true));
        assert!(read.rows[1].body().get("unlinked").is_none());
    }

    #[test]
    fn the_shipped_file_has_512_payments_of_which_45_are_of_nothing() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/online-retail-2010-12.csv");
        let read = read_file(&path).unwrap();
        assert_eq!((read.rows.len(), read.bad.len()), (512, 0));
        assert_eq!(read.rows.iter().filter(|row| row.amount == 0).count(), 45);
    }
}
