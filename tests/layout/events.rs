//! The events that functions log: each has one name, which filters, runbooks and reference share.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ports::EventName;

use super::reader::Template;
use super::{read, root, sources};

/// What a filter names.
fn named(filter: &str) -> Vec<&str> {
    filter.split("$.event = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn a_metric_filter_counts_an_event_that_is_logged() {
    let names: BTreeSet<&str> = EventName::ALL.iter().map(|event| event.as_str()).collect();
    assert_eq!(names.len(), EventName::ALL.len(), "a name stands there twice");
    let template = Template::load();
    let filters = template.resources("AWS::Logs::MetricFilter");
    assert!(filters.len() >= 10, "{filters:?}");
    for filter in filters {
        let pattern = template.get(&["Resources", filter, "Properties", "FilterPattern"]);
        let counted = named(pattern);
        assert!(!counted.is_empty() || !pattern.contains("event"), "{filter}: {pattern}");
        for event in counted {
            assert!(names.contains(event), "{filter} counts {event}, which nobody logs");
        }
    }
}

/// A name that stands in a macro as a text would be nobody's.
#[test]
fn each_event_is_logged_and_by_its_name_only() {
    let files = sources(&root().join("functions"));
    let texts: Vec<String> =
        files.iter().filter(|path| !path.ends_with("event_name.rs")).map(|path| read(path)).collect();
    for event in EventName::ALL {
        let variant = format!("EventName::{event:?}.as_str()");
        assert!(texts.iter().any(|text| text.contains(&variant)), "nobody logs {}", event.as_str());
    }
    for (text, path) in texts.iter().zip(files.iter().filter(|path| !path.ends_with("event_name.rs"))) {
        assert!(!text.contains("event = \""), "{} logs an event without its name", path.display());
    }
}

/// Written anew by `UPDATE_EVENTS=1 cargo test -p tests the_reference_lists_the_events`.
#[test]
fn the_reference_lists_the_events() {
    let mut table = String::from(
        "# Events in the logs\n\nEach line of a function's log is one JSON object. `event` says what happened, `payment_id` to which payment. \
         Made from `functions/ports/src/event_name.rs`.\n\n| event | logged by | says |\n|---|---|---|\n",
    );
    for event in EventName::ALL {
        let (who, what) = event.means().split_once(": ").expect("who, and what");
        let _ = writeln!(table, "| `{}` | {} | {what} |", event.as_str(), who.to_lowercase());
    }
    let path = root().join("infra/docs/events.md");
    if std::env::var_os("UPDATE_EVENTS").is_some() {
        std::fs::write(&path, &table).expect("it can be written");
    }
    assert_eq!(read(&path), table, "run it with UPDATE_EVENTS=1");
}
