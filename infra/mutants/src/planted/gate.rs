//! At the gate: the rate, the margin, the breaker, the brake and the pause.

use crate::{Edit, Mutant};

const JOB: &str = "functions/consumer/src/job.rs";
const BRAKE: &str = "functions/pacing/src/brake.rs";
const VIEW: &str = "functions/pacing/src/gate/view.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "missed-slot-used-all-the-same",
        harm: "what thaws together sends together, above the provider's rate",
        edits: &[Edit {
            file: JOB,
            text: "            if now_us <= slot.start_us.saturating_add(slot.of.margin_us) {",
            instead: "            if now_us >= slot.start_us {",
        }],
    },
    Mutant {
        name: "batch-sent-in-its-first-slot",
        harm: "a batch's calls all go out at once",
        edits: &[Edit {
            file: "functions/consumer/src/lib.rs",
            text: "                                let plan = Plan::Call(Job { message, slot });",
            instead: "                                let slot = Slot { start_us: slots.first_us, ..slot };
                                let plan = Plan::Call(Job { message, slot });",
        }],
    },
    Mutant {
        name: "pause-not-looked-at-by-slots-in-hand",
        harm: "an operator's pause is passed over by whoever has a slot already",
        edits: &[
            Edit {
                file: "functions/pacing/src/gate/view.rs",
                text: "        !self.state.paused && !stopped_since &&",
                instead: "        !stopped_since &&",
            },
            Edit {
                file: "functions/pacing/src/gate/update.rs",
                text: "            if gate.paused {
                return None;
            }
",
                instead: "",
            },
            Edit {
                file: "functions/pacing/src/gate.rs",
                text: "        if self.paused {
            return Sending::Paused;
        }
",
                instead: "",
            },
        ],
    },
    Mutant {
        name: "rate-of-before-an-operators-change",
        harm: "slots are taken at a rate that an operator has lowered since",
        edits: &[Edit {
            file: "functions/pacing/src/gate/update.rs",
            text: "        if gate.rate_version != self.rate_version || gate.rate_per_second != self.rate_per_second {
            return None;
        }
",
            instead: "",
        }],
    },
    Mutant {
        name: "failures-counted-as-answers",
        harm: "the breaker never opens, and every payment is thrown at a provider that is down",
        edits: &[Edit {
            file: "functions/pacing/src/gate/view.rs",
            text: "            Health::Fails => self.unreported.counts.add(true),",
            instead: "            Health::Fails => self.unreported.counts.add(false),",
        }],
    },
    Mutant {
        name: "waiting-for-a-resume-taken-for-lost",
        harm: "a payment gets one more message for each hour of a pause, and the lanes fill with them",
        edits: &[Edit {
            file: "functions/pacing/src/gate/healing.rs",
            text: "        if self.paused {
            return Healing::Nothing;
        }
",
            instead: "",
        }],
    },
    Mutant {
        name: "breaker-never-probes",
        harm: "a breaker that has opened stays open until a person comes",
        edits: &[Edit {
            file: "functions/pacing/src/gate.rs",
            text: "        if self.breaker.probe_is_due(now_us) {",
            instead: "        if self.breaker.probe_is_due(now_us) && now_us == 0 {",
        }],
    },
    Mutant {
        // As it was: each 429 pulled it.
        name: "brake-goes-by-a-count",
        harm: "a provider that answers 429 for reasons of one payment now and then is sent a fraction of its rate",
        edits: &[Edit {
            file: BRAKE,
            text: "        self.limited >= STORM_LIMITED && self.limited.saturating_mul(3) >= self.calls",
            instead: "        self.limited >= STORM_LIMITED",
        }],
    },
    Mutant {
        name: "brake-never-recovers",
        harm: "a provider that took less for a minute is sent less for ever",
        edits: &[Edit {
            file: BRAKE,
            text: "        self.permille.saturating_add(grown).clamp(LEAST_PERMILLE, WHOLE_PERMILLE)",
            instead: "        self.permille.saturating_add(grown / 1_000_000).clamp(LEAST_PERMILLE, WHOLE_PERMILLE)",
        }],
    },
    Mutant {
        name: "brake-forgets-that-a-pace-was-braked",
        harm: "the crowd of calls that one pace has sent brakes again and again",
        edits: &[
            Edit {
                file: VIEW,
                text: "        if pace != Some(self.state.brake.version) {",
                instead: "        if pace.is_none() {",
            },
            Edit {
                file: VIEW,
                text: "        if now_us < self.state.brake.counts_from_us() {",
                instead: "        if now_us < self.state.brake.version {",
            },
        ],
    },
    Mutant {
        name: "share-over-calls-of-another-pace",
        harm: "429s of before a change are held against the pace after it",
        edits: &[Edit {
            file: "functions/pacing/src/gate/update.rs",
            text: "                (after.paced, after.limited) = (0, 0);",
            instead: "                (after.paced, after.limited) = (after.paced, after.limited);",
        }],
    },
    Mutant {
        name: "stray-answers-taken-for-a-limit",
        harm: "the pace falls and falls for a share of 429s that no pace changes",
        edits: &[Edit {
            file: BRAKE,
            text: "        is_judged && since_change.permille() <= STRAY_MAX_PERMILLE && is_the_same && is_young",
            instead: "        is_judged && since_change.permille() < STRAY_MAX_PERMILLE / 1_000 && is_the_same && is_young",
        }],
    },
    Mutant {
        name: "cut-of-the-pace-that-is-reserved",
        harm: "a pace that is cut stays above the limit that it was cut for",
        edits: &[Edit {
            file: BRAKE,
            text: "        let pace = counted.sent_permille.map_or(known, |sent| sent.min(known));",
            instead: "        let pace = counted.sent_permille.map_or(known, |sent| sent.max(known));",
        }],
    },
    Mutant {
        name: "limit-felt-for-in-the-dark",
        harm: "a limit that holds is passed for ten seconds each time that the pace has grown back to it",
        edits: &[Edit {
            file: BRAKE,
            text: "        let is_known = known < WHOLE_PERMILLE && early.calls >= WINDOW_CALLS_MIN;",
            instead: "        let is_known = known > WHOLE_PERMILLE && early.calls >= WINDOW_CALLS_MIN;",
        }],
    },
    Mutant {
        name: "refusals-wait-for-their-batchs-end",
        harm: "a limit is passed until the slowest answer of a batch has come",
        edits: &[Edit {
            file: VIEW,
            text: "        let tells = wanted == 0 && told.counts.paced.limited > 0;",
            instead: "        let tells = wanted == 0 && told.counts.paced.limited > told.counts.paced.calls;",
        }],
    },
    Mutant {
        name: "slots-in-hand-keep-their-pace",
        harm: "for seconds after the brake the provider is sent as much as before",
        edits: &[Edit {
            file: VIEW,
            text: "        slots.version >= brake.version || is_used(",
            instead: "        slots.version > 0 || is_used(",
        }],
    },
    Mutant {
        name: "retry-after-of-a-storm-passed-over",
        harm: "a provider that asks everybody for silence is called on",
        edits: &[Edit {
            file: BRAKE,
            text: "            let hold_us = hold_ms.min(settings.hold_max_ms).saturating_mul(1_000);",
            instead: "            let hold_us = hold_ms.min(settings.hold_max_ms) / 1_000_000;",
        }],
    },
    Mutant {
        name: "overtaken-answer-believed",
        harm: "an answer that comes late puts back what an environment knows of a pause or of the breaker",
        edits: &[Edit {
            file: VIEW,
            text: "        if is_older && asked < self.heard {",
            instead: "        if is_older && asked > self.heard {",
        }],
    },
    Mutant {
        name: "due-time-bound-to-one-message",
        harm: "a second message of a payment calls a provider that has asked for a quarter of an hour",
        edits: &[Edit {
            file: "functions/payments/src/transition.rs",
            text: "    payment.due_at.is_some_and(|due| due > moment.now)",
            instead: "    payment.due_at.is_some_and(|due| due > moment.now) && payment.version == 0",
        }],
    },
    Mutant {
        name: "first-retry-after-kept",
        harm: "who asks for silence twice before it is reported is called on after the shorter time",
        edits: &[Edit {
            file: VIEW,
            text: "self.unreported.retry_after_ms = self.unreported.retry_after_ms.max(retry_after_ms);",
            instead: "self.unreported.retry_after_ms = self.unreported.retry_after_ms.or(retry_after_ms);",
        }],
    },
    Mutant {
        name: "retry-after-of-a-lost-report-kept",
        harm: "who asks for a longer silence while a report is lost is called on after the shorter time",
        edits: &[Edit {
            file: VIEW,
            text: "retry_after_ms: later.retry_after_ms.max(self.retry_after_ms),",
            instead: "retry_after_ms: self.retry_after_ms.or(later.retry_after_ms),",
        }],
    },
];
