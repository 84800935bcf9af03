//! What Sluice and the sandbox know each other by, drawn anew for each run.

use cloud::sandbox::{alipay, stripe};
use payments::id::Nonce;
use payments::provider::ProviderKind;
use ports::Entropy;

/// What each side is told.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The sandbox, of who calls it.
    pub sandbox: String,
    /// The sandbox, to sign its callbacks with; empty where that is in the other one.
    pub sandbox_callback: String,
    /// The consumer.
    pub provider: String,
    /// `ingest`, to know callbacks by.
    pub callback: String,
}

impl Secrets {
    /// Draws what a provider of this kind needs. An error is one line.
    pub fn draw(kind: ProviderKind) -> Result<Self, String> {
        match kind {
            ProviderKind::Open => {
                let word = || Nonce::from_bits(aws::system::SystemEntropy.bits()).as_str().to_owned();
                let (key, callback) = (word(), format!("{}{}", word(), word()));
                Ok(Self { sandbox: key.clone(), sandbox_callback: callback.clone(), provider: key, callback })
            }
            ProviderKind::Alipay => {
                let alipay::Drawn { sandbox, provider, callback } = alipay::draw()?;
                Ok(Self { sandbox, sandbox_callback: String::new(), provider, callback })
            }
            ProviderKind::Stripe => {
                let stripe::Drawn { sandbox, provider, callback, signing_secret } = stripe::draw();
                Ok(Self { sandbox, sandbox_callback: signing_secret, provider, callback })
            }
        }
    }
}

/// Where the API is, under the sandbox's address.
pub fn url(kind: ProviderKind, base_url: &str) -> String {
    match kind {
        ProviderKind::Open | ProviderKind::Stripe => base_url.to_owned(),
        ProviderKind::Alipay => alipay::url(base_url),
    }
}
