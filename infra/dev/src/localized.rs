//! Makes of a file's orders such as a provider can make, as far as that is honest.

use payments::id::OrderId;
use payments::payment::Kind;
use payments::provider::ProviderKind;

use operator::load::transactions::Transaction;

/// Changes the rows; the line says how. Whatever was made up is said.
pub fn localized(rows: &mut Vec<Transaction>, kind: ProviderKind) -> Option<String> {
    match kind {
        ProviderKind::Open => None,
        ProviderKind::Alipay => {
            let charged = charges_of_unlinked_refunds(rows);
            for row in &mut *rows {
                "CNY".clone_into(&mut row.currency);
                if row.kind == Kind::Charge {
                    // Half of the customers show a code, half have signed an agreement.
                    let method = match row.line % 2 {
                        0 => format!("auth_code:28{:016}", row.line),
                        _ => format!("agreement:2017{:016}", row.line),
                    };
                    row.optional.insert("payment_method", method);
                }
            }
            Some(format!(
                "amounts   the file's figures are asked for in CNY, digit for digit and not converted, with made-up means of \
                 payment; {charged} refunds name no charge, which Alipay cannot make: each is given a charge of its own"
            ))
        }
        ProviderKind::Stripe => {
            let charged = charges_of_unlinked_refunds(rows);
            for row in rows.iter_mut().filter(|row| row.kind == Kind::Charge) {
                let customer: String = match row.optional.get("customer") {
                    Some(text) => text.chars().filter(char::is_ascii_alphanumeric).collect(),
                    None => format!("guest{}", row.line),
                };
                row.optional.insert("payment_method", format!("pm_1{customer}"));
                row.optional.insert("customer", format!("cus_{customer}"));
            }
            Some(format!(
                "methods   each customer has a made-up saved card; {charged} refunds name no charge, which Stripe cannot make: \
                 each is given a charge of its own"
            ))
        }
    }
}

/// Puts a charge before each refund that names none, of the same amount, and has it name that; says how many there were. A
/// refund of nothing stays as it is, to be refused.
fn charges_of_unlinked_refunds(rows: &mut Vec<Transaction>) -> usize {
    let mut charges = Vec::new();
    for row in rows.iter_mut().filter(|row| row.is_unlinked_refund() && row.amount > 0) {
        let Ok(order_id) = OrderId::new(format!("{}-charged", row.order_id)) else { continue };
        row.optional.insert("original_order_id", order_id.as_str().to_owned());
        let mut charge = Transaction { order_id, kind: Kind::Charge, ..row.clone() };
        charge.optional.remove("original_order_id");
        charges.push(charge);
    }
    let count = charges.len();
    rows.splice(0..0, charges);
    count
}
