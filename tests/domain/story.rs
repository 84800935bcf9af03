//! The chain of a history: whatever happens to a payment it verifies, and whatever is changed by hand is found.

use payments::answer::{ProviderText, QueryAnswer, SendAnswer, Unclear};
use payments::backoff::Dice;
use payments::evidence::Evidence;
use payments::history::{
    Anchor, AnchorFinding, ENTRIES_MAX, Entry, Finding, HISTORY_KEY_BYTES_MIN, HistoryKey, HistoryKeys,
    KEPT_AT_THE_BEGINNING, Verification, anchored, verify,
};
use payments::id::{ClaimId, MerchantId};
use payments::payment::{Payment, Reason, State};
use payments::policy::Policy;
use payments::time::Timestamp;
use payments::transition::{Event, Moment, Step, transition};
use payments::write::SendClaim;
use proptest::prelude::*;
use proptest::sample::Index;

use super::cases;
use super::walk::{Turn, Walk, any_order, turn};
use crate::contract::samples::{
    NOW, accepted, claim_of, held, history_keys, nonce, order, policy, pounds, sending, step,
};

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    proptest::collection::vec(turn(), 1..60)
}

fn check(payment: &Payment) -> Verification {
    verify(payment, &history_keys())
}

fn other_key() -> HistoryKey {
    HistoryKey::of(b"another key of thirty-two bytes.")
}

/// A payment after a walk; where a queued one may be claimed without being read, that is how it is claimed.
fn after(order: payments::payment::Order, turns: &[Turn]) -> (Payment, Vec<Anchor>) {
    let mut walk = Walk::new(order);
    let mut anchors = vec![anchor(&walk.payment)];
    for (index, turn) in turns.iter().enumerate() {
        if index % 3 == 0 {
            let now = Timestamp::from_ms(walk.now);
            let blind = SendClaim { now, lease_until: now.plus_ms(1_000), ..claim_of(&walk.payment) };
            if let Some(claimed) = blind.apply(&walk.payment, &walk.policy) {
                walk.payment = claimed;
                anchors.push(anchor(&walk.payment));
            }
        }
        walk.take(turn);
        anchors.push(anchor(&walk.payment));
    }
    (walk.payment, anchors)
}

fn anchor(payment: &Payment) -> Anchor {
    Anchor { version: payment.version, head: payment.history_head().expect("it has a chain") }
}

/// Whether only the unlinked line of a claim was removed. While it is the last one, its claim beside it misses it; after
/// the next write nothing does, except a log.
fn lacks_only_the_tail(payment: &Payment, changed: &Payment) -> bool {
    let mut without = payment.clone();
    without.history.pop();
    check(payment).awaits_link && *changed == without
}

/// What a hand may do to an item's history.
#[derive(Clone, Debug)]
enum Hand {
    ChangeTime(Index),
    ChangeState(Index, Index),
    ChangeReason(Index, Index),
    ChangeAttempt(Index),
    ChangeCount(Index, u32),
    ChangeText(Index),
    Remove(Index),
    RemoveLast,
    Swap(Index, Index),
    Insert(Index),
    InsertUnlinked(Index),
    Unlink(Index),
    ChangeHead,
    ChangeAmount,
    ChangeMerchant,
    ChangeMethod,
    ChangeItemState(Index),
    MoveToAnotherId,
    ChangeItemAttempts,
    DropChain,
    ForgetGap,
}

fn hand() -> impl Strategy<Value = Hand> {
    let at = any::<Index>;
    prop_oneof![
        at().prop_map(Hand::ChangeTime),
        (at(), at()).prop_map(|(line, to)| Hand::ChangeState(line, to)),
        (at(), at()).prop_map(|(line, to)| Hand::ChangeReason(line, to)),
        at().prop_map(Hand::ChangeAttempt),
        (at(), 0_u32..40).prop_map(|(line, to)| Hand::ChangeCount(line, to)),
        at().prop_map(Hand::ChangeText),
        at().prop_map(Hand::Remove),
        Just(Hand::RemoveLast),
        (at(), at()).prop_map(|(one, other)| Hand::Swap(one, other)),
        at().prop_map(Hand::Insert),
        at().prop_map(Hand::InsertUnlinked),
        at().prop_map(Hand::Unlink),
        Just(Hand::ChangeHead),
        Just(Hand::ChangeAmount),
        Just(Hand::ChangeMerchant),
        Just(Hand::ChangeMethod),
        at().prop_map(Hand::ChangeItemState),
        Just(Hand::MoveToAnotherId),
        Just(Hand::ChangeItemAttempts),
        Just(Hand::DropChain),
        Just(Hand::ForgetGap),
    ]
}

/// Changes an item by hand. Whoever does so does not hold the key.
fn by_hand(payment: &mut Payment, hand: &Hand) {
    let lines = payment.history.len();
    let at = |index: &Index| index.index(lines);
    match hand {
        Hand::ChangeTime(line) => {
            let entry = &mut payment.history[at(line)];
            entry.at = entry.at.plus_ms(1);
        }
        Hand::ChangeState(line, to) => payment.history[at(line)].state = *to.get(State::ALL),
        Hand::ChangeReason(line, to) => payment.history[at(line)].reason = *to.get(Reason::ALL),
        Hand::ChangeAttempt(line) => payment.history[at(line)].attempt += 1,
        Hand::ChangeCount(line, to) => payment.history[at(line)].times = *to,
        Hand::ChangeText(line) => payment.history[at(line)].provider_text = Some(ProviderText::new("by_hand")),
        Hand::Remove(line) => drop(payment.history.remove(at(line))),
        Hand::RemoveLast => drop(payment.history.pop()),
        Hand::Swap(one, other) => payment.history.swap(at(one), at(other)),
        Hand::Insert(line) => payment.history.insert(at(line), payment.history[at(line)].clone()),
        Hand::InsertUnlinked(line) => {
            let mut entry = payment.history[at(line)].clone();
            entry.tag = None;
            payment.history.insert(at(line), entry);
        }
        Hand::Unlink(line) => payment.history[at(line)].tag = None,
        Hand::ChangeHead => {
            let other = anchor(&accepted(order())).head;
            payment.chain.as_mut().unwrap().head = other;
        }
        Hand::ChangeAmount => payment.order.money = pounds(payment.order.money.amount() + 1),
        Hand::ChangeMerchant => payment.order.merchant = MerchantId::new("somebody-else").unwrap(),
        Hand::ChangeMethod => payment.order.payment_method = Some("pm_by_hand".to_owned()),
        Hand::ChangeItemState(to) => payment.state = *to.get(State::ALL),
        Hand::MoveToAnotherId => payment.id = accepted(order()).id,
        Hand::ChangeItemAttempts => payment.attempts += 1,
        Hand::DropChain => payment.chain = None,
        Hand::ForgetGap => payment.chain.as_mut().unwrap().gap = None,
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn whatever_happens_the_history_verifies(order in any_order(), turns in turns()) {
        let (payment, anchors) = after(order, &turns);
        let verification = check(&payment);
        prop_assert!(verification.holds(), "{:?} in {:#?}", verification.findings, payment.history);
        let unlinked = payment.history.iter().filter(|entry| entry.tag.is_none()).count();
        prop_assert_eq!(unlinked, usize::from(verification.awaits_link));
        prop_assert_eq!(verification.covered + unlinked, payment.history.len());
        let anchored = anchored(&payment, &verification, &anchors);
        prop_assert_eq!(&anchored.findings, &vec![]);
        prop_assert!(anchored.passed > 0);
    }

    #[test]
    fn whatever_is_changed_by_hand_is_found(order in any_order(), turns in turns(), hands in proptest::collection::vec(hand(), 1..4)) {
        let (payment, _) = after(order, &turns);
        for hand in &hands {
            let mut changed = payment.clone();
            by_hand(&mut changed, hand);
            if changed != payment {
                prop_assert!(!check(&changed).holds(), "{hand:?} is not found in {:#?}", changed.history);
            }
        }
    }

    /// Going on after a change does not hide it, whoever writes: the writers go on from the head that stands there.
    #[test]
    fn what_was_changed_stays_found_whatever_happens_afterwards(
        order in any_order(), before in turns(), hand in hand(), then in turns()
    ) {
        let (payment, _) = after(order, &before);
        let mut changed = payment.clone();
        by_hand(&mut changed, &hand);
        let only_lines = Payment { history: payment.history.clone(), ..changed.clone() } == payment;
        if !only_lines || changed == payment || lacks_only_the_tail(&payment, &changed) || changed.history.is_empty() {
            return Ok(());
        }
        let policy = policy();
        let mut walk = Walk { payment: changed, policy, now: NOW.ms() + 1_000_000_000, claims: Vec::new(), acknowledged: false };
        for turn in &then {
            walk.take(turn);
            prop_assert!(!check(&walk.payment).holds(), "{hand:?} was hidden in {:#?}", walk.payment.history);
        }
    }

    #[test]
    fn without_the_right_key_nothing_is_vouched_for(order in any_order(), turns in turns()) {
        let (payment, _) = after(order, &turns);
        let verification = verify(&payment, &HistoryKeys::one(other_key()));
        prop_assert!(verification.findings.contains(&Finding::KeyNotHeld(history_keys().current().id())));
        // A forger who makes a whole new chain with a key of his own, under the name of ours.
        let forged_policy = Policy { history_keys: HistoryKeys::one(other_key()), ..policy() };
        let moment = Moment {
            now: payment.created_at, nonce: nonce(), dice: Dice(0), policy: &forged_policy,
            history_keys: Some(&forged_policy.history_keys),
        };
        let mut forged = Payment::accepted(payment.order.clone(), payment.fingerprint.clone(), &moment);
        forged.chain.as_mut().unwrap().key = history_keys().current().id();
        prop_assert!(!check(&forged).holds());
    }

    #[test]
    fn an_item_that_was_set_back_or_written_anew_is_found_by_the_log(order in any_order(), turns in turns(), to in any::<Index>()) {
        let to = to.index(turns.len());
        let (payment, anchors) = after(order.clone(), &turns);
        let (earlier, _) = after(order, &turns[..to]);
        if earlier.version < payment.version {
            // Its own chain holds: only the log tells.
            prop_assert!(check(&earlier).holds());
        }
        let anew = Payment { version: payment.version, ..accepted(payment.order.clone()) };
        let findings = anchored(&anew, &check(&anew), &anchors).findings;
        let is_new = anew.history_head() == payment.history_head();
        let found = findings.iter().any(|finding| matches!(finding, AnchorFinding::NotPassed { .. }));
        prop_assert!(found || is_new || payment.history.len() == 1, "{findings:?}");
    }
}

#[test]
fn an_older_version_is_found_by_the_logs_newer_one() {
    let queued = accepted(order());
    let canceled = step(&queued, &Event::Cancel, NOW.plus_ms(5));
    let anchors = [anchor(&queued), anchor(&canceled)];
    assert!(anchored(&canceled, &check(&canceled), &anchors).findings.is_empty());
    let set_back = anchored(&queued, &check(&queued), &anchors);
    assert_eq!(set_back.findings, [AnchorFinding::SetBack { anchored: 2, stands: 1 }]);
    assert_eq!(anchored(&queued, &check(&queued), &[]).findings, [AnchorFinding::NoAnchor]);
}

/// A write that has not read the item cannot link its line; the next one does, also one that writes no line.
#[test]
fn a_claims_line_is_linked_by_the_next_write() {
    let queued = accepted(order());
    let sending = claim_of(&queued).apply(&queued, &policy()).unwrap();
    let verification = check(&sending);
    assert!(verification.holds() && verification.awaits_link);
    assert_eq!((verification.covered, sending.history.len()), (1, 2));
    let healed = step(&sending, &Event::Heal { replaces: None }, NOW.plus_ms(60_000));
    let verification = check(&healed);
    assert!(verification.holds() && !verification.awaits_link);
    assert_eq!((verification.covered, healed.history.len()), (2, 2));
    // What does not say the same as the claim beside it is not linked for anybody.
    let mut forged = sending.clone();
    forged.history.last_mut().unwrap().at = NOW.minus_ms(1);
    let healed = step(&forged, &Event::Heal { replaces: None }, NOW.plus_ms(60_000));
    assert!(matches!(check(&healed).findings[..], [Finding::LineNotLinked { number: 2, .. }]));
}

#[test]
fn the_first_line_that_was_changed_is_named() {
    let queued = accepted(order());
    let sending = claim_of(&queued).apply(&queued, &policy()).unwrap();
    let answer = SendAnswer::Unclear(Unclear::TimedOut);
    let unknown = step(&sending, &Event::SendAnswered { claim: &held(&sending), answer: &answer }, NOW.plus_ms(20_000));
    let mut changed = unknown;
    changed.history[1].at = NOW.plus_ms(7);
    let findings = check(&changed).findings;
    assert!(matches!(&findings[..], [Finding::LineChanged { number: 2, line }] if line.at == NOW.plus_ms(7)));
    assert!(findings[0].to_string().starts_with("line 2 does not fit, \"1764000000007 sending claimed 1 1#"));
}

/// Many more lines than are kept, each another: the middle is dropped and the rest still verifies, and nothing hides.
#[test]
fn a_long_history_verifies_across_its_gap() {
    let mut payment = accepted(order());
    for round in 0..40_u64 {
        payment.attempts_left = 0;
        let policy = policy();
        let moment = Moment {
            now: NOW.plus_ms(round * 1_000),
            nonce: nonce(),
            dice: Dice(0),
            policy: &policy,
            history_keys: Some(&policy.history_keys),
        };
        for event in [Event::DeadLettered, Event::Replay] {
            let Step::Change(next) = transition(&payment, &event, &moment) else { panic!("{event:?}") };
            payment = *next;
            payment.attempts_left = 0;
            let verification = check(&payment);
            assert!(verification.holds(), "round {round}: {:?}", verification.findings);
        }
    }
    let verification = check(&payment);
    assert_eq!(payment.history.len(), ENTRIES_MAX);
    assert_eq!(usize::try_from(verification.dropped).unwrap(), 81 - ENTRIES_MAX);
    for line in 0..ENTRIES_MAX {
        let mut changed = payment.clone();
        changed.history[line].at = changed.history[line].at.plus_ms(1);
        assert!(
            matches!(check(&changed).findings[..], [Finding::LineChanged { number, .. }] if number == line + 1),
            "line {line}"
        );
        changed = payment.clone();
        changed.history.remove(line);
        assert!(!check(&changed).holds(), "line {line} removed");
    }
    // What stands for the dropped lines cannot serve as a head, nor stand for fewer.
    let text = payment.chain.as_ref().unwrap().to_string();
    let parts: Vec<&str> = text.split(' ').collect();
    let chain = |head: &str, lines: &str| {
        let text = format!("{} {} {head} {lines} {}", parts[0], parts[1], parts[4..].join(" "));
        Some(text.try_into().unwrap())
    };
    for kept in [ENTRIES_MAX / 2, ENTRIES_MAX / 2 + 1] {
        let mut cut = Payment { chain: chain(parts[5], parts[3]), ..payment.clone() };
        cut.history.truncate(kept);
        assert!(check(&cut).findings.contains(&Finding::HeadChanged), "{kept}");
    }
    let mut fewer = Payment { chain: chain(parts[2], "48"), ..payment };
    assert_eq!(check(&fewer).findings, [Finding::GapChanged]);
    for event in [Event::DeadLettered, Event::Replay] {
        fewer = step(&fewer, &event, NOW.plus_ms(90_000));
        assert_eq!(check(&fewer).findings, [Finding::GapChanged], "going on does not mend it");
    }
}

/// A query that learns nothing.
fn asked(payment: &Payment, why: Unclear, now: Timestamp) -> Payment {
    let id = ClaimId::from_bits(u128::from(now.ms()));
    let claimed = step(payment, &Event::Claim { id: id.clone(), lease_until: now.plus_ms(10) }, now);
    let answer = QueryAnswer::Unclear(why);
    step(&claimed, &Event::QueryAnswered { claim: &id, answer: &answer }, now)
}

/// The line right before the gap as it was when it had come fewer times: its own tag was right then.
#[test]
fn a_line_before_the_gap_cannot_be_taken_from_an_earlier_time() {
    let mut payment = claimed_once();
    let mut earlier = None;
    for round in 0..60 {
        let why = if round % 2 == 0 { Unclear::ProviderError } else { Unclear::Conflict };
        payment = asked(&payment, why, NOW.plus_ms(200_000 * (round + 1)));
        if payment.history.len() == KEPT_AT_THE_BEGINNING && earlier.is_none() {
            earlier = payment.history.last().cloned();
            payment = asked(&payment, why, NOW.plus_ms(200_000 * (round + 1) + 100_000));
        }
    }
    assert!(check(&payment).holds() && check(&payment).dropped > 0);
    let last = KEPT_AT_THE_BEGINNING - 1;
    assert_eq!(payment.history[last].times, 2);
    payment.history[last] = earlier.unwrap();
    assert_eq!(check(&payment).findings, [Finding::GapChanged]);
}

/// A line that came twice is not two lines, even for somebody who has kept the tag of its first time.
#[test]
fn a_counted_line_cannot_be_told_as_two() {
    // Later than any backoff.
    let due = |round: u64| NOW.plus_ms(100_000 * round);
    let unknown = asked(&asked(&claimed_once(), Unclear::Conflict, due(1)), Unclear::ProviderError, due(2));
    let first = unknown.history.last().unwrap().clone();
    let twice = asked(&unknown, Unclear::ProviderError, due(3));
    let second = Entry { times: 1, ..twice.history.last().unwrap().clone() };
    assert_eq!(twice.history.last().unwrap().times, 2);
    let mut split = twice;
    split.history.pop();
    split.history.extend([first, second]);
    assert!(
        matches!(check(&split).findings[..], [Finding::LineChanged { number, .. }] if number == split.history.len())
    );
}

/// A payment whose first request was not answered.
fn claimed_once() -> Payment {
    let sending = sending(order());
    let answer = SendAnswer::Unclear(Unclear::TimedOut);
    step(&sending, &Event::SendAnswered { claim: &held(&sending), answer: &answer }, NOW.plus_ms(1))
}

/// The one line that may be without a link is the last, and a claim's: beside it none is put in by hand.
#[test]
fn a_line_that_is_put_in_by_hand_is_found_under_a_claim_too() {
    let queued = accepted(order());
    let sending = claim_of(&queued).apply(&queued, &policy()).unwrap();
    let mut forged = sending.clone();
    let mut line = queued.history[0].clone();
    (line.tag, line.at) = (None, NOW.plus_ms(1));
    forged.history.insert(1, line);
    assert!(matches!(check(&forged).findings[..], [Finding::LineNotLinked { number: 2, .. }]));
    // Nor does its own lose its link.
    let mut cut = sending;
    cut.history[0].tag = None;
    assert!(matches!(check(&cut).findings[..], [Finding::LineNotLinked { number: 1, .. }, Finding::HeadChanged]));
}

/// One more would park it before its time, one less would send it once more.
#[test]
fn attempts_that_were_changed_by_hand_are_found_either_way() {
    let payment = claimed_once();
    for item in [0, 2] {
        let changed = Payment { attempts: item, ..payment.clone() };
        assert_eq!(check(&changed).findings, [Finding::AttemptsDisagree { item, line: 1 }]);
    }
}

/// What stands in a line says nothing about the link that a forger would need.
#[test]
fn a_tag_is_no_part_of_the_head() {
    let payment = accepted(order());
    let tag = payment.history[0].tag.unwrap().to_string();
    let head = payment.history_head().unwrap().to_string();
    assert!(!head.starts_with(&tag), "{tag} {head}");
}

#[test]
fn an_item_older_than_chains_is_said_to_have_none_and_goes_on() {
    let mut payment = accepted(order());
    payment.chain = None;
    for entry in &mut payment.history {
        entry.tag = None;
    }
    assert_eq!(check(&payment).findings, [Finding::NoChain]);
    let json = serde_json::to_string(&payment).unwrap();
    assert!(!json.contains("chain") && !json.contains('#'));
    let canceled = step(&payment, &Event::Cancel, NOW);
    assert_eq!(canceled.state, State::Canceled);
    assert_eq!(check(&canceled).findings, [Finding::NoChain]);
}

#[test]
fn a_payment_keeps_its_first_key_and_new_ones_get_the_new() {
    let old = accepted(order());
    let one = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let both = HistoryKeys::parse(&format!("{}, {one}", "ab".repeat(32))).unwrap();
    assert_ne!(both.current(), history_keys().current());
    let policy = Policy { history_keys: both.clone(), ..policy() };
    let moment =
        Moment { now: NOW, nonce: nonce(), dice: Dice(0), policy: &policy, history_keys: Some(&policy.history_keys) };
    let Step::Change(canceled) = transition(&old, &Event::Cancel, &moment) else { panic!("it can be canceled") };
    assert!(check(&canceled).holds(), "the old key alone still verifies it");
    assert!(verify(&canceled, &both).holds());
    let new = Payment::accepted(order(), old.fingerprint.clone(), &moment);
    assert!(verify(&new, &both).holds());
    assert_eq!(check(&new).findings, [Finding::KeyNotHeld(both.current().id())]);
    // A writer that does not hold the key leaves its line unlinked, which is said and hides nothing.
    let foreign = HistoryKeys::one(other_key());
    let moment = Moment { history_keys: Some(&foreign), ..moment };
    let Step::Change(canceled) = transition(&old, &Event::Cancel, &moment) else { panic!("it can be canceled") };
    assert!(matches!(check(&canceled).findings[..], [Finding::LineNotLinked { number: 2, .. }]));
}

#[test]
fn keys_are_read_or_refused_by_number_and_never_shown() {
    let good = "ab".repeat(HISTORY_KEY_BYTES_MIN);
    let keys = HistoryKeys::parse(&good).unwrap();
    assert_eq!(*keys.current(), HistoryKey::of(&[0xab; HISTORY_KEY_BYTES_MIN]));
    assert_eq!(Some(keys.current().clone()), HistoryKey::new(&[0xab; HISTORY_KEY_BYTES_MIN]));
    assert!(!format!("{keys:?}").contains("abab"));
    for (text, says) in [
        ("", "key 1 has fewer than 32 bytes".to_owned()),
        ("no key!", "key 1 is neither base64 nor hex".to_owned()),
        ("abcd", "key 1 has fewer than 32 bytes".to_owned()),
        (&format!("{good},{}", &good[2..]), "key 2 has fewer than 32 bytes".to_owned()),
        (&format!("{good},{good}"), "key 2 is there twice".to_owned()),
    ] {
        assert_eq!(HistoryKeys::parse(text).unwrap_err().to_string(), says);
    }
}

/// A person's evidence is a line as any other: who ended it, and where to look it up.
#[test]
fn what_a_person_decided_is_linked_with_its_evidence() {
    let mut payment = accepted(order());
    payment.attempts_left = 0;
    let parked = step(&payment, &Event::DeadLettered, NOW);
    let evidence = Evidence::new("statement-2025-11-24", "alice", "no debit").unwrap();
    let end = payments::transition::Resolution::Canceled;
    let resolved = step(&parked, &Event::Resolve { end, evidence: &evidence }, NOW.plus_ms(9));
    assert!(check(&resolved).holds());
    assert_eq!(resolved.history.last().unwrap().provider_text.as_ref(), Some(&evidence.text()));
    let mut changed = resolved;
    changed.history.last_mut().unwrap().provider_text = Some(ProviderText::new("bob:nothing"));
    assert!(matches!(check(&changed).findings[..], [Finding::LineChanged { number: 3, .. }]));
}
