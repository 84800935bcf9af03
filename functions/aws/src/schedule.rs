//! A schedule's step as DynamoDB writes it.

use pacing::schedule::{Advance, Form};

use crate::item::{Update, number};

/// `Advance::apply` on this attribute, as a part of the update and the condition that goes with it. An item without the attribute
/// stands at the beginning of time.
pub(crate) fn write(update: &mut Update, attribute: &str, advance: &Advance) -> String {
    let stands = update.name(attribute);
    let now = update.value("now", number(advance.now_us));
    match advance.form {
        Form::Idle => {
            update.set(attribute, number(advance.now_us.saturating_add(advance.span_us)));
            format!("(attribute_not_exists({stands}) OR {stands} <= {now})")
        }
        Form::Busy => {
            let span = update.value("span", number(advance.span_us));
            let at_most = update.value("at_most", number(advance.at_most_us));
            update.set_to(attribute, &format!("{stands} + {span}"));
            format!("{stands} > {now} AND {stands} <= {at_most}")
        }
    }
}
