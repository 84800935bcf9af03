//! Each reason as a plain sentence, for people who read a history.

use crate::payment::Reason;

impl Reason {
    /// What the reason means, in one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Accepted => "The order was taken from the merchant and waits to be sent.",
            Self::Claimed => "It was taken up to be sent to the provider.",
            Self::Approved => "The provider did it.",
            Self::DeclinedByProvider => "The provider refused it for good.",
            Self::PendingAtProvider => "The provider has it and will answer later; it is asked, and never sent again.",
            Self::TimedOut => "The provider did not answer in time; it may have done it, so it is asked.",
            Self::ConnectionLost => "The connection broke before the answer; it may be done, so the provider is asked.",
            Self::ProviderError => "The provider answered with an error of its own; it may be done, so it is asked.",
            Self::ConflictAtProvider => "The provider was busy with this payment; it may be done, so it is asked.",
            Self::UnreadableAnswer => "The provider's answer could not be read; it may be done, so it is asked.",
            Self::NegativeAfterUnknown => {
                "The provider refused it after an attempt that may have been done; it is asked before that is believed."
            }
            Self::LeaseEnded => "Whoever took it up did not say how it went; it may be done, so the provider is asked.",
            Self::RateLimited => "The provider asked us to slow down; nothing was done, and it waits.",
            Self::ConnectFailed => "The provider could not be reached; nothing was sent, and it waits.",
            Self::CredentialsRefused => "The provider refused our credentials; nothing was done, and it waits.",
            Self::NotWritten => "It was taken up and not sent after all; nothing was done, and it waits.",
            Self::NotFoundYet => {
                "The provider does not know it; it is too early to believe that, so it is asked again."
            }
            Self::ProvedAbsent => "The provider does not know it, long enough to be sure; it may be sent again.",
            Self::VanishedAtProvider => "The provider said that it has it and later that it does not; a person looks.",
            Self::KeyWindowOver => {
                "The provider may have forgotten the first attempt, and sending again might pay twice; a person looks."
            }
            Self::AttemptsUsedUp => "Every attempt that it had was used; a person looks.",
            Self::CanceledByMerchant => "The merchant took it back before it was done.",
            Self::ExpiryOver => "Its time was over before it was done.",
            Self::Replayed => "A person put it back.",
            Self::Healed => "Its message was put back in its queue.",
            Self::CalledBack => "The provider said by itself how it ended.",
            Self::ResolvedByOperator => "A person said how it ended, with evidence.",
            Self::LateSuccess => "The provider did it after it had ended otherwise here; a person looks.",
        }
    }
}
