//! What is said of a sample, and how it is written for a reader.

use payments::payment::State;

/// One invocation.
pub(super) struct Sample {
    /// Its file in `events/`, without `.json`: the function and a name.
    pub(super) file: &'static str,
    /// Whether the provider's signature is made anew; the one in the file is too old.
    pub(super) is_signed_anew: bool,
    /// What has happened before.
    pub(super) before: &'static [Before],
    /// What the function answers.
    pub(super) answer: Answer,
    /// How an order's payment stands afterwards.
    pub(super) payment: Option<(&'static str, State)>,
    /// Charges that the provider makes meanwhile.
    pub(super) charges: usize,
    /// Messages that the function sends to the lanes.
    pub(super) messages: u64,
    /// An event in its log, if it says anything.
    pub(super) log: Option<&'static str>,
}

/// What an invocation presupposes.
pub(super) enum Before {
    /// Another sample.
    Sample(&'static str),
    /// The charge of this order in a state; what is being sent there is so under a lease that is over.
    Stands(&'static str, State),
    /// The charge of this order being sent, under a lease that is not over.
    IsBeingSent(&'static str),
    /// The charge of this order, accepted ten minutes ago; its message was never sent.
    HasLostItsMessage(&'static str),
}

/// What a function answers.
pub(super) enum Answer {
    /// A payment in a state.
    Payment(u16, State),
    /// A payment that was there before, in a state.
    Replayed(u16, State),
    /// A callback that was taken.
    Taken,
    /// A problem document.
    Problem(u16, &'static str),
    /// The messages, counted from one, that come again.
    Again(&'static [usize]),
    /// One of the messages at most, no matter which, comes again.
    AgainAtMostOne,
    /// What a sweep looked at and put back.
    Swept { looked_at: u32, healed: u32 },
}

pub(super) const HEAD: &str = "| event | beforehand | answer | afterwards | charges | messages sent | in the log |
|---|---|---|---|---|---|---|
";

impl Sample {
    pub(super) fn function(&self) -> &'static str {
        self.file.split('/').next().unwrap_or_default()
    }

    /// Its line of the table in `events/README.md`.
    pub(super) fn row(&self) -> String {
        let Self { file, charges, messages, .. } = self;
        let signed = if self.is_signed_anew { ", signed anew" } else { "" };
        let before: Vec<String> = self.before.iter().map(Before::text).collect();
        let before = if before.is_empty() { "nothing".to_owned() } else { before.join(", then ") };
        let payment = match self.payment {
            Some((order, state)) => format!("`{order}` is {}", state.as_str()),
            None => "no payment".to_owned(),
        };
        let answer = self.answer.text();
        let log = self.log.map_or("nothing".to_owned(), |event| format!("`{event}`"));
        format!("| `{file}`{signed} | {before} | {answer} | {payment} | {charges} | {messages} | {log} |\n")
    }
}

impl Before {
    fn text(&self) -> String {
        match self {
            Self::Sample(file) => format!("`{file}`"),
            Self::Stands(order, State::Sending) => format!("`{order}` is sending, its lease is over"),
            Self::Stands(order, state) => format!("`{order}` is {}", state.as_str()),
            Self::IsBeingSent(order) => format!("`{order}` is sending, its lease is not over"),
            Self::HasLostItsMessage(order) => format!("`{order}` is queued for ten minutes, without a message"),
        }
    }
}

impl Answer {
    fn text(&self) -> String {
        match self {
            Self::Payment(status, state) => format!("{status} and the payment, {}", state.as_str()),
            Self::Replayed(status, state) => format!("{status} and the payment, {}, as a repeat", state.as_str()),
            Self::Taken => "200".to_owned(),
            Self::Problem(status, name) => format!("{status} `{name}`"),
            Self::Again([]) => "all done".to_owned(),
            Self::Again(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                format!("message {} comes again", numbers.join(" and "))
            }
            Self::AgainAtMostOne => "one comes again at most".to_owned(),
            Self::Swept { looked_at, healed } => format!("{looked_at} looked at, {healed} healed"),
        }
    }
}
