//! Names that logs, answers and commands are looked for by. Who changes one changes a dashboard, a filter or a script.

use std::collections::BTreeSet;

use pacing::breaker::Mode;
use pacing::gate::Healing;
use payments::case::CaseResolution;
use payments::transition::triage::Triage;
use providers::callback::Distrust;

use crate::contract::samples::NOW;

#[test]
fn each_name_is_the_one_that_is_looked_for() {
    let probing = Mode::Probing { lease_until_us: 1 };
    let modes = [Mode::Closed, Mode::Open { probe_at_us: None }, probing, Mode::Ramp].map(Mode::as_str);
    assert_eq!(modes, ["closed", "open", "probing", "ramp"]);
    let fates = [Triage::Heal, Triage::Hide { until: NOW }, Triage::Drop, Triage::PassOn, Triage::Replay];
    assert_eq!(fates.map(Triage::as_str), ["heal", "hide", "drop", "pass_on", "replay"]);
    let healings = [Healing::Lost { since: NOW }, Healing::IntoAnEmptyLane, Healing::Nothing].map(Healing::as_str);
    assert_eq!(healings, ["lost", "into_an_empty_lane", "nothing"]);
    let distrusts = [
        (Distrust::Unsigned, "unsigned"),
        (Distrust::Unreadable, "unreadable_signature"),
        (Distrust::Forged, "forged"),
        (Distrust::OutOfTime, "out_of_time"),
        (Distrust::NoticeUnsigned, "notice_unsigned"),
        (Distrust::NoticeForged, "notice_forged"),
        (Distrust::OtherAccount, "other_account"),
    ];
    for (distrust, name) in distrusts {
        assert_eq!(distrust.as_str(), name);
    }
}

/// An operator types it, and the item keeps it.
#[test]
fn what_becomes_of_a_cases_money_is_read_back_by_its_name() {
    let all = [CaseResolution::Refund, CaseResolution::RefundElsewhere, CaseResolution::Accept];
    assert_eq!(all.map(CaseResolution::as_str), ["refund", "refund_elsewhere", "accept"]);
    for one in all {
        assert_eq!(CaseResolution::parse(one.as_str()), Some(one));
        assert_eq!(serde_json::to_value(one).unwrap(), one.as_str());
    }
    let reasons: BTreeSet<_> = all.iter().map(|one| one.reason().as_str()).collect();
    assert_eq!(reasons.len(), all.len());
    assert_eq!((CaseResolution::parse("Refund"), CaseResolution::parse("")), (None, None));
}
