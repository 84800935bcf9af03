//! A payment's history: one short line each, read back as it was, bounded, and never without its beginning or its end.

use payments::answer::ProviderText;
use payments::history::{ENTRIES_MAX, Entry, Tag, append};
use payments::payment::{Reason, State};
use payments::time::Timestamp;
use proptest::prelude::*;

use super::cases;

fn entry() -> impl Strategy<Value = Entry> {
    let state = proptest::sample::select(State::ALL);
    let reason = proptest::sample::select(Reason::ALL);
    let text = proptest::option::of("\\PC{0,60}".prop_map(|text| ProviderText::new(&text)));
    let tag = proptest::option::of("[a-z2-7]{8}".prop_map(|text| Tag::parse(&text).unwrap()));
    (any::<u64>(), state, reason, any::<u32>(), any::<u32>(), text, tag).prop_map(
        |(ms, state, reason, attempt, times, provider_text, tag)| Entry {
            at: Timestamp::from_ms(ms),
            state,
            reason,
            attempt,
            times,
            provider_text,
            tag,
        },
    )
}

/// Few different lines, so that some repeat the one before.
fn plain() -> impl Strategy<Value = Entry> {
    (0_u64..1_000_000, 0_usize..2, 0_usize..2, 0_u32..2).prop_map(|(ms, state, reason, attempt)| Entry {
        at: Timestamp::from_ms(ms),
        state: State::ALL[state],
        reason: Reason::ALL[reason],
        attempt,
        times: 1,
        provider_text: None,
        tag: None,
    })
}

fn repeats(one: &Entry, two: &Entry) -> bool {
    (one.state, one.reason, one.attempt) == (two.state, two.reason, two.attempt)
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_line_is_read_back_as_it_was(entry in entry()) {
        let json = serde_json::to_string(&entry).unwrap();
        prop_assert_eq!(serde_json::from_str::<Entry>(&json).unwrap(), entry);
    }

    #[test]
    fn what_is_no_line_is_not_read_as_one(text in "\\PC{0,40}|[0-9]{1,5} [a-z]{1,9} [a-z]{1,9} [0-9] [0-9]") {
        if let Ok(entry) = Entry::try_from(text.clone()) {
            prop_assert_eq!(entry.to_string(), text);
        }
    }

    #[test]
    fn a_history_counts_repeats_and_keeps_its_beginning_and_its_newest(lines in proptest::collection::vec(plain(), 1..200)) {
        let mut history = Vec::new();
        for line in &lines {
            append(&mut history, line.clone());
            prop_assert!(history.len() <= ENTRIES_MAX);
            prop_assert!(repeats(history.last().unwrap(), line));
        }
        prop_assert_eq!(history[0].at, lines[0].at);
        let runs = 1 + lines.windows(2).filter(|pair| !repeats(&pair[0], &pair[1])).count();
        prop_assert_eq!(history.len(), runs.min(ENTRIES_MAX));
        if runs <= ENTRIES_MAX {
            let counted: u32 = history.iter().map(|entry| entry.times).sum();
            prop_assert_eq!(usize::try_from(counted).unwrap(), lines.len());
            prop_assert!(history.windows(2).all(|pair| !repeats(&pair[0], &pair[1])));
        }
    }
}
