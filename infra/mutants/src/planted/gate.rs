//! At the gate: the rate, the margin, the breaker and the pause.

use crate::{Edit, Mutant};

const JOB: &str = "functions/consumer/src/job.rs";

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "missed-slot-used-all-the-same",
        harm: "what thaws together sends together, above the provider's rate",
        edits: &[Edit {
            file: JOB,
            text: "            if now_us <= slot.start_us.saturating_add(slot.margin_us) {",
            instead: "            if now_us >= slot.start_us {",
        }],
    },
    Mutant {
        name: "batch-sent-in-its-first-slot",
        harm: "a batch's calls all go out at once",
        edits: &[Edit {
            file: "functions/consumer/src/lib.rs",
            text: "                                let plan = Plan::Call(Job { message, slot: Slot::of(&slots, start_us) });",
            instead: "                                let start_us = start_us.min(slots.first_us);
                                let plan = Plan::Call(Job { message, slot: Slot::of(&slots, start_us) });",
        }],
    },
    Mutant {
        name: "pause-not-looked-at-by-slots-in-hand",
        harm: "an operator's pause is passed over by whoever has a slot already",
        edits: &[
            Edit {
                file: "functions/payments/src/gate/view.rs",
                text: "        !self.state.paused && !stopped_since &&",
                instead: "        !stopped_since &&",
            },
            Edit {
                file: "functions/payments/src/gate/update.rs",
                text: "            if gate.paused {
                return None;
            }
",
                instead: "",
            },
            Edit {
                file: "functions/payments/src/gate.rs",
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
            file: "functions/payments/src/gate/update.rs",
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
            file: "functions/payments/src/gate/view.rs",
            text: "            Health::Fails => self.unreported.counts.add(true),",
            instead: "            Health::Fails => self.unreported.counts.add(false),",
        }],
    },
    Mutant {
        name: "waiting-for-a-resume-taken-for-lost",
        harm: "a payment gets one more message for each hour of a pause, and the lanes fill with them",
        edits: &[Edit {
            file: "functions/payments/src/gate/healing.rs",
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
            file: "functions/payments/src/gate.rs",
            text: "        if self.breaker.probe_is_due(now_us) {",
            instead: "        if self.breaker.probe_is_due(now_us) && now_us == 0 {",
        }],
    },
];
