//! Judged from outside: Alipay's own library for Python verifies what we sign, signs what we have to read, and calls the
//! sandbox with its own client.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cloud::sandbox::{CallbackTarget, Faults, Running, SandboxSettings};
use payments::answer::{Found, QueryAnswer, SendAnswer};
use payments::payment::Order;
use payments::provider::ProviderKind;
use ports::Trace;
use providers::alipay::answer::Call;
use providers::callback::{Known, Received};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::super::support::read_request;
use super::{KEYS, NOW, charge, contract, id_of, of_sandbox, refund, reply, response};

/// Set where a missing library is no excuse.
const NO_SKIP_VARIABLE: &str = "SLUICE_NO_SKIP";

fn python() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/alipay/bin/python");
    if program.is_file() {
        return Some(program);
    }
    assert!(std::env::var_os(NO_SKIP_VARIABLE).is_none(), "there is no {}", program.display());
    // Past the harness, which shows nothing of a test that passes.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: Alipay's library is not installed; `.ci/tools.sh alipay` does that, with Python 3.11 or later"
    );
    None
}

fn asked_of_the_library(python: &Path, asked: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("provider/alipay/sdk.py");
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

/// A notice as the sandbox sends it.
async fn notice() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/events", listener.local_addr().expect("an address"));
    let honest = SandboxSettings::honest(SocketAddr::from(([127, 0, 0, 1], 0)), KEYS.sandbox.clone());
    let sandbox = Running::start(SandboxSettings {
        speaks: ProviderKind::Alipay,
        faults: Faults { callback: 1.0, ..Faults::default() },
        callback: Some(CallbackTarget::new(&url, "").expect("a target")),
        ..honest
    })
    .await
    .expect("a sandbox");
    let provider = providers::http::HttpProvider::new(providers::http::HttpSettings {
        kind: ProviderKind::Alipay,
        key: KEYS.provider.clone(),
        ..super::super::support::settings(&sandbox.base_url())
    })
    .expect("settings");
    super::super::support::send(&provider, &charge("1")).await;
    let (mut stream, _) = listener.accept().await.expect("a notice");
    let request = read_request(&mut stream).await.expect("a request");
    request.split_once("\r\n\r\n").expect("a body").1.to_owned()
}

fn known() -> Known {
    Known::new(ProviderKind::Alipay, &KEYS.callback, None).expect("keys")
}

#[tokio::test(flavor = "multi_thread")]
async fn alipays_own_library_agrees_in_both_directions() {
    let Some(python) = python() else { return };
    let (order, refund) = (Order { description: Some("茶 & Gebäck 100%".to_owned()), ..charge("1") }, refund("1"));
    let (id, refund_id) = (id_of(&order), id_of(&refund));
    let contract = contract();
    let written = [
        contract.send(&id, &order, NOW),
        contract.query(&id, &order, &Trace::default(), NOW),
        contract.send(&refund_id, &refund, NOW),
        contract.query(&refund_id, &refund, &Trace::default(), NOW),
    ];
    let mut requests: Vec<Value> = written
        .into_iter()
        .map(|written| {
            let written = written.expect("a request");
            let query = written.path.split_once('?').expect("a query").1.to_owned();
            json!({ "query": query, "body": String::from_utf8(written.body.to_vec()).expect("text") })
        })
        .collect();
    let mut changed = requests[0].clone();
    changed["body"] = changed["body"].as_str().unwrap().replace("19.99", "19.98").into();
    requests.push(changed);
    let responses = [
        response(Call::Pay, &order, "10000", "").to_string(),
        response(Call::Query, &order, "40004", "ACQ.TRADE_NOT_EXIST").to_string(),
    ];
    let sandbox_notice = notice().await;
    let honest = SandboxSettings::honest(SocketAddr::from(([127, 0, 0, 1], 0)), KEYS.sandbox.clone());
    let sandbox = Running::start(SandboxSettings { speaks: ProviderKind::Alipay, ..honest }).await.expect("a sandbox");
    let provider: Value = serde_json::from_str(&KEYS.provider).expect("JSON");
    let asked = json!({
        "requests": requests,
        "responses": responses,
        "notices": [&sandbox_notice, sandbox_notice.replace("TRADE_SUCCESS", "TRADE_CLOSED")],
        "notice": {
            "app_id": provider["app_id"], "seller_id": of_sandbox("seller_id"), "out_trade_no": id.as_str(),
            "trade_no": "2026013122001", "trade_status": "TRADE_SUCCESS", "total_amount": "19.99",
            "subject": "茶 & a=b+c", "body": "",
        },
        "app_id": provider["app_id"],
        "app_private_key": provider["private_key"],
        "app_public_key": of_sandbox("app_public_key"),
        "alipay_private_key": of_sandbox("alipay_private_key"),
        "alipay_public_key": provider["alipay_public_key"],
        "gateway": sandbox.base_url(),
        "pay": {
            "out_trade_no": "by_the_library_1", "total_amount": "8.80", "subject": "茶", "scene": "bar_code",
            "auth_code": "28763443825664394", "product_code": "FACE_TO_FACE_PAYMENT",
        },
        "query": { "out_trade_no": "by_the_library_1" },
    });
    let said = tokio::task::spawn_blocking(move || asked_of_the_library(&python, &asked)).await.expect("an answer");
    assert_eq!(said["requests"], json!([true, true, true, true, false]), "ours, and one that was changed");
    assert_eq!(said["notices"], json!([true, false]), "the sandbox's, and one that was changed");
    let signed = |call: Call, index: usize| {
        let sign = said["signatures"][index].as_str().expect("a signature");
        reply(200, format!(r#"{{"{}":{},"sign":"{sign}"}}"#, call.response(), responses[index]))
    };
    let answer = contract.send_answer(&id, &order, &signed(Call::Pay, 0));
    assert!(matches!(answer, SendAnswer::Found(Found::Approved { .. })), "{answer:?}");
    assert_eq!(contract.query_answer(&id, &order, &Trace::default(), &signed(Call::Query, 1)), QueryAnswer::NotFound);
    let body = said["signed_notice"].as_str().expect("a form");
    let callback = known().read(&Received { signature: None, body: body.as_bytes(), at: NOW });
    assert_eq!(callback.map(|callback| callback.payment_id().clone()), Ok(id));
    assert_eq!(
        (&said["calls"][0]["code"], &said["calls"][1]["trade_status"]),
        (&json!("10000"), &json!("TRADE_SUCCESS"))
    );
    assert_eq!(sandbox.ledger().len(), 1);
}
