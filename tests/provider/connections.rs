//! How connections are opened, kept and given up.

use std::io::ErrorKind;
use std::time::Duration;

use cloud::sandbox::Faults;
use payments::answer::{NotTaken, SendAnswer, Unclear};
use ports::{Connection, Provider};
use providers::contract::BODY_MAX_BYTES;
use providers::http::{HttpProvider, HttpSettings, SettingsError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use super::support::{
    KEY, Raw, Then, eventually, http, id_of, order, provider, query, read_request, sandbox, send, settings,
};

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base_url = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, base_url)
}

#[tokio::test]
async fn a_refused_connection_is_a_connect_error() {
    let (listener, base_url) = listener().await;
    drop(listener);
    let error = provider(&base_url).connect().await.expect_err("nobody listens");
    assert!(error.to_string().contains(base_url.trim_start_matches("http://")), "{error}");
}

#[tokio::test]
async fn a_failed_tls_handshake_is_a_connect_error() {
    let (listener, base_url) = listener().await;
    let provider = provider(&base_url.replace("http://", "https://"));
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("a stream");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("an answer");
        stream
    };
    let (connected, _stream) = tokio::join!(provider.connect(), server);
    let error = connected.expect_err("no TLS is spoken there");
    assert!(error.to_string().contains("TLS handshake"), "{error}");
}

#[tokio::test]
async fn connecting_ends_with_its_time_out() {
    // The socket is accepted by the kernel; the handshake is never answered.
    let (_listener, base_url) = listener().await;
    let base_url = base_url.replace("http://", "https://");
    let quick = HttpSettings { connect_timeout_ms: 100, ..settings(&base_url) };
    let provider = HttpProvider::new(quick).expect("settings");
    let begun = Instant::now();
    let error = provider.connect().await.expect_err("nobody shakes hands");
    assert!(error.to_string().contains("100 ms"), "{error}");
    // Long before any other time-out; a busy machine takes its time.
    assert!(begun.elapsed() < Duration::from_mins(1));
}

#[tokio::test]
async fn connecting_alone_writes_nothing() {
    let (listener, base_url) = listener().await;
    let connection = provider(&base_url).connect().await.expect("a connection");
    let (mut stream, _) = listener.accept().await.expect("a stream");
    let mut bytes = Vec::new();
    let waited = timeout(Duration::from_millis(50), stream.read_buf(&mut bytes)).await;
    assert!(waited.is_err(), "{waited:?}");
    // A call that is begun and never polled writes nothing either.
    let order = order("1");
    let id = id_of(&order);
    drop(connection.send(&id, &order));
    let ended = stream.read_to_end(&mut bytes).await;
    assert!(ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    assert_eq!(bytes, b"");
}

#[tokio::test]
async fn a_dropped_call_resets_its_connection() {
    let (listener, base_url) = listener().await;
    let provider = provider(&base_url);
    let order = order("1");
    // Given up once its request has come, however long that takes.
    let mut stream = tokio::select! {
        answer = send(&provider, &order) => panic!("nobody answers: {answer:?}"),
        stream = async {
            let (mut stream, _) = listener.accept().await.expect("a stream");
            assert!(read_request(&mut stream).await.is_some());
            stream
        } => stream,
    };
    let error = stream.read_u8().await.expect_err("the call was dropped");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    // Nor did it go back to the pool.
    let _second = provider.connect().await.expect("a connection");
    let waited = timeout(Duration::from_mins(1), listener.accept()).await;
    assert!(waited.is_ok(), "a new connection is opened");
}

#[tokio::test]
async fn what_a_dropped_call_had_not_written_is_never_written() {
    const LARGE: usize = 32 << 20;
    let (listener, base_url) = listener().await;
    let provider = provider(&base_url);
    // More than the kernel's buffers take: nobody reads until the call is given up.
    let mut order = order("1");
    order.description = Some("x".repeat(LARGE));
    let mut stream = tokio::select! {
        answer = send(&provider, &order) => panic!("nobody answers: {answer:?}"),
        stream = async {
            let (stream, _) = listener.accept().await.expect("a stream");
            sleep(Duration::from_millis(300)).await;
            stream
        } => stream,
    };
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes).await;
    assert!(ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    assert!(bytes.len() < LARGE, "{} bytes came", bytes.len());
}

#[tokio::test]
async fn a_connection_that_closes_before_the_request_took_nothing() {
    let (listener, base_url) = listener().await;
    let connection = provider(&base_url).connect().await.expect("a connection");
    drop(listener.accept().await.expect("a stream"));
    sleep(Duration::from_millis(50)).await;
    let order = order("1");
    let answer = connection.send(&id_of(&order), &order).await;
    assert_eq!(answer, SendAnswer::NotTaken(NotTaken::NotWritten));
}

#[tokio::test]
async fn a_connection_on_which_something_came_before_the_request_took_nothing() {
    for closes in [false, true] {
        let (listener, base_url) = listener().await;
        let connection = provider(&base_url).connect().await.expect("a connection");
        let (mut stream, _) = listener.accept().await.expect("a stream");
        let unasked = http("408 Request Timeout", "", "");
        stream.write_all(unasked.as_bytes()).await.expect("written");
        let _kept = (!closes).then_some(stream);
        sleep(Duration::from_millis(50)).await;
        let order = order("1");
        let id = id_of(&order);
        let answer = timeout(Duration::from_mins(1), connection.send(&id, &order)).await;
        assert_eq!(answer, Ok(SendAnswer::NotTaken(NotTaken::NotWritten)));
    }
}

#[tokio::test]
async fn a_pooled_connection_that_closes_once_it_is_taken_took_nothing() {
    let (listener, base_url) = listener().await;
    let provider = provider(&base_url);
    let order = order("1");
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("a stream");
        read_request(&mut stream).await.expect("a request");
        let answer = http("500 Internal Server Error", "", "");
        stream.write_all(answer.as_bytes()).await.expect("written");
        stream
    };
    let (_, stream) = tokio::join!(send(&provider, &order), server);
    let connection = provider.connect().await.expect("the pooled connection");
    drop(stream);
    sleep(Duration::from_millis(50)).await;
    let id = id_of(&order);
    let answer = timeout(Duration::from_mins(1), connection.send(&id, &order)).await;
    assert_eq!(answer, Ok(SendAnswer::NotTaken(NotTaken::NotWritten)));
}

#[tokio::test]
async fn a_connection_that_closes_after_the_request_is_lost() {
    let (listener, base_url) = listener().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a stream");
        read_request(&mut stream).await
    });
    let answer = send(&provider(&base_url), &order("1")).await;
    assert_eq!(answer, SendAnswer::Unclear(Unclear::ConnectionLost));
    let request = server.await.expect("the server").expect("a whole request");
    let id = id_of(&order("1"));
    assert!(request.starts_with("POST /v1/payments HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("\r\nidempotency-key: {id}\r\n")), "{request}");
    assert!(request.contains(&format!("\r\nauthorization: Bearer {KEY}\r\n")), "{request}");
    let (_, body) = request.split_once("\r\n\r\n").expect("a body");
    let expected = format!(
        r#"{{"payment_id":"{id}","kind":"charge","amount":1999,"currency":"EUR","merchant":"shop","order_id":"1","payment_method":"tok_1"}}"#
    );
    assert_eq!(body, expected);
}

#[tokio::test]
async fn one_connection_serves_calls_one_after_the_other() {
    let (sandbox, provider) = sandbox(Faults::default()).await;
    for number in 0..20 {
        let order = order(&number.to_string());
        assert!(matches!(send(&provider, &order).await, SendAnswer::Found(_)));
        query(&provider, &order).await;
    }
    assert_eq!(sandbox.connections(), 1);
    assert_eq!(sandbox.ledger().len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pool_keeps_no_more_than_its_size() {
    let (sandbox, _) = sandbox(Faults::default()).await;
    let small = HttpSettings { pool_size: 1, ..settings(&sandbox.base_url()) };
    let provider = HttpProvider::new(small).expect("settings");
    for round in 0..2_u64 {
        let mut connections = Vec::new();
        for _ in 0..4 {
            connections.push(provider.connect().await.expect("a connection"));
        }
        // Four at first; then three, beside the one that was kept.
        let expected = 4 + 3 * round;
        eventually("accepted", || sandbox.connections() >= expected).await;
        assert_eq!(sandbox.connections(), expected);
        for (number, connection) in connections.into_iter().enumerate() {
            let order = order(&format!("{round}-{number}"));
            connection.send(&id_of(&order), &order).await;
        }
    }
}

#[tokio::test]
async fn a_connection_that_was_idle_too_long_is_not_used() {
    let (sandbox, _) = sandbox(Faults::default()).await;
    let short = HttpSettings { idle_timeout_ms: 50, ..settings(&sandbox.base_url()) };
    let provider = HttpProvider::new(short).expect("settings");
    query(&provider, &order("1")).await;
    sleep(Duration::from_millis(80)).await;
    query(&provider, &order("1")).await;
    assert_eq!(sandbox.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_not_used() {
    let answer = http("500 Internal Server Error", "", "");
    let raw = Raw::answering(answer, Then::ClosesLater).await;
    let provider = provider(&raw.base_url);
    for round in 1..=3 {
        let answer = send(&provider, &order("1")).await;
        assert_eq!(answer, SendAnswer::Unclear(Unclear::ProviderError));
        sleep(Duration::from_millis(400)).await;
        assert_eq!(raw.accepted(), round);
    }
}

#[tokio::test]
async fn a_connection_on_which_something_came_unasked_is_not_used() {
    let twice = http("500 Internal Server Error", "", "").repeat(2);
    let raw = Raw::answering(twice, Then::Stays).await;
    let provider = provider(&raw.base_url);
    for round in 1..=3 {
        send(&provider, &order("1")).await;
        sleep(Duration::from_millis(200)).await;
        assert_eq!(raw.accepted(), round);
    }
}

/// However much of it has come: what is behind the part that was read may be taken for the next call's answer.
#[tokio::test]
async fn a_connection_with_an_answer_that_was_too_long_is_not_used() {
    let (raw, other) = (
        Raw::answering(http("500 Internal Server Error", "", &"x".repeat(BODY_MAX_BYTES + 1)), Then::Stays).await,
        Raw::answering(http("500 Internal Server Error", "", &"x".repeat(BODY_MAX_BYTES)), Then::Stays).await,
    );
    let (long, longest) = (provider(&raw.base_url), provider(&other.base_url));
    for round in 1..=3 {
        assert_eq!(send(&long, &order("1")).await, SendAnswer::Unclear(Unclear::ProviderError));
        assert_eq!(send(&longest, &order("1")).await, SendAnswer::Unclear(Unclear::ProviderError));
        assert_eq!((raw.accepted(), other.accepted()), (round, 1), "one byte more than is read, and none");
    }
}

#[test]
fn settings_that_cannot_work_are_refused_and_nothing_shows_the_key() {
    let refused =
        |base_url: &str| HttpProvider::new(settings(base_url)).map(drop).expect_err("settings that cannot work");
    assert_eq!(refused(""), SettingsError::BaseUrl);
    assert_eq!(refused("/v1"), SettingsError::BaseUrl);
    assert_eq!(refused("ftp://127.0.0.1"), SettingsError::Scheme);
    assert_eq!(refused("http://provider.example"), SettingsError::PlainHttp);
    assert_eq!(refused("http://127.0.0.1.provider.example"), SettingsError::PlainHttp);
    assert!(matches!(refused("http://u:p@127.0.0.1"), SettingsError::BaseUrlPart(_)));
    assert!(matches!(refused("http://127.0.0.1/?a=b"), SettingsError::BaseUrlPart(_)));
    assert!(matches!(refused("http://127.0.0.1/#a"), SettingsError::BaseUrlPart(_)));
    for base_url in ["http://127.0.0.1:1/", "http://[::1]:1/base", "http://LOCALHOST"] {
        let good = settings(base_url);
        assert!(!format!("{good:?}").contains(KEY));
        let provider = HttpProvider::new(good).expect("settings");
        assert!(!format!("{provider:?}").contains(KEY));
    }
    for key in ["", "two words", "line\r\nbreak", "schlüssel"] {
        let bad = HttpSettings { key: key.to_owned(), ..settings("http://127.0.0.1") };
        assert_eq!(HttpProvider::new(bad).map(drop), Err(SettingsError::Key));
    }
    let never = HttpSettings { connect_timeout_ms: 0, ..settings("http://127.0.0.1") };
    assert_eq!(HttpProvider::new(never).map(drop), Err(SettingsError::ConnectTimeout));
}
