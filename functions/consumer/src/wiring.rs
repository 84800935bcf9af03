//! What `main` makes of the function's settings.

use aws::settings::ConsumerSettings;
use providers::http::HttpSettings;

use crate::Limits;

/// What the provider's adapter needs of the function's settings.
pub fn provider_settings(settings: &ConsumerSettings) -> HttpSettings {
    HttpSettings {
        kind: settings.provider_kind,
        base_url: settings.provider_url.clone(),
        key: settings.provider_key.reveal().to_owned(),
        connect_timeout_ms: settings.policy.connect_timeout_ms,
        pool_size: settings.pool_size,
        idle_timeout_ms: settings.pool_idle_timeout_ms,
    }
}

/// What the consumer needs of the function's settings.
pub fn limits(settings: &ConsumerSettings) -> Limits {
    Limits { max_in_flight: settings.max_in_flight, gate: settings.gate_settings }
}
