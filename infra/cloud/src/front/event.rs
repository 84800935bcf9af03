//! A request as the event of payload format 2.0. Pure but for the clock and the request's id.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use data_encoding::BASE64;
use http::request::Parts;
use http::{HeaderMap, header};
use payments::time::Timestamp;
use serde_json::{Value, json};

/// The event for a request from `peer`; `None` when it cannot be one.
pub fn event(parts: &Parts, body: &[u8], peer: SocketAddr) -> Option<ApiGatewayV2httpRequest> {
    // An HTTP API decodes the path, once, in `rawPath` too, and leaves `rawQueryString` as it came: as seen in events of
    // real APIs (fastify/aws-lambda-fastify issue 169, honojs/hono issue 2156). No page of AWS's says so.
    let path = decoded(parts.uri.path());
    let query = parts.uri.query().unwrap_or_default();
    let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let now = Timestamp::from_us(u64::try_from(since_epoch.as_micros()).ok()?);
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined_headers(&parts.headers),
        "queryStringParameters": joined_parameters(query),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": peer.ip().to_string(),
                "userAgent": text(&parts.headers, header::USER_AGENT.as_str()),
            },
            "requestId": format!("{:032x}", fastrand::u128(..)),
            "routeKey": "$default",
            "stage": "$default",
            "time": now.to_string(),
            "timeEpoch": now.ms(),
        },
        "isBase64Encoded": false,
    });
    // "Format 2.0 includes a new cookies field": all cookies as a list, beside the header.
    let cookies: Vec<String> = parts
        .headers
        .get_all(header::COOKIE)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .flat_map(|value| value.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>())
        .collect();
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    match std::str::from_utf8(body) {
        Ok("") => {}
        Ok(body) => event["body"] = json!(body),
        Err(_) => {
            event["body"] = json!(BASE64.encode(body));
            event["isBase64Encoded"] = json!(true);
        }
    }
    // What is sent to Lambda is JSON; reading it back is what its runtime does.
    serde_json::from_value(event).ok()
}

/// "Duplicate headers are combined with commas." Names are in lower case.
fn joined_headers(headers: &HeaderMap) -> BTreeMap<&str, String> {
    headers.keys().map(|name| (name.as_str(), text(headers, name.as_str()))).collect()
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let values: Vec<_> = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(",")
}

/// "Duplicate query strings are combined with commas." Names and values are decoded.
fn joined_parameters(query: &str) -> Value {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        joined
            .entry(name.into_owned())
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    json!(joined)
}

/// Percent decoding; what is not a valid escape stays as it is.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
