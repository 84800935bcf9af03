//! What an answer means, whoever it is that gives it.

use payments::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use providers::contract::BODY_MAX_BYTES;

use super::support::{Raw, Then, http, id_of, order, provider, query, send};

async fn sent(answer: impl Into<Vec<u8>>) -> SendAnswer {
    let raw = Raw::answering(answer, Then::Closes).await;
    send(&provider(&raw.base_url), &order("1")).await
}

async fn asked(answer: impl Into<Vec<u8>>) -> QueryAnswer {
    let raw = Raw::answering(answer, Then::Closes).await;
    query(&provider(&raw.base_url), &order("1")).await
}

fn body(status: &str, more: &str) -> String {
    let id = id_of(&order("1"));
    format!(r#"{{"status":"{status}","payment_id":"{id}","amount":1999,"currency":"EUR"{more}}}"#)
}

fn approved() -> Found {
    Found::Approved { reference: ProviderText::new("r1") }
}

const APPROVED: &str = r#","reference":"r1""#;
const UNREADABLE: SendAnswer = SendAnswer::Unclear(Unclear::Unreadable);

#[tokio::test]
async fn each_status_with_its_own_body_is_taken_at_its_word() {
    let declined = || Found::Declined { code: ProviderText::new("no_funds") };
    let code = r#","code":"no_funds""#;
    assert_eq!(sent(http("200 OK", "", &body("approved", APPROVED))).await, SendAnswer::Found(approved()));
    let accepted = Found::Accepted { reference: None };
    assert_eq!(sent(http("202 Accepted", "", &body("accepted", ""))).await, SendAnswer::Found(accepted.clone()));
    for status in ["400 Bad Request", "402 Payment Required", "422 Unprocessable Content"] {
        assert_eq!(sent(http(status, "", &body("declined", code))).await, SendAnswer::Found(declined()), "{status}");
    }
    for (status, more, found) in
        [("approved", APPROVED, approved()), ("accepted", "", accepted), ("declined", code, declined())]
    {
        let answer = asked(http("200 OK", "", &body(status, more))).await;
        assert_eq!(answer, QueryAnswer::Found(found));
    }
}

#[tokio::test]
async fn a_status_that_does_not_fit_its_body_is_unreadable() {
    for (status, text) in [
        ("200 OK", body("accepted", APPROVED)),
        ("200 OK", body("declined", r#","code":"x""#)),
        ("202 Accepted", body("approved", APPROVED)),
        ("402 Payment Required", body("approved", APPROVED)),
        ("402 Payment Required", body("declined", "")),
        ("400 Bad Request", r#"{"error":"no"}"#.to_owned()),
        ("200 OK", body("approved", "")),
        ("200 OK", String::new()),
        ("200 OK", "<html>welcome</html>".to_owned()),
        ("201 Created", body("approved", APPROVED)),
        ("302 Found", body("approved", APPROVED)),
        ("404 Not Found", body("declined", r#","code":"x""#)),
        ("418 I'm a teapot", body("declined", r#","code":"x""#)),
    ] {
        assert_eq!(sent(http(status, "", &text)).await, UNREADABLE, "{status} {text}");
    }
}

#[tokio::test]
async fn an_answer_about_another_payment_amount_or_currency_is_unreadable() {
    let right = body("approved", APPROVED);
    let other_id = id_of(&order("2")).to_string();
    for wrong in [
        right.replace("1999", "2000"),
        right.replace("1999", "19.99"),
        right.replace("1999", "\"1999\""),
        right.replace("EUR", "USD"),
        right.replace("EUR", "eur"),
        right.replace(id_of(&order("1")).as_str(), &other_id),
        right.replace("\"amount\":1999", "\"amount\":1999,\"amount\":1999"),
    ] {
        assert_ne!(wrong, right);
        assert_eq!(sent(http("200 OK", "", &wrong)).await, UNREADABLE, "{wrong}");
        let answer = asked(http("200 OK", "", &wrong)).await;
        assert_eq!(answer, QueryAnswer::Unclear(Unclear::Unreadable), "{wrong}");
    }
}

#[tokio::test]
async fn a_wrong_404_never_proves_absence() {
    let id = id_of(&order("1"));
    let right = format!(r#"{{"status":"not_found","payment_id":"{id}"}}"#);
    assert_eq!(asked(http("404 Not Found", "", &right)).await, QueryAnswer::NotFound);
    for (status, wrong) in [
        ("404 Not Found", String::new()),
        ("404 Not Found", "<h1>404</h1>".to_owned()),
        ("404 Not Found", r#"{"status":"not_found"}"#.to_owned()),
        ("404 Not Found", r#"{"message":"no Route matched with those values"}"#.to_owned()),
        ("404 Not Found", format!(r#"{{"status":"error","payment_id":"{id}"}}"#)),
        ("404 Not Found", right.replace('}', r#","region":"eu"}"#)),
        ("404 Not Found", right.replace(id.as_str(), id_of(&order("2")).as_str())),
        ("404 Not Found", body("declined", r#","code":"x""#)),
        ("410 Gone", right.clone()),
        ("200 OK", right.clone()),
        ("400 Bad Request", right.clone()),
    ] {
        let answer = asked(http(status, "", &wrong)).await;
        assert_eq!(answer, QueryAnswer::Unclear(Unclear::Unreadable), "{status} {wrong}");
    }
    assert_eq!(sent(http("404 Not Found", "", &right)).await, UNREADABLE);
}

#[tokio::test]
async fn a_refused_query_is_never_a_refused_payment() {
    for status in ["400 Bad Request", "402 Payment Required", "422 Unprocessable Content"] {
        let answer = asked(http(status, "", &body("declined", r#","code":"x""#))).await;
        assert_eq!(answer, QueryAnswer::Unclear(Unclear::Unreadable), "{status}");
    }
}

#[tokio::test]
async fn errors_conflicts_and_credentials_go_by_the_status_alone() {
    for (status, expected) in [
        ("401 Unauthorized", SendAnswer::NotTaken(NotTaken::CredentialsRefused)),
        ("403 Forbidden", SendAnswer::NotTaken(NotTaken::CredentialsRefused)),
        ("409 Conflict", SendAnswer::Unclear(Unclear::Conflict)),
        ("500 Internal Server Error", SendAnswer::Unclear(Unclear::ProviderError)),
        ("502 Bad Gateway", SendAnswer::Unclear(Unclear::ProviderError)),
        ("503 Service Unavailable", SendAnswer::Unclear(Unclear::ProviderError)),
        ("504 Gateway Timeout", SendAnswer::Unclear(Unclear::ProviderError)),
        ("599 Whatever", SendAnswer::Unclear(Unclear::ProviderError)),
    ] {
        for text in ["", "<html>", &body("approved", APPROVED)] {
            let answer = http(status, "retry-after: 5\r\n", text);
            assert_eq!(sent(answer.clone()).await, expected, "{status}");
            let same = match &expected {
                SendAnswer::NotTaken(why) => QueryAnswer::NotTaken(*why),
                SendAnswer::Unclear(why) => QueryAnswer::Unclear(*why),
                SendAnswer::Found(_) => unreachable!("none of these finds anything"),
            };
            assert_eq!(asked(answer).await, same, "{status}");
        }
    }
}

#[tokio::test]
async fn a_429_says_how_long_to_wait_in_seconds_or_by_a_date() {
    for (headers, expected) in [
        ("", None),
        ("retry-after: 7\r\n", Some(7_000)),
        ("retry-after: 0\r\n", Some(0)),
        ("retry-after: soon\r\n", None),
        ("retry-after: -1\r\n", None),
        ("retry-after: 99999999999999999999999\r\n", Some(u64::MAX)),
        ("date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:50:07 GMT\r\n", Some(30_000)),
        ("date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:07 GMT\r\n", Some(0)),
        ("retry-after: Sun, 06 Nov 1994 08:50:07 GMT\r\n", None),
    ] {
        let limited = NotTaken::RateLimited { retry_after_ms: expected };
        let answer = http("429 Too Many Requests", headers, "slow down");
        assert_eq!(sent(answer.clone()).await, SendAnswer::NotTaken(limited), "{headers}");
        assert_eq!(asked(answer).await, QueryAnswer::NotTaken(limited), "{headers}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_unreadable() {
    for garbage in ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "\0\0\0\0\0\0\0\0\r\n\r\n"] {
        assert_eq!(sent(garbage).await, UNREADABLE, "{garbage:?}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_unreadable() {
    let padding = " ".repeat(BODY_MAX_BYTES);
    let text = format!("{}{padding}", body("approved", APPROVED));
    assert_eq!(sent(http("200 OK", "", &text)).await, UNREADABLE);
    let size = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    let chunked = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{size}");
    assert_eq!(sent(chunked).await, UNREADABLE);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_lost_connection() {
    let whole = http("200 OK", "", &body("approved", APPROVED));
    for cut in [0, 1, 20, whole.len() - 1] {
        let answer = sent(&whole.as_bytes()[..cut]).await;
        assert_eq!(answer, SendAnswer::Unclear(Unclear::ConnectionLost), "after {cut} bytes");
    }
}

#[tokio::test]
async fn a_reference_that_looks_like_a_card_number_is_not_kept() {
    let text = body("approved", r#","reference":"4111 1111 1111 1111""#);
    let reference = ProviderText::new("redacted");
    assert_eq!(sent(http("200 OK", "", &text)).await, SendAnswer::Found(Found::Approved { reference }));
}
