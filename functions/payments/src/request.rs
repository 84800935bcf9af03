//! Reads what a merchant sends and names every fault in it by field and reason, without ever repeating a value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::card::contains_card_number;
use crate::fingerprint::Fingerprint;
use crate::id::{OrderId, PaymentId};
use crate::idempotency::key_of;
use crate::merchant::Merchant;
use crate::money::{Currency, LARGEST_MAJOR_UNITS, Money, MoneyError};
use crate::payment::{Order, Payment, RefundOf};
use crate::state::{Kind, Lane};
use crate::time::Timestamp;

/// Longest body taken, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest token, customer number or idempotency key, in characters.
pub const TEXT_MAX: usize = 128;
/// Longest description, in characters.
pub const DESCRIPTION_MAX: usize = 200;
/// Most metadata entries.
pub const METADATA_MAX: usize = 8;
/// Longest metadata name, in characters.
pub const METADATA_NAME_MAX: usize = 32;
/// Longest metadata value, in characters.
pub const METADATA_VALUE_MAX: usize = 64;

/// A field that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's name in the request; `body` for the request as a whole.
    pub field: String,
    /// What was wrong and what is expected; never the value itself.
    pub reason: String,
}

/// A request that can be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub order: Order,
    /// What was said, hashed.
    pub fingerprint: Fingerprint,
}

/// A form of body that is known by its first bytes and is not JSON in UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// UTF-16 or UTF-32.
    WideUnicode,
    /// Compressed with gzip.
    Gzip,
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The body is in a form that is not taken at all.
    Foreign(Foreign),
    /// These fields are wrong.
    Fields(Vec<FieldError>),
    /// The merchant may not do this.
    NotPermitted(FieldError),
}

/// Reads a request's body, for the merchant that sent it.
pub fn read(body: &[u8], merchant: &Merchant, idempotency_key: Option<&str>) -> Result<Request, Fault> {
    let fields = fields(body)?;
    let mut reader = Reader { fields: fields.0, errors: Vec::new() };
    let order = reader.order(merchant, idempotency_key);
    reader.refuse_the_rest();
    let order = match order {
        Some(order) if reader.errors.is_empty() => order,
        Some(_) | None => return Err(Fault::Fields(reader.errors)),
    };
    permitted(&order, merchant)?;
    let fingerprint = fingerprint(&order);
    Ok(Request { order, fingerprint })
}

/// Reads the body as an object. What it is instead is said as exactly as its bytes tell.
fn fields(body: &[u8]) -> Result<Fields, Fault> {
    let fault = |reason: String| Fault::Fields(vec![FieldError { field: "body".to_owned(), reason }]);
    match body {
        // Byte order marks (RFC 9110 leaves them to the media type; RFC 8259, section 8.1, allows none), and ASCII in two
        // or four bytes a character.
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] | [0, ..] | [_, 0, ..] => return Err(Fault::Foreign(Foreign::WideUnicode)),
        // RFC 1952, section 2.3.1.
        [0x1F, 0x8B, ..] => return Err(Fault::Foreign(Foreign::Gzip)),
        [0xEF, 0xBB, 0xBF, ..] => {
            return Err(fault(
                "begins with a byte order mark; JSON is sent without one (RFC 8259, section 8.1)".to_owned(),
            ));
        }
        [] => return Err(fault("is empty; send a JSON object".to_owned())),
        _ => {}
    }
    if let Err(error) = std::str::from_utf8(body) {
        return Err(fault(format!("is not UTF-8 from its byte {} on", error.valid_up_to().saturating_add(1))));
    }
    serde_json::from_slice::<Fields>(body).map_err(|error| Fault::Fields(vec![body_fault(&error)]))
}

fn permitted(order: &Order, merchant: &Merchant) -> Result<(), Fault> {
    let fault = |field: &str, reason: &str| {
        Err(Fault::NotPermitted(FieldError { field: field.to_owned(), reason: reason.to_owned() }))
    };
    if order.refund_of == Some(RefundOf::Unlinked) && !merchant.unlinked_refunds {
        return fault("unlinked", "refunds that name no charge are not enabled for this merchant");
    }
    if order.lane == Lane::High && !merchant.high_priority {
        return fault("priority", "the high lane is not enabled for this merchant");
    }
    Ok(())
}

/// A JSON object whose names are all different: what is said twice is not silently halved.
struct Fields(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if fields.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a field is given twice"));
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

fn body_fault(error: &serde_json::Error) -> FieldError {
    let what = match error.classify() {
        serde_json::error::Category::Data => "must be one JSON object that names each field once",
        serde_json::error::Category::Eof => "is incomplete JSON",
        serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
            // The crate has no kinds for these two, which are JSON all the same.
            let said = error.to_string();
            if said.starts_with("number out of range") {
                "holds a number that is out of every range"
            } else if said.starts_with("recursion limit exceeded") {
                "is nested too deeply"
            } else {
                "is not JSON"
            }
        }
    };
    FieldError {
        field: "body".to_owned(),
        reason: format!("{what} (line {}, column {})", error.line(), error.column()),
    }
}

/// Why a number that is no unsigned one of 64 bits is no amount.
fn not_an_amount(value: f64, currency: Option<Currency>) -> String {
    // 2 to the power of 64: from here on a whole number is no longer told from a fraction.
    const TOO_LARGE: f64 = 18_446_744_073_709_551_616.0;
    if value < 0.0 {
        "must not be negative; give back with kind refund".to_owned()
    } else if value >= TOO_LARGE {
        match currency {
            Some(currency) => MoneyError::TooLarge(currency.largest_amount()).to_string(),
            None => format!("must be at most {LARGEST_MAJOR_UNITS} of the currency's major units, in minor units"),
        }
    } else {
        "must be a whole number of minor units, without fraction or exponent".to_owned()
    }
}

/// Takes the fields one by one and collects what is wrong with them.
struct Reader {
    fields: BTreeMap<String, Value>,
    errors: Vec<FieldError>,
}

impl Reader {
    fn order(&mut self, merchant: &Merchant, idempotency_key: Option<&str>) -> Option<Order> {
        let order_id = self
            .required("order_id")
            .and_then(|text| OrderId::new(text).map_err(|error| self.fault("order_id", &error.to_string())).ok());
        let kind = self.required("kind").and_then(|text| {
            let kind = Kind::parse(&text);
            if kind.is_none() {
                self.fault("kind", "must be charge, refund or payout");
            }
            kind
        });
        let money = self.money();
        let lane = match self.optional("priority", TEXT_MAX).as_deref().map(Lane::parse) {
            None => Some(Lane::Standard),
            Some(None) => {
                self.fault("priority", "must be high or standard");
                None
            }
            Some(lane) => lane,
        };
        let payment_method = self.optional("payment_method", TEXT_MAX);
        let customer = self.optional("customer", TEXT_MAX);
        let description = self.optional("description", DESCRIPTION_MAX);
        let metadata = self.metadata();
        let expires_at = self.optional("expires_at", TEXT_MAX).and_then(|text| {
            let parsed = Timestamp::parse(&text);
            if parsed.is_none() {
                self.fault("expires_at", "must be a date-time of RFC 3339, such as 2026-01-31T12:00:00Z");
            }
            parsed
        });
        let refund_of = kind.and_then(|kind| self.refund_of(kind, merchant));
        let idempotency_key = idempotency_key.and_then(|header| match key_of(header) {
            Ok(key) => self.check_text("Idempotency-Key", &key, TEXT_MAX).then_some(key),
            Err(reason) => {
                self.fault("Idempotency-Key", reason);
                None
            }
        });
        Some(Order {
            merchant: merchant.merchant.clone(),
            kind: kind?,
            order_id: order_id?,
            money: money?,
            payment_method,
            customer,
            description,
            metadata,
            lane: lane?,
            expires_at,
            refund_of,
            idempotency_key,
        })
    }

    fn money(&mut self) -> Option<Money> {
        let currency = self
            .required("currency")
            .and_then(|code| Currency::new(&code).map_err(|error| self.fault("currency", &error.to_string())).ok());
        let amount = match self.fields.remove("amount") {
            None | Some(Value::Null) => {
                self.fault("amount", "is required");
                None
            }
            Some(Value::Number(number)) => {
                let amount = number.as_u64();
                if amount.is_none() {
                    let reason = not_an_amount(number.as_f64().unwrap_or(f64::NAN), currency);
                    self.fault("amount", &reason);
                }
                amount
            }
            Some(_) => {
                self.fault("amount", "must be a number of minor units, not in quotes");
                None
            }
        }?;
        if amount == 0 {
            self.fault("amount", &MoneyError::Zero.to_string());
            return None;
        }
        Money::new(amount, currency?).map_err(|error| self.fault("amount", &error.to_string())).ok()
    }

    fn refund_of(&mut self, kind: Kind, merchant: &Merchant) -> Option<RefundOf> {
        let original = self.optional("original_order_id", TEXT_MAX);
        let unlinked = match self.fields.remove("unlinked") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(unlinked)) => unlinked,
            Some(_) => {
                self.fault("unlinked", "must be true or false");
                return None;
            }
        };
        match (kind, original, unlinked) {
            (Kind::Charge | Kind::Payout, None, false) => None,
            (Kind::Charge | Kind::Payout, Some(_), _) => {
                self.fault("original_order_id", "belongs to refunds only");
                None
            }
            (Kind::Charge | Kind::Payout, None, true) => {
                self.fault("unlinked", "belongs to refunds only");
                None
            }
            (Kind::Refund, Some(_), true) => {
                self.fault("unlinked", "must not be true beside original_order_id");
                None
            }
            (Kind::Refund, None, true) => Some(RefundOf::Unlinked),
            (Kind::Refund, None, false) => {
                self.fault(
                    "original_order_id",
                    "is required for a refund; merchants with the permission may say \"unlinked\": true instead",
                );
                None
            }
            (Kind::Refund, Some(text), false) => match OrderId::new(text) {
                Ok(order_id) => Some(RefundOf::Charge {
                    payment_id: PaymentId::derive(&merchant.merchant, Kind::Charge, &order_id),
                    order_id,
                    // Whoever accepts the refund looks it up, if the provider asks for it.
                    reference: None,
                }),
                Err(error) => {
                    self.fault("original_order_id", &error.to_string());
                    None
                }
            },
        }
    }

    fn metadata(&mut self) -> BTreeMap<String, String> {
        let mut metadata = BTreeMap::new();
        let entries = match self.fields.remove("metadata") {
            None | Some(Value::Null) => return metadata,
            Some(Value::Object(entries)) => entries,
            Some(_) => {
                self.fault("metadata", "must be an object of texts");
                return metadata;
            }
        };
        if entries.len() > METADATA_MAX {
            self.fault("metadata", &format!("must have at most {METADATA_MAX} entries"));
            return metadata;
        }
        for (name, value) in entries {
            let fits = self.check_text("metadata", &name, METADATA_NAME_MAX);
            match value {
                Value::String(text) => {
                    if fits && self.check_text("metadata", &text, METADATA_VALUE_MAX) {
                        metadata.insert(name, text);
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    self.fault("metadata", "must be an object of texts");
                }
            }
        }
        metadata
    }

    fn required(&mut self, name: &str) -> Option<String> {
        match self.fields.get(name) {
            None | Some(Value::Null) => {
                self.fields.remove(name);
                self.fault(name, "is required");
                None
            }
            Some(_) => self.optional(name, TEXT_MAX),
        }
    }

    fn optional(&mut self, name: &str, max: usize) -> Option<String> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => self.check_text(name, &text, max).then_some(text),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                self.fault(name, "must be a text");
                None
            }
        }
    }

    fn check_text(&mut self, name: &str, text: &str, max: usize) -> bool {
        if text.is_empty() {
            self.fault(name, "must not be empty");
        } else if text.chars().count() > max {
            self.fault(name, &format!("must have at most {max} characters"));
        } else if text.chars().any(char::is_control) {
            self.fault(name, "must not hold control characters");
        } else if contains_card_number(text) {
            self.fault(name, "looks like a card number, which must never be sent here; use the provider's token");
        } else {
            return true;
        }
        false
    }

    fn refuse_the_rest(&mut self) {
        const KNOWN: [&str; 2] = ["original_order_id", "unlinked"];
        for name in std::mem::take(&mut self.fields).into_keys() {
            // The refund's fields are only read once the kind is known; without one, that is the fault to name.
            if KNOWN.contains(&name.as_str()) {
                continue;
            }
            let shown: String = name.chars().filter(|c| !c.is_control()).take(METADATA_NAME_MAX).collect();
            if contains_card_number(&name) {
                self.fault("body", "a field's name looks like a card number");
            } else {
                self.fault(&shown, "is not a field of a payment");
            }
        }
    }

    fn fault(&mut self, field: &str, reason: &str) {
        self.errors.push(FieldError { field: field.to_owned(), reason: reason.to_owned() });
    }
}

/// The canonical form: every field but the metadata, in a fixed order, defaults filled in.
fn canonical(order: &Order) -> [(&'static str, Option<Cow<'_, str>>); 11] {
    let original = match &order.refund_of {
        Some(RefundOf::Charge { order_id, .. }) => Some(Cow::Borrowed(order_id.as_str())),
        Some(RefundOf::Unlinked) => Some(Cow::Borrowed("")),
        None => None,
    };
    [
        ("merchant", Some(Cow::Borrowed(order.merchant.as_str()))),
        ("kind", Some(Cow::Borrowed(order.kind.as_str()))),
        ("order_id", Some(Cow::Borrowed(order.order_id.as_str()))),
        ("amount", Some(Cow::Owned(order.money.amount().to_string()))),
        ("currency", Some(Cow::Borrowed(order.money.currency().code()))),
        ("payment_method", order.payment_method.as_deref().map(Cow::Borrowed)),
        ("customer", order.customer.as_deref().map(Cow::Borrowed)),
        ("description", order.description.as_deref().map(Cow::Borrowed)),
        ("priority", Some(Cow::Borrowed(order.lane.as_str()))),
        ("expires_at", order.expires_at.map(|at| Cow::Owned(at.ms().to_string()))),
        ("original_order_id", original),
    ]
}

fn fingerprint(order: &Order) -> Fingerprint {
    let fields = canonical(order);
    let given = fields.iter().filter_map(|(name, value)| value.as_deref().map(|value| (*name, value)));
    let metadata = order.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    // A separator that no field is named after keeps a metadata name from passing as a field.
    Fingerprint::of(given.chain([("", "")]).chain(metadata))
}

/// The names of the fields in which a request differs from the one that a payment was accepted for: all that the
/// fingerprint covers, or what is kept of a payment whose details were forgotten.
pub fn differences(asked: &Order, stands: &Payment) -> Vec<&'static str> {
    if stands.is_forgotten() {
        fields_apart(&asked.clone().without_details(), &stands.order)
    } else {
        fields_apart(asked, &stands.order)
    }
}

fn fields_apart(one: &Order, other: &Order) -> Vec<&'static str> {
    let (left, right) = (canonical(one), canonical(other));
    let pairs = left.iter().zip(&right).filter(|((_, one), (_, other))| one != other);
    let mut names: Vec<&'static str> = pairs.map(|((name, _), _)| *name).collect();
    if one.metadata != other.metadata {
        names.push("metadata");
    }
    names
}
