//! Judged from outside: Stripe's own library for Python reads the sandbox's events, signs one for us, writes the same form as we do and
//! calls the sandbox with its own client; localstripe, a provider by other people, answers what we write.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cloud::sandbox::{CallbackTarget, Faults, Running, SandboxSettings};
use payments::answer::{Found, ProviderText, QueryAnswer, SendAnswer};
use payments::payment::Order;
use payments::provider::ProviderKind;
use ports::Trace;
use providers::callback::{Known, Received};
use providers::contract::Written;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::super::alipay::reply;
use super::super::support::{self, read_request, send};
use super::{KEYS, NOW, charge, contract, id_of, intent, pairs, refund_of};

/// Set where a missing library is no excuse.
const NO_SKIP_VARIABLE: &str = "SLUICE_NO_SKIP";

fn python() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/stripe/bin/python");
    if program.is_file() {
        return Some(program);
    }
    assert!(std::env::var_os(NO_SKIP_VARIABLE).is_none(), "there is no {}", program.display());
    // Past the harness, which shows nothing of a test that passes.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: Stripe's library is not installed; `.ci/tools.sh stripe` does that, with Python 3.11 or later"
    );
    None
}

fn asked_of(python: &Path, script: &str, asked: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("provider/stripe").join(script);
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python starts");
    child.stdin.take().expect("an input").write_all(asked.to_string().as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// An event as the sandbox sends it: its signature and its body.
async fn event() -> (String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/events", listener.local_addr().expect("an address"));
    let honest = SandboxSettings::honest(SocketAddr::from(([127, 0, 0, 1], 0)), KEYS.sandbox.clone());
    let sandbox = Running::start(SandboxSettings {
        speaks: ProviderKind::Stripe,
        faults: Faults { callback: 1.0, ..Faults::default() },
        callback: Some(CallbackTarget::new(&url, KEYS.signing_secret.clone()).expect("a target")),
        ..honest
    })
    .await
    .expect("a sandbox");
    let provider = providers::http::HttpProvider::new(providers::http::HttpSettings {
        kind: ProviderKind::Stripe,
        key: KEYS.provider.clone(),
        ..support::settings(&sandbox.base_url())
    })
    .expect("settings");
    send(&provider, &charge("1")).await;
    let (mut stream, _) = listener.accept().await.expect("an event");
    let request = read_request(&mut stream).await.expect("a request");
    let (head, body) = request.split_once("\r\n\r\n").expect("a body");
    let signature = head.lines().find_map(|line| line.strip_prefix("stripe-signature: ")).expect("a signature");
    (signature.to_owned(), body.to_owned())
}

/// A form as the nested object that the library takes.
fn nested(form: &[u8]) -> Value {
    let mut object = json!({});
    for (name, value) in pairs(form) {
        let typed = match value.as_str() {
            "true" => json!(true),
            text => text.parse::<u64>().ok().filter(|_| name == "amount").map_or(json!(text), |amount| json!(amount)),
        };
        match name.split_once('[') {
            Some((outer, inner)) => object[outer][inner.trim_end_matches(']')] = typed,
            None => object[&name] = typed,
        }
    }
    object
}

#[tokio::test(flavor = "multi_thread")]
async fn stripes_own_library_agrees_in_both_directions() {
    let Some(python) = python() else { return };
    let order = Order {
        description: Some("茶 & Gebäck 100%".to_owned()),
        metadata: [("basket".to_owned(), "b=17&c".to_owned())].into(),
        ..charge("1")
    };
    let (id, contract) = (id_of(&order), contract());
    let back = refund_of("1", Some("pi_3MtwBwLkdIwHu7ix28a3tqPa"));
    let written = contract.send(&id, &order, NOW).expect("a request");
    let refunded = contract.send(&id_of(&back), &back, NOW).expect("a request");
    let (signature, body) = event().await;
    let ours = json!({
        "id": "evt_1", "object": "event", "type": "payment_intent.succeeded",
        "data": { "object": intent(&order, "succeeded") },
    })
    .to_string();
    let honest = SandboxSettings::honest(SocketAddr::from(([127, 0, 0, 1], 0)), KEYS.sandbox.clone());
    let sandbox = Running::start(SandboxSettings { speaks: ProviderKind::Stripe, ..honest }).await.expect("a sandbox");
    let asked = json!({
        "events": [
            { "body": body, "signature": signature },
            { "body": body.replace("1999", "1998"), "signature": signature },
        ],
        "signing_secret": KEYS.signing_secret,
        "event": ours,
        "at": NOW.seconds(),
        "encoded": [nested(&written.body), nested(&refunded.body)],
        "sandbox": sandbox.base_url(),
        "key": KEYS.sandbox,
        "params": nested(&written.body),
        "idempotency_key": id.as_str(),
    });
    let said = tokio::task::spawn_blocking(move || asked_of(&python, "sdk.py", &asked)).await.expect("an answer");
    // The sandbox's event, and one that was changed.
    let read =
        json!({ "type": "payment_intent.succeeded", "object": "payment_intent", "id": id_of(&charge("1")).as_str() });
    assert_eq!(said["events"], json!([read, "not believed"]));
    // The library's signature of an event that we read.
    let known = Known::new(ProviderKind::Stripe, &KEYS.callback, None).expect("keys");
    let signature = said["signature"].as_str().expect("a signature");
    let callback = known.read(&Received { signature: Some(signature), body: ours.as_bytes(), at: NOW });
    assert_eq!(callback.map(|callback| callback.payment_id().clone()), Ok(id.clone()));
    // The same pairs, however they are ordered.
    for (index, form) in [&written.body, &refunded.body].into_iter().enumerate() {
        let mut theirs: Vec<(String, String)> = serde_json::from_value(said["encoded"][index].clone()).expect("pairs");
        let mut our_pairs = pairs(form);
        theirs.sort();
        our_pairs.sort();
        assert_eq!(our_pairs, theirs);
    }
    // The library's own client at the sandbox, under our own form; and its intent as our contract reads it.
    let calls = &said["calls"];
    assert_eq!(calls["statuses"], json!(["succeeded", "succeeded", "succeeded"]));
    assert_eq!((&calls["is_the_same"], &calls["refunds"]), (&json!(true), &json!([true])));
    let errors = json!([
        ["IdempotencyError", null],
        ["InvalidRequestError", "resource_missing"],
        ["InvalidRequestError", "resource_missing"],
        ["AuthenticationError", null],
    ]);
    assert_eq!(calls["errors"], errors);
    let answer = contract.send_answer(&id, &order, &reply(200, calls["intent"].to_string()));
    assert!(matches!(answer, SendAnswer::Found(Found::Approved { .. })), "{answer:?}");
    let amounts: Vec<u64> = sandbox.ledger().iter().map(|effect| effect.amount).collect();
    assert_eq!(amounts, [1_999, 500]);
}

fn as_json(written: &Written) -> Value {
    let headers: serde_json::Map<String, Value> =
        written.headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().expect("text")))).collect();
    json!({
        "method": written.method.as_str(),
        "path": written.path,
        "headers": headers,
        "body": String::from_utf8(written.body.to_vec()).expect("text"),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn localstripe_is_spoken_to_and_understood() {
    let Some(python) = python() else { return };
    let with = |number: &str, method: &str| Order {
        customer: Some("cus_PLACEHOLDER".to_owned()),
        payment_method: Some(method.to_owned()),
        ..charge(number)
    };
    let (good, bad, never) = (with("1", "pm_GOOD"), with("2", "pm_BAD"), with("3", "pm_GOOD"));
    let back = refund_of("1", Some("pi_PLACEHOLDER"));
    // It knows no `created`: the list is asked for as after a restore.
    let (lost, known) =
        (Trace::default(), Trace { first_sent_at: None, provider_text: Some(ProviderText::new("pi_PLACEHOLDER")) });
    let contract = contract();
    let sends = |order: &Order| contract.send(&id_of(order), order, NOW).expect("a request");
    let asks = |order: &Order, trace: &Trace| contract.query(&id_of(order), order, trace, NOW).expect("a request");
    let requests = [
        sends(&good),
        sends(&bad),
        asks(&good, &known),
        asks(&good, &lost),
        asks(&bad, &lost),
        asks(&never, &lost),
        asks(&back, &lost),
        sends(&back),
        asks(&back, &lost),
    ];
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let asked = json!({
        "port": port,
        "key": KEYS.sandbox,
        "requests": requests.iter().map(as_json).collect::<Vec<_>>(),
    });
    let said =
        tokio::task::spawn_blocking(move || asked_of(&python, "localstripe.py", &asked)).await.expect("an answer");
    let told = |index: usize| {
        let told = &said["replies"][index];
        reply(
            told["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status"),
            told["body"].as_str().expect("a body"),
        )
    };
    let sent = |order: &Order, index: usize| contract.send_answer(&id_of(order), order, &told(index));
    let found =
        |order: &Order, trace: &Trace, index: usize| contract.query_answer(&id_of(order), order, trace, &told(index));
    let approved = Found::Approved { reference: ProviderText::new("pi_PLACEHOLDER") };
    assert_eq!(sent(&good, 0), SendAnswer::Found(approved.clone()), "{said}");
    let declined = Found::Declined { code: ProviderText::new("card_declined") };
    assert_eq!(sent(&bad, 1), SendAnswer::Found(declined.clone()), "{said}");
    assert_eq!(found(&good, &known, 2), QueryAnswer::Found(approved.clone()));
    assert_eq!(found(&good, &lost, 3), QueryAnswer::Found(approved));
    assert_eq!(found(&bad, &lost, 4), QueryAnswer::Found(declined), "{said}");
    assert_eq!(found(&never, &lost, 5), QueryAnswer::NotFound);
    assert_eq!(found(&back, &lost, 6), QueryAnswer::NotFound);
    assert!(matches!(sent(&back, 7), SendAnswer::Found(Found::Approved { .. })), "{said}");
    assert!(matches!(found(&back, &lost, 8), QueryAnswer::Found(Found::Approved { .. })), "{said}");
}
