//! What requests say.

use std::collections::BTreeMap;

use payments::money::Currency;
use payments::payment::Kind;

use super::super::book::Asked;
use super::answers::Refusal;

/// Parameters by name; a name with brackets names a member ("Metadata").
pub(super) struct Form {
    pairs: BTreeMap<String, String>,
}

impl Form {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut pairs = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if pairs.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(Refusal::invalid("parameter_invalid", &name, "it is given twice"));
            }
        }
        Ok(Self { pairs })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.pairs.get(name).map(String::as_str)
    }

    fn required(&self, name: &str) -> Result<&str, Refusal> {
        match self.text(name) {
            None => Err(Refusal::invalid("parameter_missing", name, "Missing required param")),
            Some("") => Err(Refusal::invalid("parameter_invalid_empty", name, "It was given empty")),
            Some(text) => Ok(text),
        }
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        number.map(Some).ok_or_else(|| Refusal::invalid("parameter_invalid_integer", name, "Invalid integer"))
    }

    fn is_true(&self, name: &str) -> Result<bool, Refusal> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refusal::invalid("parameter_invalid", name, "Invalid boolean")),
        }
    }

    /// An id of an object of this kind; `code` where there can be none of that name.
    fn id(&self, name: &str, prefixes: &[&str]) -> Result<&str, Refusal> {
        let text = self.required(name)?;
        let is_word =
            |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if prefixes.iter().filter_map(|prefix| text.strip_prefix(prefix)).any(is_word) {
            Ok(text)
        } else {
            Err(Refusal::invalid("resource_missing", name, &format!("No such {name}: '{text}'")))
        }
    }

    fn metadata(&self) -> Result<BTreeMap<String, String>, Refusal> {
        let mut metadata = BTreeMap::new();
        for (name, value) in &self.pairs {
            let Some(key) = name.strip_prefix("metadata[").and_then(|rest| rest.strip_suffix(']')) else { continue };
            let fits = !key.is_empty() && key.chars().count() <= 40 && value.chars().count() <= 500;
            if !fits || key.contains(['[', ']']) {
                return Err(Refusal::invalid("parameter_invalid", "metadata", "Invalid metadata"));
            }
            metadata.insert(key.to_owned(), value.clone());
        }
        if metadata.len() > 50 {
            return Err(Refusal::invalid("parameter_invalid", "metadata", "More than 50 keys"));
        }
        Ok(metadata)
    }

    /// An unknown parameter is an error, as with Stripe.
    fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        let is_known = |name: &str| known.contains(&name) || name.starts_with("metadata[");
        match self.pairs.keys().find(|name| !is_known(name)) {
            Some(name) => Err(Refusal::invalid("parameter_unknown", name, "Received unknown parameter")),
            None => Ok(()),
        }
    }

    /// As it is compared with what came under the same key.
    fn canonical(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.pairs).finish()
    }
}

/// What a request wants to be made.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) kind: Kind,
    pub(super) key: String,
    /// As Stripe counts it.
    pub(super) amount: u64,
    /// In lower case; of a refund, its intent's, once that is known.
    pub(super) currency: String,
    pub(super) customer: Option<String>,
    pub(super) payment_method: Option<String>,
    pub(super) payment_intent: Option<String>,
    pub(super) description: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    canonical: String,
}

impl Wanted {
    pub(super) fn read(kind: Kind, key: &str, form: &Form) -> Result<Self, Refusal> {
        if key.is_empty() || key.len() > 255 {
            return Err(Refusal::invalid("parameter_invalid", "Idempotency-Key", "1 to 255 characters are taken here"));
        }
        let amount = form.number("amount")?;
        let amount = amount.filter(|amount| (1..=99_999_999).contains(amount));
        let amount = amount.ok_or_else(|| Refusal::invalid("parameter_invalid_integer", "amount", "Invalid amount"))?;
        let mut wanted = Self {
            kind,
            key: key.to_owned(),
            amount,
            currency: String::new(),
            customer: None,
            payment_method: None,
            payment_intent: None,
            description: form.text("description").map(str::to_owned),
            metadata: form.metadata()?,
            canonical: form.canonical(),
        };
        if kind == Kind::Refund {
            form.only(&["amount", "payment_intent", "reason"])?;
            wanted.payment_intent = Some(form.id("payment_intent", &["pi_"])?.to_owned());
            return Ok(wanted);
        }
        form.only(&[
            "amount",
            "currency",
            "customer",
            "payment_method",
            "confirm",
            "off_session",
            "description",
            "automatic_payment_methods[enabled]",
            "automatic_payment_methods[allow_redirects]",
        ])?;
        let currency = form.required("currency")?;
        let is_known = Currency::new(&currency.to_ascii_uppercase()).is_ok();
        if !is_known || currency != currency.to_ascii_lowercase() {
            return Err(Refusal::invalid("parameter_invalid", "currency", "Invalid currency"));
        }
        if super::minor_units(amount, currency).is_none() {
            let why = "The amount must be evenly divisible";
            return Err(Refusal::invalid("invalid_charge_amount_no_decimal_compatible", "amount", why));
        }
        currency.clone_into(&mut wanted.currency);
        wanted.customer = Some(form.id("customer", &["cus_"])?.to_owned());
        wanted.payment_method = Some(form.id("payment_method", &["pm_", "card_", "src_"])?.to_owned());
        if !form.is_true("confirm")? {
            return Err(Refusal::invalid("parameter_missing", "confirm", "Intents are confirmed at once here"));
        }
        // A customer who is not there cannot be sent elsewhere.
        let redirects = form.text("automatic_payment_methods[allow_redirects]") != Some("never");
        if !form.is_true("off_session")? || !form.is_true("automatic_payment_methods[enabled]")? || redirects {
            return Err(Refusal::invalid("parameter_missing", "return_url", "You must provide a `return_url`"));
        }
        Ok(wanted)
    }

    /// What the book is told.
    pub(super) fn asked(&self) -> Asked {
        let currency = Currency::new(&self.currency.to_ascii_uppercase()).map_or("", Currency::code);
        let amount = super::minor_units(self.amount, &self.currency).unwrap_or(self.amount);
        super::asked(self.kind, amount, currency, &self.canonical)
    }
}

/// Which part of a list is asked for.
pub(super) struct Listing {
    pub(super) kind: Kind,
    pub(super) customer: Option<String>,
    pub(super) payment_intent: Option<String>,
    pub(super) created: (u64, u64),
    pub(super) limit: usize,
    pub(super) starting_after: Option<String>,
}

impl Listing {
    pub(super) fn read(kind: Kind, form: &Form) -> Result<Self, Refusal> {
        let whose = if kind == Kind::Refund { "payment_intent" } else { "customer" };
        form.only(&["limit", "starting_after", "created[gte]", "created[gt]", "created[lte]", "created[lt]", whose])?;
        let limit = form.number("limit")?.unwrap_or(10);
        if !(1..=100).contains(&limit) {
            return Err(Refusal::invalid("parameter_invalid_integer", "limit", "Invalid limit"));
        }
        let from = form.number("created[gte]")?.max(form.number("created[gt]")?.map(|at| at + 1)).unwrap_or(0);
        let until = [form.number("created[lte]")?, form.number("created[lt]")?.map(|at| at.saturating_sub(1))];
        Ok(Self {
            kind,
            customer: form.text("customer").map(str::to_owned),
            payment_intent: form.text("payment_intent").map(str::to_owned),
            created: (from, until.into_iter().flatten().min().unwrap_or(u64::MAX)),
            limit: usize::try_from(limit).unwrap_or(100),
            starting_after: form.text("starting_after").map(str::to_owned),
        })
    }

    /// Whose list it is.
    pub(super) fn whose(&self) -> Option<&str> {
        self.customer.as_deref().or(self.payment_intent.as_deref())
    }
}
