//! In the contracts of providers that exist: what moves money, or keeps it from moving twice.

use crate::{Edit, Mutant};

const ANSWER: &str = "functions/providers/src/stripe/answer.rs";
const ORDER: &str = "functions/providers/src/stripe/order.rs";
const AMOUNT: &str = "functions/providers/src/stripe/amount.rs";
const EVENT: &str = "functions/providers/src/stripe/event.rs";
const SIGNED: &str = "functions/providers/src/alipay/signed.rs";
const TRADE: &str = "functions/providers/src/alipay/answer.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "intent-of-another-amount",
        harm: "an intent of another amount settles the payment",
        edits: &[Edit {
            file: ANSWER,
            text: "            && amount::says(self.amount, &self.currency, order.money)
",
            instead: "",
        }],
    },
    Mutant {
        name: "intent-of-another-payment",
        harm: "an intent of another payment of ours settles this one",
        edits: &[Edit {
            file: ANSWER,
            text: "self.ours() == Some(id.as_str())",
            instead: "(self.ours().is_some() || self.ours() == Some(id.as_str()))",
        }],
    },
    Mutant {
        name: "refund-of-another-charge",
        harm: "a refund of another charge settles this one",
        edits: &[Edit {
            file: ANSWER,
            text: "self.payment_intent.as_deref() == charged(order)",
            instead: "charged(order).is_some()",
        }],
    },
    Mutant {
        name: "intent-that-received-less",
        harm: "a charge of which only a part was taken counts as the whole",
        edits: &[Edit { file: ANSWER, text: "received == self.amount", instead: "received <= self.amount" }],
    },
    Mutant {
        name: "untried-intent-declined",
        harm: "a charge that is being tried is declined, and succeeds afterwards",
        edits: &[Edit {
            file: ANSWER,
            text: "                None => Found::Accepted { reference: Some(reference()) },",
            instead: "                None => Found::Declined { code: ProviderText::new(\"untried\") },",
        }],
    },
    Mutant {
        name: "first-page-proves-absence",
        harm: "a payment that stands on a list's next page is taken for absent, and sent again",
        edits: &[Edit {
            file: ANSWER,
            text: "        (None, true) => Err(Unclear::Unreadable),",
            instead: "        (None, true) => Ok(None),",
        }],
    },
    Mutant {
        name: "missing-customer-proves-absence",
        harm: "a list of another account, which has no such customer, proves a payment absent",
        edits: &[Edit {
            file: ANSWER,
            text: "(Refused::Request(_), Asked::Known(_) | Asked::Listed(_)) => Err(Unclear::Unreadable),",
            instead: "(Refused::Request(_), Asked::Known(_) | Asked::Listed(_)) => Ok(None),",
        }],
    },
    Mutant {
        name: "any-code-of-stripes-declines",
        harm: "an error that no page calls a refusal declines a payment",
        edits: &[Edit { file: ANSWER, text: "listed.contains(&code)", instead: "!listed.is_empty()" }],
    },
    Mutant {
        name: "locked-object-counts-as-not-taken",
        harm: "a request that waited for a lock is taken back, and the account's pace falls for one card",
        edits: &[Edit {
            file: ANSWER,
            text: "(400..=499, _) if code == LOCK_TIMEOUT => Refused::Unclear(Unclear::Conflict),",
            instead: "(400..=499, _) if code == LOCK_TIMEOUT => limited(reply, \"\"),",
        }],
    },
    Mutant {
        name: "page-of-somebody-elses-refuses-credentials",
        harm: "a proxy's 403 takes a request back that may have passed it",
        edits: &[Edit { file: ANSWER, text: "(401 | 403, Ok(_)) =>", instead: "(401 | 403, _) =>" }],
    },
    Mutant {
        name: "list-from-our-own-clock",
        harm: "with a clock that is ahead a list leaves out what was made, and it is sent again",
        edits: &[Edit {
            file: ORDER,
            text: "at.minus_ms(CLOCKS_APART_MS)",
            instead: "at.minus_ms(CLOCKS_APART_MS / 100)",
        }],
    },
    Mutant {
        name: "charge-that-waits-for-its-customer",
        harm: "a customer who is not there is sent elsewhere, and the charge waits for ever",
        edits: &[Edit { file: ORDER, text: "(\"off_session\", \"true\")", instead: "(\"off_session\", \"false\")" }],
    },
    Mutant {
        name: "currency-in-another-unit",
        harm: "a hundredth of the amount is charged in ISK and UGX",
        edits: &[Edit {
            file: AMOUNT,
            text: "Unit::HundredthOfWhole => amount.checked_mul(100),",
            instead: "Unit::HundredthOfWhole => Some(amount),",
        }],
    },
    Mutant {
        name: "whole-units-cut",
        harm: "what is below a whole unit is not charged",
        edits: &[Edit {
            file: AMOUNT,
            text: "Unit::Whole if !amount.is_multiple_of(100) =>",
            instead: "Unit::Whole if amount < 100 =>",
        }],
    },
    Mutant {
        name: "event-believed-unsigned",
        harm: "anybody who knows a payment's id can say that Stripe approved it",
        edits: &[Edit {
            file: EVENT,
            text: "self.0.verify(received.signature, received.body, received.at).map_err(NotTaken::Untrusted)?;",
            instead: "self.0.verify(received.signature, received.body, received.at).map_err(NotTaken::Untrusted).ok();",
        }],
    },
    Mutant {
        name: "charges-number-outside-the-chain",
        harm: "whoever can write to the table has a refund give back another charge, and no history shows it",
        edits: &[Edit {
            file: "functions/payments/src/history/linking.rs",
            text: "(format!(\"{payment_id}={}\", reference.as_str()), order_id.to_string())",
            instead: "(format!(\"{payment_id}{}\", &reference.as_str()[..0]), order_id.to_string())",
        }],
    },
    Mutant {
        name: "key-believed-for-longer-than-stated",
        harm: "a payment is sent again under a key that the provider has forgotten, and is another payment there",
        edits: &[Edit {
            file: "functions/aws/src/settings.rs",
            text: "settings.policy.key_window_ms <= stated_ms",
            instead: "settings.policy.key_window_ms <= stated_ms.saturating_mul(10)",
        }],
    },
    Mutant {
        name: "alipay-signed-by-anybody",
        harm: "whoever can write an answer can say that Alipay was paid, or that it was not",
        edits: &[Edit {
            file: SIGNED,
            text: "if key.verifies(text.as_bytes(), &sign) {",
            instead: "if key.verifies(text.as_bytes(), &sign) || !sign.is_empty() {",
        }],
    },
    Mutant {
        name: "trade-of-another-amount",
        harm: "a trade of another amount settles the payment",
        edits: &[Edit {
            file: TRADE,
            text: "        Outer::Done if is_ours && text::says(response.total_amount.as_deref(), money) => {
            response.reference()",
            instead: "        Outer::Done if is_ours && money.amount() > 0 => {
            response.reference()",
        }],
    },
    Mutant {
        name: "refund-that-moved-nothing",
        harm: "a refund that moved no money counts as given back",
        edits: &[Edit {
            file: TRADE,
            text: "            Some(\"Y\") =>",
            instead: "            Some(\"Y\" | \"N\") =>",
        }],
    },
    Mutant {
        name: "number-that-stands-declined",
        harm: "a trade that was paid under our number is declined, because it was asked for twice",
        edits: &[Edit {
            file: TRADE,
            text: "Outer::Business(code) if is_ours && PAY_REFUSED.contains(&code) =>",
            instead: "Outer::Business(code) if is_ours && (PAY_REFUSED.contains(&code) || PAY_STANDS.contains(&code)) =>",
        }],
    },
    Mutant {
        name: "trade-given-back-was-never-paid",
        harm: "a trade that was paid and given back as a whole is declined",
        edits: &[
            Edit { file: TRADE, text: "(\"TRADE_CLOSED\", false) =>", instead: "(\"TRADE_CLOSED\", _) =>" },
            Edit {
                file: TRADE,
                text: "(\"TRADE_SUCCESS\" | \"TRADE_FINISHED\", _) | (\"TRADE_CLOSED\", true) =>",
                instead: "(\"TRADE_SUCCESS\" | \"TRADE_FINISHED\", _) =>",
            },
        ],
    },
    Mutant {
        name: "notice-of-another-account",
        harm: "a notice about another application or merchant settles a payment of ours",
        edits: &[Edit {
            file: "functions/providers/src/alipay/notice.rs",
            text: "if !by.iter().any(is_of) {",
            instead: "if !by.iter().any(is_of) && by.is_empty() {",
        }],
    },
];
