//! A schedule's step as DynamoDB writes it.

use pacing::schedule::{Form, Step};

use crate::item::{Update, number};

/// `Step::apply` on this attribute, as a part of the update and the condition that goes with it. An item without the attribute
/// stands at the beginning of time.
pub(crate) fn write(update: &mut Update, attribute: &str, step: &Step) -> String {
    let stands = update.name(attribute);
    let now = update.value("now", number(step.now_us));
    match step.form {
        Form::Idle => {
            update.set(attribute, number(step.now_us.saturating_add(step.span_us)));
            format!("(attribute_not_exists({stands}) OR {stands} <= {now})")
        }
        Form::Busy => {
            let span = update.value("span", number(step.span_us));
            let at_most = update.value("at_most", number(step.at_most_us));
            update.set_to(attribute, &format!("{stands} + {span}"));
            format!("{stands} > {now} AND {stands} <= {at_most}")
        }
    }
}
