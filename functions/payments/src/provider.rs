//! Which provider's protocol is spoken.

/// A kind of provider: whose contract its requests, answers and callbacks follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ProviderKind {
    /// Our own open contract (`infra/provider-openapi.yaml`).
    #[default]
    Open,
    /// Alipay's open platform.
    Alipay,
    /// Stripe's API.
    Stripe,
}

impl ProviderKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Open, Self::Alipay, Self::Stripe];

    /// Its name in settings and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Alipay => "alipay",
            Self::Stripe => "stripe",
        }
    }

    /// The longest that its documents let a deployment believe that an id is known, in ms; none where they state no end. The
    /// contract's module names the page.
    pub const fn key_window_ms(self) -> Option<u64> {
        match self {
            // Each provider's own to say; and for ever.
            Self::Open | Self::Alipay => None,
            Self::Stripe => Some(24 * 60 * 60 * 1_000),
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
