use http::Method;
use serde_json::{Value, json};

use super::*;
use operator::client::{Base, Client};

fn event_of(request: http::request::Builder, body: &[u8]) -> Value {
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let event = event(&parts, body, "192.0.2.7:4242".parse().unwrap()).unwrap();
    serde_json::to_value(event).unwrap()
}

#[test]
fn a_request_becomes_the_documented_event() {
    let request = http::Request::builder()
        .method(Method::POST)
        .uri("/v1/payments?kind=charge&order_id=a%2Fb+c&order_id=2&flag")
        .header("Authorization", "Bearer x")
        .header("X-Twice", "1")
        .header("X-Twice", "2")
        .header("Cookie", "a=1; b=2")
        .header("User-Agent", "tester");
    let event = event_of(request, b"{\"a\": 1}");
    assert_eq!(event["version"], "2.0");
    assert_eq!(event["rawPath"], "/v1/payments");
    assert_eq!(event["rawQueryString"], "kind=charge&order_id=a%2Fb+c&order_id=2&flag");
    assert_eq!(event["queryStringParameters"], json!({"kind": "charge", "order_id": "a/b c,2", "flag": ""}));
    assert_eq!(event["headers"]["authorization"], "Bearer x");
    assert_eq!(event["headers"]["x-twice"], "1,2");
    assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
    assert_eq!(event["body"], "{\"a\": 1}");
    assert_eq!(event["isBase64Encoded"], false);
    let context = &event["requestContext"];
    assert_eq!(context["http"]["method"], "POST");
    assert_eq!(context["http"]["path"], "/v1/payments");
    assert_eq!(context["http"]["sourceIp"], "192.0.2.7");
    assert_eq!(context["http"]["userAgent"], "tester");
    assert_eq!(context["requestId"].as_str().unwrap().len(), 32);
    assert!(context["timeEpoch"].as_u64().unwrap() > 1_700_000_000_000);
}

#[test]
fn a_body_that_is_no_text_is_sent_in_base64() {
    let event = event_of(http::Request::builder().uri("/"), b"\xff\x00");
    assert_eq!(event["body"], "/wA=");
    assert_eq!(event["isBase64Encoded"], true);
    assert_eq!(event_of(http::Request::builder().uri("/"), b"").get("body"), None);
}

#[test]
fn escapes_that_are_none_stay_as_they_are() {
    let event = event_of(http::Request::builder().uri("/?a=%zz%4&b=%E2%82%AC"), b"");
    assert_eq!(event["queryStringParameters"], json!({"a": "%zz%4", "b": "€"}));
}

#[test]
fn the_path_is_decoded_once_and_the_query_stays_as_it_came() {
    let event = event_of(http::Request::builder().uri("/v1/a%2Fb%2520c+d?a=b%2Cc"), b"");
    assert_eq!(event["rawPath"], "/v1/a/b%20c+d");
    assert_eq!(event["requestContext"]["http"]["path"], "/v1/a/b%20c+d");
    assert_eq!(event["rawQueryString"], "a=b%2Cc");
}

#[tokio::test]
async fn an_answer_comes_back_with_its_cookies_and_decoded() {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = 202;
    response.headers.insert("x-one", HeaderValue::from_static("1"));
    response.cookies = vec!["a=1".to_owned(), "b=2".to_owned()];
    response.body = Some(EventBody::Text("/wA=".to_owned()));
    response.is_base64_encoded = true;
    let answer = into_http(response).unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.headers()["x-one"], "1");
    assert_eq!(answer.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().as_ref(), b"\xff\x00");
    assert!(into_http(ApiGatewayV2httpResponse::default()).is_none());
}

/// "Format 2.0 doesn't have multiValueHeaders"; and a JSON object has each name once.
#[test]
fn headers_of_format_1_are_not_read_and_a_header_has_one_value() {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = 200;
    response.multi_value_headers.insert("retry-after", HeaderValue::from_static("7"));
    response.headers.append("x-twice", HeaderValue::from_static("1"));
    response.headers.append("x-twice", HeaderValue::from_static("2"));
    let answer = into_http(response).unwrap();
    assert_eq!(answer.headers().get("retry-after"), None);
    assert_eq!(answer.headers().get_all("x-twice").iter().count(), 1);
}

#[tokio::test]
async fn what_goes_wrong_is_answered_as_api_gateway_does() {
    let front = Front::start("127.0.0.1:0".parse().unwrap(), |request| async move {
        assert_ne!(request.raw_path.as_deref(), Some("/panic"), "on purpose");
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = i64::from(request.body.is_some_and(|body| body == "hello")) + 200;
        response
    })
    .await
    .unwrap();
    let base = Base::parse(&format!("http://{}", front.address())).unwrap();
    let mut client = Client::new(base, Duration::from_secs(10));
    let request = |path: &str, body: Vec<u8>| {
        http::Request::post(path).body(http_body_util::Full::new(bytes::Bytes::from(body))).unwrap()
    };
    assert_eq!(client.send(request("/", b"hello".to_vec())).await.unwrap().status, 201);
    assert_eq!(client.get("/").await.unwrap().status, 200);
    assert_eq!(client.get("/panic").await.unwrap().status, 500);
    let full = client.send(request("/", vec![b'a'; BODY_BYTES_MAX])).await.unwrap();
    assert_eq!(full.status, 200);
    // The connection may be closed before a body that is too long was written.
    if let Ok(over) = client.send(request("/", vec![b'a'; BODY_BYTES_MAX + 1])).await {
        assert_eq!(over.status, 413);
        assert_eq!(over.body.as_ref(), br#"{"message":"Request Too Long"}"#);
    }
}
