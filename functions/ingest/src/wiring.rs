//! What `main` makes of the function's settings.

use aws::admission::DynamoAdmission;
use aws::clients::Clients;
use aws::settings::{CallbackSettings, IngestSettings, Secret};
use providers::callback::Known;
use providers::http::SettingsError;

use crate::{AdmissionControl, Callbacks};

/// Admission as a deployment has it.
pub fn admission(clients: &Clients, settings: &IngestSettings) -> AdmissionControl<DynamoAdmission> {
    let IngestSettings { admission_table, gates_table, provider_name, queues, .. } = settings;
    let port = DynamoAdmission::new(clients, admission_table, gates_table, provider_name, queues.clone());
    AdmissionControl::new(port, settings.merchant_limit, settings.admission)
}

/// How a provider's callbacks are known; an error if its key cannot be read.
pub fn callbacks(settings: CallbackSettings) -> Result<Callbacks, SettingsError> {
    let CallbackSettings { provider_name, provider_kind, key, previous_key } = settings;
    let known = Known::new(provider_kind, key.reveal(), previous_key.as_ref().map(Secret::reveal))?;
    Ok(Callbacks { provider: provider_name, known })
}
