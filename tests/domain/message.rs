//! A message says where to look and decides nothing; who put it back is told from its times alone.

use payments::message::{LATE_SEND_MS, Message, NotOurs, VERSION};
use payments::time::Timestamp;
use proptest::prelude::*;

use super::cases;
use crate::contract::samples::{NOW, message};

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_message_is_read_back_as_it_was_written(sent_ms in any::<u64>()) {
        let sent = Message { sent_at: Timestamp::from_ms(sent_ms), ..message() };
        prop_assert_eq!(Message::parse(&sent.to_body()), Ok(sent));
    }

    #[test]
    fn what_is_not_ours_is_never_taken_for_ours(body in "\\PC{0,60}|\\{\"version\":1\\}|\\{\"version\":1,\"payment_id\":\"\\PC{0,9}\"\\}") {
        prop_assert_eq!(Message::parse(&body), Err(NotOurs::Foreign));
    }

    #[test]
    fn a_newer_version_is_known_by_its_number_whatever_else_it_says(version in VERSION + 1.., more in "[a-z]{1,9}") {
        let body = format!("{{\"{more}x\":[1],\"version\":{version}}}");
        prop_assert_eq!(Message::parse(&body), Err(NotOurs::NewerVersion(version)));
    }

    #[test]
    fn a_replay_was_put_there_after_the_parking_and_long_after_it_was_written(
        parked in 0_u64..1_000_000, sent in 0_u64..1_000_000, written in 0_u64..1_000_000,
    ) {
        let message = Message { sent_at: Timestamp::from_ms(written), ..message() };
        let expected = sent > parked && sent > written + LATE_SEND_MS;
        prop_assert_eq!(message.is_replay(Timestamp::from_ms(sent), Timestamp::from_ms(parked)), expected);
    }
}

#[test]
fn a_move_is_a_replay_and_a_redrive_a_late_send_and_an_old_duplicate_are_not() {
    let message = message();
    let parked_at = NOW.plus_ms(3_600_000);
    for (what, sent_timestamp, is_replay) in [
        ("moved by a person an hour after it was parked", NOW.plus_ms(7_200_000), true),
        ("redriven by policy, which keeps the time", NOW.plus_ms(20), false),
        ("moved before it was parked", NOW.plus_ms(3_000_000), false),
    ] {
        assert_eq!(message.is_replay(sent_timestamp, parked_at), is_replay, "{what}");
    }
    // Written just before the parking, and late on its way to the queue.
    let late = Message { sent_at: parked_at.minus_ms(1_000), ..message };
    assert!(!late.is_replay(parked_at.plus_ms(30_000), parked_at));
}

#[test]
fn a_message_with_a_field_too_many_or_too_few_is_foreign() {
    let good: serde_json::Value = serde_json::from_str(&message().to_body()).unwrap();
    for name in ["payment_id", "merchant", "sent_at", "version"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(name);
        assert_eq!(Message::parse(&body.to_string()), Err(NotOurs::Foreign), "without {name}");
    }
    let mut body = good;
    body["amount"] = 1.into();
    assert_eq!(Message::parse(&body.to_string()), Err(NotOurs::Foreign));
    body["version"] = 0.into();
    assert_eq!(Message::parse(&body.to_string()), Err(NotOurs::Foreign));
}
