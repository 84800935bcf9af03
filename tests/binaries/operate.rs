//! An operator's commands, through the real binary that has the keys of histories: no secret is where they run.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use aws::system::{SystemClock, SystemEntropy};
use cloud::runtime_api::Function;
use operator::account::Account;
use operator::evidence::write;
use operator::function::Function as Writer;
use operator::stack::Stack;
use payments::case::CaseResolution;
use payments::fingerprint::Fingerprint;
use payments::history::{HistoryKeys, verify};
use payments::id::PaymentId;
use payments::payment::{Payment, State};
use payments::policy::Policy;
use payments::transition::{Event, Step, transition};
use ports::Store;
use reconcile::operate::{End, Request, Said};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::deployment::{Deployment, Wiring};
use super::variables::HISTORY_KEYS;
use crate::contract::samples::{NOW, in_state, order, policy, reference, step};

const NAME: &str = "sluice-reconcile";

/// Lambda's `Invoke` as its API documents it: a POST whose body is the event and whose answer is the function's; 429 while no
/// environment is free, which is the first answer here.
async fn lambda(function: Function) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut nth = 0;
        while let Ok((stream, _)) = listener.accept().await {
            nth += 1;
            answer(stream, &function, nth == 1).await;
        }
    });
    url
}

async fn answer(stream: TcpStream, function: &Function, is_busy: bool) {
    let mut stream = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let begin = head.len();
        stream.read_line(&mut head).await.unwrap();
        let line = head[begin..].trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    assert!(head.starts_with(&format!("POST /2015-03-31/functions/{NAME}/invocations ")), "{head}");
    let signed = head.lines().any(|line| {
        line.starts_with("authorization: AWS4-HMAC-SHA256 Credential=embedded/")
            && line.contains("/lambda/aws4_request")
    });
    assert!(signed, "{head}");
    let (status, text) = if is_busy {
        ("429 Too Many Requests", "{}".to_owned())
    } else {
        let event: Value = serde_json::from_slice(&body).unwrap();
        ("200 OK", function.invoke(&event).await.unwrap().to_string())
    };
    let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}", text.len());
    stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
}

async fn account(deployment: &Deployment) -> Account {
    let url = lambda(deployment.reconcile.clone()).await;
    let config = deployment.embedded.config("command").into_builder().endpoint_url(url).build();
    Account {
        clients: deployment.watcher.clone(),
        payments_table: cloud::embedded::PAYMENTS_TABLE.to_owned(),
        merchants_table: cloud::embedded::MERCHANTS_TABLE.to_owned(),
        gates_table: cloud::embedded::GATES_TABLE.to_owned(),
        queues: deployment.queues.urls(),
        parked_url: deployment.queues.parked.clone(),
        writer: Writer::new(&config, NAME).unwrap(),
        stack: Stack::new("sluice", BTreeMap::new()),
        config,
        is_local: false,
    }
}

fn said() -> Said {
    Said { reference: "ticket-17".to_owned(), who: "anna".to_owned(), why: "as the console shows".to_owned() }
}

/// A parked payment whose history is linked under these keys.
fn parked_under(keys: &HistoryKeys) -> Payment {
    let policy = Policy { max_attempts: 0, history_keys: keys.clone(), ..policy() };
    let moment = ports::moment(&SystemClock, &SystemEntropy, &policy);
    let payment = Payment::accepted(order(), Fingerprint::of([("order_id", "A-1")]), &moment);
    match transition(&payment, &Event::DeadLettered, &moment) {
        Step::Change(parked) => *parked,
        Step::Keep(kept) => panic!("{kept:?}"),
    }
}

async fn stands(deployment: &Deployment, payment: &Payment) {
    deployment.store.put(payment).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_decides_is_written_and_linked_by_the_function_that_has_the_keys() {
    let deployment = Deployment::start(&Wiring::default()).await;
    let account = account(&deployment).await;
    let keys = HistoryKeys::parse(HISTORY_KEYS).unwrap();
    let parked = parked_under(&keys);
    stands(&deployment, &parked).await;
    let resolve =
        |payment_id: &PaymentId| Request::Resolve { payment_id: payment_id.clone(), end: End::Canceled, said: said() };
    let ended = write(&account, &resolve(&parked.id)).await.unwrap();
    assert_eq!(ended.state, State::Canceled);
    let last = ended.history.last().unwrap();
    assert!(last.provider_text.as_ref().unwrap().as_str().contains("by=anna"), "{last:?}");
    let checked = verify(&ended, &keys);
    assert!(last.tag.is_some() && checked.findings.is_empty(), "{:?}", checked.findings);
    let refused = write(&account, &resolve(&parked.id)).await.unwrap_err().to_string();
    assert!(refused.contains("it is canceled"), "an end is for ever: {refused}");
    let nobody = Request::TakeCase { payment_id: ended.id.clone(), who: "no body".to_owned() };
    assert!(write(&account, &nobody).await.unwrap_err().to_string().contains("the operator must consist of"));

    let approved = payments::answer::Found::Approved { reference: reference() };
    let case = step(&in_state(State::Declined), &Event::CalledBack(&approved), NOW);
    stands(&deployment, &case).await;
    let taken =
        write(&account, &Request::TakeCase { payment_id: case.id.clone(), who: "anna".to_owned() }).await.unwrap();
    assert_eq!(taken.case.unwrap().owner.unwrap().as_str(), "anna");
    let close = Request::CloseCase { payment_id: case.id.clone(), resolution: CaseResolution::Accept, said: said() };
    assert!(!write(&account, &close).await.unwrap().has_open_case());

    let again = in_state(State::Parked);
    stands(&deployment, &again).await;
    let replayed = write(&account, &Request::Replay { payment_id: again.id.clone() }).await.unwrap();
    assert!(!replayed.state.is_terminal() && replayed.state != State::Parked, "{:?}", replayed.state);
    assert_eq!(
        deployment.depth(&deployment.queues.high).await + deployment.depth(&deployment.queues.standard).await,
        1
    );
    deployment.assert_permitted();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_neither_the_schedules_nor_an_operators_does_nothing() {
    let deployment = Deployment::start(&Wiring::default()).await;
    let parked = in_state(State::Parked);
    stands(&deployment, &parked).await;
    let id = parked.id.as_str();
    let said = json!({ "reference": "ticket-17", "who": "anna", "why": "as it is" });
    let resolve = json!({ "payment_id": id, "end": "canceled", "said": said });
    for (event, why) in [
        (json!({}), "neither the schedule's nor an operator's"),
        (json!({ "source": "aws.s3" }), "neither the schedule's nor an operator's"),
        (json!([1]), "it is no event"),
        (json!({ "operate": { "forget": { "payment_id": id } } }), "unknown variant `forget`"),
        (json!({ "operate": { "replay": { "payment_id": id, "at_once": true } } }), "unknown field `at_once`"),
        (json!({ "operate": { "resolve": resolve.clone(), "replay": { "payment_id": id } } }), "cannot be read"),
        (json!({ "source": "aws.scheduler", "operate": { "resolve": resolve } }), "a source and an operation"),
    ] {
        let answer = deployment.reconcile.invoke(&event).await.unwrap();
        assert!(answer["refused"]["why"].as_str().unwrap_or_default().contains(why), "{event}: {answer}");
    }
    assert_eq!(deployment.payment(id).await.state, State::Parked);
    assert!(deployment.calls_of("reconcile").is_empty(), "{:?}", deployment.calls_of("reconcile"));
}
