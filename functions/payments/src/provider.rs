//! Which provider's protocol is spoken.

/// A kind of provider: whose contract its requests, answers and callbacks follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ProviderKind {
    /// Our own open contract (`infra/provider-openapi.yaml`).
    #[default]
    Open,
    /// Alipay's open platform.
    Alipay,
}

impl ProviderKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Open, Self::Alipay];

    /// Its name in settings and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Alipay => "alipay",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
