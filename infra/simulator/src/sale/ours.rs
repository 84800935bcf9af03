//! The sale through this repository: the real ingest and consumer handlers over the ports of a sale.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use consumer::{Consumer, Limits};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use ingest::{AdmissionControl, Ingest};
use pacing::admission::AdmissionSettings;
use pacing::gate::GateState;
use payments::payment::Lane;
use ports::{Clock, Wired};
use serde::Deserialize;

use crate::sale::admission;
use crate::sale::mapping;
use crate::sale::place::{Environment, Place};
use crate::sale::provider::Provider;
use crate::sale::queue;
use crate::sale::report::{CameOfIt, Course, QuotaUse, Samples, Way};
use crate::sale::settings::{Settings, gate_settings, policy};
use crate::sale::shop::{Purchase, Shop, Size};
use crate::sale::world::{Ports, Services};
use crate::world::lock;

/// The consumer's time-out, and what is kept of it.
const FUNCTION_TIMEOUT_MS: u64 = 60_000;
const GRACE_MS: u64 = 100;
/// The lanes' visibility: six of those and the window.
const VISIBILITY_US: u64 = 361_000_000;
/// The lanes' maxReceiveCount.
const RECEIVES_MAX: u16 = 60;
/// The template's margin.
const MARGIN_MS: u32 = 10;
/// After this long a merchant asks again that was told to.
const ASKS_AGAIN: Duration = Duration::from_secs(1);

type TheLedger = Wired<Ports, Ports, Environment, Environment>;
type TheIngest = Ingest<TheLedger, Ports, Ports>;
type TheConsumer = Consumer<TheLedger, Ports, Ports>;

fn wired(ports: &Ports, environment: &Environment) -> TheLedger {
    Wired {
        store: ports.clone(),
        queue: ports.clone(),
        clock: environment.clone(),
        entropy: environment.clone(),
        policy: policy(),
    }
}

/// Ingest's environments: each takes one request at a time.
#[derive(Debug)]
struct Front {
    services: Arc<Services>,
    admission: AdmissionSettings,
    warm: Mutex<Vec<(Environment, TheIngest)>>,
    started: AtomicU64,
    asked_again: AtomicU64,
}

impl Front {
    async fn take(&self, purchase: Purchase) {
        loop {
            let taken = lock(&self.warm).pop();
            let (environment, ingest) = taken.unwrap_or_else(|| {
                let number = (1 << 20) + self.started.fetch_add(1, Ordering::Relaxed);
                let environment = Environment::new(&self.services.place, number);
                let ports = Ports::new(&self.services, &environment);
                let admission = AdmissionControl::new(ports.clone(), admission::limit(), self.admission);
                let ingest = Ingest::new(wired(&ports, &environment), ports, Some(admission));
                (environment, ingest)
            });
            environment.draws_for(purchase.number);
            let answer = ingest.handle(request(&self.services.shop, purchase)).await;
            lock(&self.warm).push((environment, ingest));
            match answer.status_code {
                202 => return self.services.tell(purchase.number, told_seconds(&answer)),
                429 | 503 => {
                    self.asked_again.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(ASKS_AGAIN).await;
                }
                other => panic!("a payment of the sale was answered with {other}"),
            }
        }
    }
}

/// The wait that an answer tells.
fn told_seconds(answer: &ApiGatewayV2httpResponse) -> Option<u32> {
    #[derive(Deserialize)]
    struct Waits {
        estimated_wait_seconds: Option<u32>,
    }
    let Some(Body::Text(text)) = &answer.body else { return None };
    serde_json::from_str::<Waits>(text).ok()?.estimated_wait_seconds
}

fn request(shop: &Shop, purchase: Purchase) -> ApiGatewayV2httpRequest {
    let mut request = ApiGatewayV2httpRequest::default();
    request.raw_path = Some("/v1/payments".to_owned());
    request.request_context.http.method = Method::POST;
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let bearer = format!("Bearer {}", shop.sellers[purchase.merchant].key);
    request.headers.insert(AUTHORIZATION, HeaderValue::from_str(&bearer).expect("a key is plain text"));
    request.body = Some(Shop::body(purchase));
    request
}

/// A deployment: its queues and gate, what its gate's rate is, and its environments by lane.
#[derive(Clone, Debug)]
struct Deployment {
    services: Arc<Services>,
    rate_per_second: u32,
    environments: [(Lane, u64); 2],
}

/// The deployment of all merchants; where the whale has a quota, the one of the others and then the whale's.
fn deployments(settings: &Settings, services: &Arc<Services>, lane: queue::Numbers) -> Vec<Deployment> {
    let rate = settings.rate();
    let deployment = |services: Arc<Services>, rate_per_second: u32| {
        // As many for each call a second as the whole has.
        let share = |of: u64| (of * u64::from(rate_per_second)).div_ceil(u64::from(rate));
        let environments = [(Lane::High, share(settings.high)), (Lane::Standard, share(settings.standard))];
        Deployment { services, rate_per_second, environments }
    };
    match settings.quota() {
        None => vec![deployment(Arc::clone(services), rate)],
        Some(quota) => {
            let others = deployment(Arc::clone(services), rate.saturating_sub(quota).max(1));
            vec![others, deployment(services.another(lane), quota)]
        }
    }
}

fn start_mappings(settings: &Settings, deployment: &Deployment, place_of_first: u64) {
    let Deployment { services, rate_per_second, environments } = deployment;
    let batch = settings.scale.of(settings.batch);
    let calls_each = settings.scale.of(settings.calls_each);
    let limits = Limits { max_in_flight: u32::try_from(calls_each).expect("a batch is small"), gate: gate_settings() };
    let most = usize::try_from(batch).expect("a batch is small");
    for (lane, concurrency) in *environments {
        for index in 0..concurrency {
            let number = place_of_first + index + if lane == Lane::High { 1 << 16 } else { 0 };
            let environment = Environment::new(&services.place, number);
            let ports = Ports::new(services, &environment);
            let consumer: TheConsumer = Consumer::new(
                wired(&ports, &environment),
                ports.clone(),
                ports,
                limits,
                GateState::new("sandbox", *rate_per_second, MARGIN_MS),
            );
            tokio::spawn(mapping::run(Arc::clone(services), lane, index, most, async move |event| {
                let deadline = environment.now().plus_ms(FUNCTION_TIMEOUT_MS - GRACE_MS);
                let within = Duration::from_millis(FUNCTION_TIMEOUT_MS);
                tokio::time::timeout(within, consumer.handle(event, deadline)).await.ok()
            }));
        }
    }
}

/// Sends each payment to its merchant's deployment: the last is the whale's, if there is more than one.
async fn arrivals(fronts: Vec<Arc<Front>>) {
    let [first, ..] = &fronts[..] else { return };
    let (place, shop) = (Arc::clone(&first.services.place), Arc::clone(&first.services.shop));
    for number in 0..shop.payments() {
        place.until_us(shop.sent_at_us(number)).await;
        let purchase = shop.purchase(number);
        let is_whale = shop.sellers[purchase.merchant].size == Size::Whale;
        let front = if is_whale { fronts.last() } else { fronts.first() };
        let front = Arc::clone(front.expect("there is one"));
        tokio::spawn(async move { front.take(purchase).await });
    }
}

/// Plays it. Call it inside a runtime whose time is paused.
pub(super) async fn play(settings: &Settings) -> Course {
    let place = Place::new(settings.seed, settings.clock_skew_us);
    let shop = Arc::new(Shop::new(settings));
    let provider = Provider::new(settings.seed, settings.rate(), settings.trouble, shop.payments());
    let whole = |number: u64| usize::try_from(settings.scale.of(number)).expect("as many as fit in memory");
    let lane = queue::Numbers {
        visibility_us: VISIBILITY_US,
        receives_max: RECEIVES_MAX,
        in_flight_max: whole(queue::IN_FLIGHT_MAX),
        noisy_from: whole(queue::NOISY_FROM),
        is_fair: true,
    };
    let services = Services::new(settings.seed, &place, &shop, policy(), lane, provider);
    let deployments = deployments(settings, &services, lane);
    for (index, deployment) in (0_u64..).zip(&deployments) {
        start_mappings(settings, deployment, index << 17);
    }
    let front = |(index, deployment): (u64, &Deployment)| {
        Arc::new(Front {
            services: Arc::clone(&deployment.services),
            admission: admission::settings(deployment.environments),
            warm: Mutex::default(),
            started: AtomicU64::new(index << 22),
            asked_again: AtomicU64::new(0),
        })
    };
    tokio::spawn(arrivals((0_u64..).zip(&deployments).map(front).collect()));
    let mut samples = Samples::default();
    loop {
        let (mut depth, mut visible) = (0, 0);
        for lane in deployments.iter().flat_map(|deployment| &deployment.services.lanes) {
            let lane = lock(lane);
            depth += lane.depth();
            visible += lane.visible();
        }
        let elapsed_us = place.elapsed_us();
        samples.add(u64::from(shop.sent_by_us(elapsed_us)), depth, visible);
        let all_came = services.accepted_so_far() == u64::from(shop.payments());
        if (all_came && depth == 0) || elapsed_us > settings.at_most_ms * 1_000 {
            break;
        }
        place.until_us(elapsed_us + 1_000_000).await;
    }
    report(settings, &services, &deployments, samples)
}

fn report(settings: &Settings, services: &Services, deployments: &[Deployment], samples: Samples) -> Course {
    let lanes = || deployments.iter().flat_map(|deployment| &deployment.services.lanes);
    let books = services.books();
    let dead = |lane: &Mutex<queue::Lane>| lock(lane).dead.iter().map(|letter| letter.number).collect::<Vec<_>>();
    let came_of_it = CameOfIt {
        succeeded: books.succeeded,
        failed: books.ended - books.succeeded,
        parked: books.parked,
        attempts: books.attempts,
        dead: lanes().flat_map(dead).collect(),
    };
    let provider = lock(&services.provider);
    let mut course =
        Course::new(Way::Ours, settings, &services.shop, &provider, &services.waits(), samples, &came_of_it);
    let told = services.told();
    let of = |size| move |merchant: usize| services.shop.sellers[merchant].size == size;
    course.told_high = told.of(|_| true, Lane::High);
    for merchants in &mut course.merchants {
        merchants.told_standard = told.of(of(merchants.size), Lane::Standard);
    }
    course.gate_updates = deployments.iter().map(|deployment| *lock(&deployment.services.gate_updates)).sum();
    course.gate_reads = deployments.iter().map(|deployment| *lock(&deployment.services.gate_reads)).sum();
    course.most_in_flight = lanes().map(|lane| lock(lane).most_in_flight).max().unwrap_or(0);
    course.most_at_once = deployments.iter().map(|deployment| lock(&deployment.services.at_once).1).sum();
    let apart = deployments.iter().find_map(|it| Some((it.rate_per_second, it.services.calls_us.as_ref()?)));
    course.quota = apart.map(|(per_second, calls_us)| QuotaUse::of(per_second, &lock(calls_us)));
    course
}
