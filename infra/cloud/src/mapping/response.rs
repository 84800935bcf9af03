//! What a function's answer means for its batch, by the table "Success and failure conditions" of "Handling errors for
//! an SQS event source in Lambda" in AWS's developer guide. Pure: answers in, message ids out.

use std::collections::BTreeSet;

use serde_json::Value;

/// What becomes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Every message is deleted, except these.
    DeleteAllBut(BTreeSet<String>),
    /// No message is deleted, for this reason; each comes again when its visibility ends.
    KeepAll(&'static str),
}

/// Judges a function's response to a batch of these messages. `None` is a function that failed or gave no JSON.
pub fn judge(response: Option<&Value>, message_ids: &BTreeSet<String>) -> Judgement {
    const COMPLETE: Judgement = Judgement::DeleteAllBut(BTreeSet::new());
    let Some(response) = response else {
        return Judgement::KeepAll("the function failed");
    };
    let list = match response {
        Value::Null => return COMPLETE,
        Value::Object(fields) => match fields.get("batchItemFailures") {
            // An answer that does not speak of failures reports none.
            None | Some(Value::Null) => return COMPLETE,
            Some(Value::Array(list)) => list,
            Some(_) => return Judgement::KeepAll("batchItemFailures is not a list"),
        },
        Value::String(text) if text.is_empty() => return COMPLETE,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Judgement::KeepAll("the response is not an object");
        }
    };
    let mut failed = BTreeSet::new();
    for item in list {
        match item.get("itemIdentifier") {
            Some(Value::String(id)) if message_ids.contains(id) => {
                failed.insert(id.clone());
            }
            Some(Value::String(id)) if id.is_empty() => {
                return Judgement::KeepAll("an itemIdentifier is empty");
            }
            Some(Value::String(_)) => {
                return Judgement::KeepAll("an itemIdentifier names no message of the batch");
            }
            Some(_) => return Judgement::KeepAll("an itemIdentifier is not a text"),
            None => return Judgement::KeepAll("a failure has no itemIdentifier"),
        }
    }
    Judgement::DeleteAllBut(failed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn judged(response: &Value) -> Judgement {
        judge(Some(response), &ids(&["a", "b", "c"]))
    }

    #[test]
    fn what_the_list_names_is_kept_and_the_rest_deleted() {
        let response = json!({"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "b"}]});
        assert_eq!(judged(&response), Judgement::DeleteAllBut(ids(&["b"])));
    }

    #[test]
    fn an_empty_or_null_response_or_list_deletes_the_whole_batch() {
        for response in
            [json!({"batchItemFailures": []}), json!({"batchItemFailures": null}), json!({}), json!(null), json!("")]
        {
            assert_eq!(judged(&response), Judgement::DeleteAllBut(ids(&[])), "{response}");
        }
    }

    #[test]
    fn an_invalid_response_or_identifier_keeps_the_whole_batch() {
        for response in [
            json!("done"),
            json!(true),
            json!([]),
            json!({"batchItemFailures": "a"}),
            json!({"batchItemFailures": ["a"]}),
            json!({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": ""}]}),
            json!({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "z"}]}),
            json!({"batchItemFailures": [{"itemIdentifier": null}]}),
            json!({"batchItemFailures": [{"identifier": "a"}]}),
        ] {
            assert!(matches!(judged(&response), Judgement::KeepAll(_)), "{response}");
        }
    }

    #[test]
    fn a_function_that_failed_keeps_the_whole_batch() {
        assert!(matches!(judge(None, &ids(&["a"])), Judgement::KeepAll(_)));
    }
}
