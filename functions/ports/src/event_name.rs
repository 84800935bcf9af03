//! The events that functions log. Metric filters, alarms, runbooks and the operator's tool know them by these names, so that a
//! name stays what it is.

macro_rules! events {
    ($($name:ident $text:literal: $means:literal,)*) => {
        /// An event in a function's log, as the field `event` names it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventName {
            $(#[doc = $means] $name,)*
        }

        impl EventName {
            /// All of them, by name.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in the log.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Who logs it, and what it says.
            pub const fn means(self) -> &'static str {
                match self {
                    $(Self::$name => $means,)*
                }
            }
        }
    };
}

events! {
    BatchRanOutOfTime "batch_ran_out_of_time": "Consumer: its invocation ended before these messages were settled; each comes again.",
    BreakerClosed "breaker_closed": "Consumer: the provider answers again, and is called at its whole rate.",
    BreakerOpened "breaker_opened": "Consumer: the provider fails and is not called; `cause` says how it failed.",
    BreakerProbeNotMade "breaker_probe_not_made": "Consumer: the one call that would have tried the provider was not made; the next batch tries at once.",
    BreakerProbing "breaker_probing": "Consumer: one call tries the provider.",
    BreakerRamping "breaker_ramping": "Consumer: the probe was answered, and the rate rises again.",
    CallbackChangesNothing "callback_changes_nothing": "Ingest: the provider said again what is known.",
    CallbackContradicts "callback_contradicts": "Ingest: a signed callback names another amount or order than the payment has.",
    CallbackNotOurs "callback_not_ours": "Ingest: the provider tells of what is none of our orders; it is taken, and nothing is done.",
    CallbackUnknownPayment "callback_unknown_payment": "Ingest: a signed callback is about a payment that is not here.",
    CallbackUnreadable "callback_unreadable": "Ingest: a signed callback cannot be read.",
    CallbackUntrusted "callback_untrusted": "Ingest: a callback's signature is missing, wrong or old.",
    CasesOpen "cases_open": "Reconcile: how many cases wait for a person, also when there are none.",
    CasesUncounted "cases_uncounted": "Reconcile: the cases could not be counted.",
    ClaimFailed "claim_failed": "Consumer: the table did not take a claim; the message comes again.",
    ConnectFailed "connect_failed": "Consumer: no connection to the provider; nothing was written to it.",
    ConnectTimedOut "connect_timed_out": "Consumer: no connection to the provider in time; nothing was written to it.",
    DepthUnreadable "depth_unreadable": "Reconcile: a lane's depth could not be read, and it counts as busy.",
    DoubtFailed "doubt_failed": "Reconcile: after a restore one payment could not be put in doubt; the command is run again.",
    EnvironmentStarted "environment_started": "Every function: a new environment, with what its deployment was stamped with.",
    ForgettingCutShort "forgetting_cut_short": "Reconcile: this minute's part of the table was not gone through; the next pass comes to it.",
    ForgettingFailed "forgetting_failed": "Reconcile: an item or a page could not be read while details were forgotten.",
    GateLookFailed "gate_look_failed": "Consumer: the gate could not be looked at before slots were used.",
    GateReportFailed "gate_report_failed": "Consumer: how calls went could not be reported; it goes with the next reservation.",
    GateUnreadable "gate_unreadable": "Consumer: the gate did not answer, and nothing is sent.",
    HealsHeld "heals_held": "Reconcile: the gate is stopped, and what waits is not taken for lost.",
    HealsUsedUp "heals_used_up": "Dead_letter: a message was put back as often as it may; the sweep finds the payment.",
    HistoryDoubted "history_doubted": "Reconcile: a payment's history does not verify, and its details are not forgotten.",
    InvocationRefused "invocation_refused": "Reconcile: the event is neither a sweep's nor an operator's.",
    KeyWriteFailed "key_write_failed": "Ingest: an idempotency key could not be bound; nothing was accepted.",
    LateSuccess "late_success": "Consumer, ingest: money moved after the payment had ended without success; a case is open.",
    LimitUnreadable "limit_unreadable": "Ingest: a merchant's bucket did not answer, and the payment came in without it.",
    MerchantReadFailed "merchant_read_failed": "Ingest: the table of merchants did not answer; the request was refused with 503.",
    MessageDisagrees "message_disagrees": "Consumer: a message names another merchant than its payment has.",
    MessageForeign "message_foreign": "Consumer: a message that is not Sluice's.",
    MessageHideFailed "message_hide_failed": "Consumer, dead_letter: a message could not be hidden and comes again after its visibility timeout.",
    MessageNewer "message_newer": "Consumer: a message of a newer version waits for its code.",
    MessageParked "message_parked": "Dead_letter: a message goes to the parked queue without a payment that it could be told by; `why` says the reason.",
    MessageSendFailed "message_send_failed": "Ingest, dead_letter: a queue did not take a payment's message; the sweep finds the payment.",
    MessageTriaged "message_triaged": "Dead_letter: what a dead letter's payment said to do with it.",
    MessageWithoutItem "message_without_item": "Consumer: a message whose payment is not in the table.",
    OldestOpen "oldest_open": "Reconcile: how old the oldest open payment is, by state.",
    OperationDone "operation_done": "Reconcile: what an operator asked for was decided.",
    OperationRefused "operation_refused": "Reconcile: what an operator asked for was refused; `why` says the reason.",
    OutlookUnreadable "outlook_unreadable": "Ingest: gate or lanes could not be read, and no wait is told.",
    PaymentAccepted "payment_accepted": "Ingest: a new payment stands in the table.",
    PaymentCalledBack "payment_called_back": "Ingest: the provider's callback changed a payment.",
    PaymentCancelRequested "payment_cancel_requested": "Ingest: a merchant asked for a cancelation that is still to be decided.",
    PaymentCanceledUnseen "payment_canceled_unseen": "Ingest: an order was canceled that had never come.",
    PaymentChanged "payment_changed": "Every function: a write's version, state and the head of the history; the history's anchor outside of the table.",
    PaymentExpired "payment_expired": "Reconcile: a payment's time was over before it was ever sent.",
    PaymentHealed "payment_healed": "Ingest, dead_letter, reconcile: a payment's message was put back.",
    PaymentParked "payment_parked": "Dead_letter, reconcile: a payment waits for a person.",
    PaymentReadFailed "payment_read_failed": "Ingest: the table did not answer a read.",
    PaymentReplayed "payment_replayed": "Ingest: an order came again and was told what is true.",
    PaymentReplayedByOperator "payment_replayed_by_operator": "Consumer, dead_letter: an operator put a parked payment back.",
    PaymentSettled "payment_settled": "Consumer: what came of a call.",
    PaymentVanished "payment_vanished": "Consumer: a claimed payment is not in the table any more.",
    PaymentWriteFailed "payment_write_failed": "Ingest: the table did not take a write, or its answer was lost.",
    PaymentsOverdue "payments_overdue": "Reconcile: payments that are pending or unknown for too long.",
    RefundsWithoutCharge "refunds_without_charge": "Reconcile: open refunds whose charge is not in the table.",
    RequestOutOfTime "request_out_of_time": "Ingest: a request was answered with what was known when its time was over.",
    RequestRefused "request_refused": "Ingest: a request was answered with a problem, by its name.",
    SettleFailed "settle_failed": "Consumer: an answer could not be written down; it is tried again, and then asked for.",
    SlotMissed "slot_missed": "Consumer: a send slot was reached too late and another is taken.",
    StartFailed "start_failed": "Every function: a setting is missing or wrong; the function does not start.",
    SweepCutShort "sweep_cut_short": "Reconcile: a sweep's time was over before it had seen every shard.",
    SweepDone "sweep_done": "Reconcile: a sweep's counts.",
    SweepFailed "sweep_failed": "Reconcile: a shard or a payment could not be looked at.",
    SweepWithoutGate "sweep_without_gate": "Reconcile: the gate could not be read, and messages are put back as if it were open.",
    TriageFailed "triage_failed": "Dead_letter: the table did not answer; the dead letter comes again.",
}
