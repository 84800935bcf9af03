//! What the provider is sent, to the letter: every kind and every optional field, and the request that carries it.

use payments::id::{OrderId, PaymentId};
use payments::money::{Currency, Money};
use payments::payment::{Kind, Lane, Order, RefundOf};
use payments::time::Timestamp;
use ports::{Connection, Provider, Trace};
use providers::open::contract::send_body;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::support::{KEY, id_of, order, provider};

/// An order of a kind with everything that an order can have; what the provider is not told has a mark in it.
fn full(kind: Kind) -> Order {
    let charge = PaymentId::derive(&order("A-1").merchant, Kind::Charge, &OrderId::new("A-1").unwrap());
    Order {
        kind,
        money: Money::new(70_003, Currency::new("JPY").unwrap()).unwrap(),
        payment_method: Some("the method".to_owned()),
        customer: Some("the customer".to_owned()),
        description: Some("the description, \u{201e}ü\u{201c}".to_owned()),
        metadata: [("basket".to_owned(), "b-17".to_owned())].into(),
        lane: Lane::High,
        expires_at: Some(Timestamp::from_ms(1_764_000_000_000)),
        refund_of: match kind {
            Kind::Refund => Some(RefundOf::Charge {
                payment_id: charge,
                order_id: OrderId::new("unsaid-order").unwrap(),
                reference: None,
            }),
            Kind::Charge | Kind::Payout => None,
        },
        idempotency_key: Some("unsaid-idempotency".to_owned()),
        ..order("R-17")
    }
}

type Take = fn(&mut Order);

fn said(order: &Order) -> Value {
    serde_json::from_slice(&send_body(&id_of(order), order).unwrap()).unwrap()
}

#[test]
fn a_send_says_each_field_of_its_order_and_no_other() {
    for &kind in Kind::ALL {
        let order = full(kind);
        let mut expected = json!({
            "payment_id": id_of(&order).as_str(),
            "kind": match kind { Kind::Charge => "charge", Kind::Refund => "refund", Kind::Payout => "payout" },
            "amount": 70_003,
            "currency": "JPY",
            "merchant": "shop",
            "order_id": "R-17",
            "payment_method": "the method",
            "customer": "the customer",
            "description": "the description, „ü“",
            "metadata": { "basket": "b-17" },
        });
        if kind == Kind::Refund {
            let charge = PaymentId::derive(&order.merchant, Kind::Charge, &OrderId::new("A-1").unwrap());
            expected["refund_of_payment_id"] = json!(charge.as_str());
        }
        assert_eq!(said(&order), expected, "{kind:?}");
        // Without each of the optional ones, just that is left out.
        let without: [(&str, Take); 4] = [
            ("payment_method", |order| order.payment_method = None),
            ("customer", |order| order.customer = None),
            ("description", |order| order.description = None),
            ("metadata", |order| order.metadata.clear()),
        ];
        for (field, take) in without {
            let (mut order, mut expected) = (order.clone(), expected.clone());
            take(&mut order);
            expected.as_object_mut().unwrap().remove(field);
            assert_eq!(said(&order), expected, "{kind:?} without {field}");
        }
    }
    let unlinked = Order { refund_of: Some(RefundOf::Unlinked), ..full(Kind::Refund) };
    assert_eq!(said(&unlinked).get("refund_of_payment_id"), None);
}

/// Reads one request and answers it with a 500; what was read.
async fn heard(listener: TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut text = Vec::new();
    loop {
        let mut buffer = [0; 4_096];
        let read = stream.read(&mut buffer).await.unwrap();
        text.extend_from_slice(&buffer[..read]);
        let whole = String::from_utf8(text.clone()).unwrap();
        if let Some((head, body)) = whole.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                stream.write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                return whole;
            }
        }
        assert!(read > 0, "the request ended early");
    }
}

fn head_of(request: &str) -> (String, Vec<String>, String) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines().map(str::to_owned);
    let first = lines.next().unwrap();
    let mut headers: Vec<String> = lines.collect();
    headers.sort();
    (first, headers, body.to_owned())
}

#[tokio::test]
async fn a_send_and_a_query_are_these_requests_and_carry_the_payments_id_as_their_key() {
    for &kind in Kind::ALL {
        let order = full(kind);
        let id = id_of(&order);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(heard(listener));
        let provider = provider(&format!("http://{address}/root/"));
        provider.connect().await.unwrap().send(&id, &order).await;
        let (first, headers, body) = head_of(&server.await.unwrap());
        assert_eq!(first, "POST /root/v1/payments HTTP/1.1");
        let agent = concat!("user-agent: sluice/", env!("CARGO_PKG_VERSION"));
        let expected = [
            "accept: application/json".to_owned(),
            format!("authorization: Bearer {KEY}"),
            format!("content-length: {}", body.len()),
            "content-type: application/json".to_owned(),
            format!("host: {address}"),
            format!("idempotency-key: {id}"),
            agent.to_owned(),
        ];
        assert_eq!(headers, expected);
        assert_eq!(body.as_bytes(), &send_body(&id, &order).unwrap()[..]);

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(heard(listener));
        let provider = super::support::provider(&format!("http://{address}"));
        provider.connect().await.unwrap().query(&id, &order, &Trace::default()).await;
        let (first, headers, body) = head_of(&server.await.unwrap());
        assert_eq!(first, format!("GET /v1/payments/{id} HTTP/1.1"));
        let expected = [
            "accept: application/json".to_owned(),
            format!("authorization: Bearer {KEY}"),
            format!("host: {address}"),
            agent.to_owned(),
        ];
        assert_eq!(headers, expected);
        assert_eq!(body, "");
    }
}
