//! A running system with its provider, and merchants who send payments and look after them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cloud::embedded::Endpoint;
use cloud::local::settings;
use cloud::local::system::{System, Wiring};
use cloud::sandbox::{Faults, Running, SandboxSettings};
use dev::merchants::create_in;
use operator::account::{Account, AccountArguments};
use operator::client::Base;
use operator::load::sender::{self, Hit, Pace, Shot};
use operator::merchants::keys::Permissions;
use payments::id::{MerchantId, OrderId, PaymentId};
use payments::payment::{Kind, Payment, State};
use payments::provider::ProviderKind;
use serde_json::json;

const PROVIDER_KEY: &str = "provider-key";
const RATE: u32 = 200;

pub(super) struct Place {
    pub(super) system: System,
    pub(super) provider: Running,
    pub(super) account: Account,
    pub(super) key: Arc<str>,
    merchant: MerchantId,
    _endpoint: Endpoint,
}

pub(super) async fn account(endpoint: &Endpoint) -> Account {
    Account::open(&AccountArguments { endpoint: endpoint.url(), stack: None }).await.unwrap()
}

impl Place {
    pub(super) async fn start() -> Self {
        let provider = Running::start(SandboxSettings {
            speaks: ProviderKind::Open,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            key: PROVIDER_KEY.to_owned(),
            rate_per_second: RATE,
            latency_ms: (5, 40),
            faults: Faults::default(),
            slow_ms: settings::SLOW_MS,
            pending_ms: settings::PENDING_MS,
            late_ms: settings::LATE_MS,
            key_window_ms: settings::policy().key_window_ms,
            seed: 1,
            callback: None,
        })
        .await
        .unwrap();
        let system = System::start(&Wiring {
            provider_kind: ProviderKind::Open,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            provider_url: &provider.base_url(),
            provider_key: PROVIDER_KEY,
            callback_key: None,
            rate_per_second: RATE,
            key_window_ms: cloud::local::settings::policy().key_window_ms,
            merchant_rate: settings::MERCHANT_RATE,
            queue_depth_max: settings::QUEUE_DEPTH_MAX,
            duplicate_share: 0.0,
            seed: 1,
        })
        .await
        .unwrap();
        let endpoint = system.serve_aws((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let merchant = MerchantId::new("shop").unwrap();
        let permissions = BTreeMap::from([(merchant.clone(), Permissions::default())]);
        let keys = create_in(&system, &permissions).await.unwrap();
        let key = Arc::clone(&keys[&merchant]);
        Self { account: account(&endpoint).await, system, provider, key, merchant, _endpoint: endpoint }
    }

    /// Sends charges with these numbers, each of so many minor units as its number says and one more.
    pub(super) async fn charge(&self, numbers: std::ops::Range<usize>) -> Vec<Hit> {
        let shots = numbers
            .map(|number| {
                let order = format!("A-{number}");
                let body = json!({"order_id": order, "kind": "charge", "amount": number + 1, "currency": "EUR"});
                Shot { index: number, api_key: Arc::clone(&self.key), body: Bytes::from(body.to_string()) }
            })
            .collect();
        let base = Base::parse(&format!("http://{}", self.system.address())).unwrap();
        sender::send(&base, shots, Pace::Unbounded, 8, |_| {}).await
    }

    pub(super) fn id(&self, number: usize) -> PaymentId {
        PaymentId::derive(&self.merchant, Kind::Charge, &OrderId::new(format!("A-{number}")).unwrap())
    }

    pub(super) async fn payment(&self, number: usize) -> Option<Payment> {
        // The table that throttles the functions throttles whoever looks, too.
        for _ in 0..20 {
            if let Ok(stands) = self.system.payment(&self.id(number)).await {
                return stands;
            }
        }
        panic!("payment {number} could not be read at the 20th try")
    }

    /// Waits until all of these have succeeded, then checks the provider's ledger: each once, with its amount.
    pub(super) async fn all_succeed(&self, numbers: std::ops::Range<usize>, within: Duration) {
        let begun = Instant::now();
        for number in numbers.clone() {
            loop {
                let stands = self.payment(number).await;
                if stands.as_ref().is_some_and(|payment| payment.state == State::Succeeded) {
                    break;
                }
                assert!(begun.elapsed() < within, "payment {number} after {within:?}: {stands:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        let ledger = self.provider.ledger();
        assert_eq!(ledger.len(), numbers.len(), "one effect for each payment");
        for number in numbers {
            let id = self.id(number);
            let effects: Vec<_> = ledger.iter().filter(|effect| *effect.payment_id == *id.as_str()).collect();
            assert_eq!(effects.len(), 1, "{id}");
            assert_eq!(effects[0].amount, u64::try_from(number).unwrap() + 1);
        }
    }
}
