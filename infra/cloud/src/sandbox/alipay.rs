//! The sandbox speaks Alipay: its gateway as opendocs.alipay.com describes it, over the same book and the same faults. It is
//! written from those pages and shares nothing with the adapter but the library that computes RSA.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use bytes::Bytes;
use data_encoding::BASE64;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use payments::payment::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::Answer;
use super::book::{Arrival, Asked, Operation, Outcome};
use super::said::Said;
use super::server::{Dropped, State};

/// The gateway's path.
pub const PATH: &str = "/gateway.do";

/// Both sides' keys, drawn anew for each run.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// What the sandbox is told, in `SANDBOX_KEY`.
    pub sandbox: String,
    /// What the consumer is told, in `PROVIDER_KEY`.
    pub provider: String,
    /// What `ingest` is told, in `CALLBACK_KEY`.
    pub callback: String,
}

const APP_ID: &str = "2021000000000000";
const SELLER_ID: &str = "2088000000000000";

/// Draws both pairs of keys. An error is one line.
pub fn draw() -> Result<Drawn, String> {
    let cannot = |_| "RSA keys cannot be drawn".to_owned();
    let app = KeyPair::generate(KeySize::Rsa2048).map_err(cannot)?;
    let gateway = KeyPair::generate(KeySize::Rsa2048).map_err(cannot)?;
    let private = |pair: &KeyPair| {
        let der: Result<Pkcs8V1Der<'_>, _> = pair.as_der();
        der.map(|der| BASE64.encode(der.as_ref())).map_err(cannot)
    };
    let public = |pair: &KeyPair| {
        let der: Result<PublicKeyX509Der<'_>, _> = pair.public_key().as_der();
        der.map(|der| BASE64.encode(der.as_ref())).map_err(cannot)
    };
    let sandbox = json!({
        "app_id": APP_ID,
        "seller_id": SELLER_ID,
        "app_public_key": public(&app)?,
        "alipay_private_key": private(&gateway)?,
    });
    let provider = json!({ "app_id": APP_ID, "private_key": private(&app)?, "alipay_public_key": public(&gateway)? });
    let callback = json!({ "app_id": APP_ID, "seller_id": SELLER_ID, "alipay_public_key": public(&gateway)? });
    Ok(Drawn { sandbox: sandbox.to_string(), provider: provider.to_string(), callback: callback.to_string() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    app_id: String,
    seller_id: String,
    app_public_key: String,
    alipay_private_key: String,
}

/// The gateway's keys.
pub struct Gateway {
    app_id: String,
    seller_id: String,
    app_public_key: Vec<u8>,
    key: KeyPair,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Reads `SANDBOX_KEY`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let takes =
            "the sandbox's key must be a JSON object of app_id, seller_id, app_public_key and alipay_private_key";
        let secret: Secret = serde_json::from_str(text).map_err(|_| takes.to_owned())?;
        let decode = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| takes.to_owned());
        let key = KeyPair::from_pkcs8(&decode(&secret.alipay_private_key)?).map_err(|_| takes.to_owned())?;
        let app_public_key = decode(&secret.app_public_key)?;
        Ok(Self { app_id: secret.app_id, seller_id: secret.seller_id, app_public_key, key })
    }

    fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        // It fails for no text.
        let _ = self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        BASE64.encode(&signature)
    }

    /// Whether a request's `sign` is the application's, over everything else that is not empty, in the order of the names.
    fn knows(&self, parameters: &BTreeMap<String, String>) -> bool {
        let Some(sign) = parameters.get("sign").and_then(|sign| BASE64.decode(sign.as_bytes()).ok()) else {
            return false;
        };
        let signed = joined(parameters.iter().filter(|(name, value)| *name != "sign" && !value.is_empty()));
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.app_public_key);
        parameters.get("app_id") == Some(&self.app_id) && key.verify(signed.as_bytes(), &sign).is_ok()
    }

    /// The whole answer: the response as it stands, and the signature of exactly that text.
    fn answer(&self, method: &str, response: &Value, is_right: bool) -> Answer {
        let text = response.to_string();
        let sign = if is_right { self.sign(&text) } else { self.sign("another text") };
        let member = format!("{}_response", method.replace('.', "_"));
        let body = format!(r#"{{"{member}":{text},"sign":"{sign}"}}"#);
        let mut answer = Response::new(Full::new(Bytes::from(body)));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html;charset=utf-8"));
        answer
    }

    /// The form of a notice about a payment: `alipay.trade.pay`, "异步通知".
    pub(super) fn notice(&self, id: &str, asked: &Asked, outcome: Outcome, at: &str) -> Option<String> {
        let status = match (asked.kind, outcome) {
            (Kind::Charge, Outcome::Approved) => "TRADE_SUCCESS",
            (Kind::Charge, Outcome::Accepted) => "WAIT_BUYER_PAY",
            (Kind::Charge, Outcome::Declined(_)) => "TRADE_CLOSED",
            // A refund's notice is the trade's.
            (Kind::Refund | Kind::Payout, _) => return None,
        };
        let mut form: BTreeMap<String, String> = [
            ("notify_type", "trade_status_sync"),
            ("notify_id", &format!("n{id}{status}")),
            ("notify_time", at),
            ("charset", "utf-8"),
            ("version", "1.0"),
            ("app_id", &self.app_id),
            ("seller_id", &self.seller_id),
            ("out_trade_no", id),
            ("trade_no", &trade_no(id)),
            ("trade_status", status),
            ("total_amount", &yuan(asked.amount)),
            ("subject", "Tee & Gebäck, 茶"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        if outcome == Outcome::Approved {
            form.insert("gmt_payment".to_owned(), at.to_owned());
        }
        let sign = self.sign(&joined(form.iter()));
        form.extend([("sign".to_owned(), sign), ("sign_type".to_owned(), "RSA2".to_owned())]);
        Some(form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish())
    }
}

fn joined<'a>(parameters: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    parameters.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Alipay's own number for a trade: 28 digits that follow from ours.
fn trade_no(id: &str) -> String {
    let sum = |start: u64| id.bytes().fold(start, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("20260101{:020}", sum(7) % 10_000_000_000_000_000_000)
}

fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

fn fen(yuan: &str) -> Option<u64> {
    let (whole, places) = yuan.split_once('.')?;
    (places.len() == 2).then_some(())?;
    Some(whole.parse::<u64>().ok()? * 100 + places.parse::<u64>().ok()?)
}

/// `biz_content` of the four calls. A misspelt member should not go unnoticed.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Content {
    out_trade_no: String,
    out_request_no: Option<String>,
    total_amount: Option<String>,
    refund_amount: Option<String>,
    subject: Option<String>,
    product_code: Option<String>,
    timeout_express: Option<String>,
    scene: Option<String>,
    auth_code: Option<String>,
    agreement_params: Option<BTreeMap<String, String>>,
}

impl Content {
    /// The id under which the book has it.
    fn id(&self) -> &str {
        self.out_request_no.as_deref().unwrap_or(&self.out_trade_no)
    }

    /// What is asked for; `None` where something is missing that the page calls a must.
    fn asked(&self, method: &str) -> Option<Asked> {
        let (kind, amount) = match method {
            "alipay.trade.pay" => {
                let by_code = self.scene.as_deref() == Some("bar_code") && self.auth_code.is_some();
                let by_agreement = self.agreement_params.as_ref().is_some_and(|it| it.contains_key("agreement_no"));
                (by_code != by_agreement && self.subject.is_some() && self.product_code.is_some()).then_some(())?;
                (Kind::Charge, self.total_amount.as_deref()?)
            }
            _ => {
                self.out_request_no.as_ref()?;
                (Kind::Refund, self.refund_amount.as_deref()?)
            }
        };
        let text = serde_json::to_string(self).ok()?;
        let body_hash = text.bytes().fold(17, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Some(Asked { kind, amount: fen(amount)?, currency: "CNY", body_hash })
    }
}

/// Answers one request to the gateway.
pub(super) async fn answer(
    state: &Arc<State>,
    gateway: &Gateway,
    arrival: Arrival,
    query: &str,
    body: &[u8],
) -> Result<Answer, Dropped> {
    let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body));
    let parameters: BTreeMap<String, String> = pairs.map(|(name, value)| (name.into(), value.into())).collect();
    let given = |name: &str| parameters.get(name).map(String::as_str).unwrap_or_default();
    let method = given("method");
    let content: Option<Content> = serde_json::from_str(given("biz_content")).ok();
    let invalid = json!({ "code": "40002", "msg": "Invalid Arguments", "sub_code": "isv.invalid-parameter" });
    let Some(content) = content else { return Ok(gateway.answer(method, &invalid, true)) };
    let is_known = gateway.knows(&parameters)
        && given("sign_type") == "RSA2"
        && given("charset").eq_ignore_ascii_case("utf-8")
        && given("version") == "1.0"
        && given("timestamp").len() == 19;
    let operation = match method {
        "alipay.trade.pay" | "alipay.trade.refund" => Operation::Send,
        "alipay.trade.query" | "alipay.trade.fastpay.refund.query" => Operation::Query,
        _ => return Ok(gateway.answer(method, &invalid, true)),
    };
    let id = content.id().to_owned();
    let said = match state.admit(&id, operation, arrival, is_known) {
        Err(refusal) => refusal.into(),
        Ok(call) => match operation {
            Operation::Query => state.query(&id, call).await?,
            Operation::Send => {
                let charged = method == "alipay.trade.pay"
                    || matches!(state.book.find(&content.out_trade_no), Some((_, Outcome::Approved)));
                match content.asked(method).filter(|_| charged) {
                    Some(asked) => state.send(&id, call, asked).await?,
                    None => {
                        state.refuse(call);
                        let code = if charged { "ACQ.INVALID_PARAMETER" } else { "ACQ.TRADE_NOT_EXIST" };
                        let mut response = failed(code);
                        response["out_trade_no"] = content.out_trade_no.into();
                        return Ok(gateway.answer(method, &response, true));
                    }
                }
            }
        },
    };
    Ok(worded(gateway, method, &content, &said, true))
}

fn worded(gateway: &Gateway, method: &str, content: &Content, said: &Said, is_right: bool) -> Answer {
    let response = match (method, said) {
        (_, Said::WronglySigned(said)) => return worded(gateway, method, content, said, false),
        (_, Said::RateLimited | Said::Locked) => {
            json!({ "code": "40005", "msg": "Call Limited", "sub_code": "isv.app-call-limited" })
        }
        (_, Said::Unauthorized) => {
            json!({ "code": "40002", "msg": "Invalid Arguments", "sub_code": "isv.invalid-signature" })
        }
        (_, Said::Failed | Said::FailedAfter | Said::Busy) => {
            json!({ "code": "20000", "msg": "Service Currently Unavailable", "sub_code": "isp.unknow-error" })
        }
        ("alipay.trade.pay", said) => pay(content, said),
        ("alipay.trade.query", said) => trade(content, said),
        ("alipay.trade.refund", said) => refund(content, said),
        (_, said) => refunded(content, said),
    };
    gateway.answer(method, &response, is_right)
}

fn done(content: &Content) -> Value {
    json!({
        "code": "10000",
        "msg": "Success",
        "out_trade_no": content.out_trade_no,
        "trade_no": trade_no(&content.out_trade_no),
    })
}

fn failed(sub_code: &str) -> Value {
    json!({ "code": "40004", "msg": "Business Failed", "sub_code": sub_code })
}

fn failed_about(content: &Content, sub_code: &str) -> Value {
    let mut response = failed(sub_code);
    response["out_trade_no"] = content.out_trade_no.as_str().into();
    response
}

fn pay(content: &Content, said: &Said) -> Value {
    let with_amount = |asked: &Asked, more: u64| {
        let mut response = done(content);
        response["total_amount"] = yuan(asked.amount + more).into();
        response
    };
    let waiting = |mut response: Value| {
        response["code"] = "10003".into();
        response["msg"] = "order success pay inprocess".into();
        response
    };
    match said {
        Said::Told(asked, Outcome::Approved) => with_amount(asked, 0),
        Said::Altered(asked, Outcome::Approved) => with_amount(asked, 1),
        Said::Told(asked, Outcome::Accepted)
        | Said::Altered(asked, Outcome::Accepted)
        | Said::Stands(asked, Outcome::Accepted) => waiting(with_amount(asked, 0)),
        Said::Told(_, Outcome::Declined(code)) | Said::Altered(_, Outcome::Declined(code)) => failed_about(
            content,
            match *code {
                "insufficient_funds" => "ACQ.BUYER_BALANCE_NOT_ENOUGH",
                "limit_exceeded" => "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR",
                "expired_card" => "ACQ.PAYMENT_AUTH_CODE_INVALID",
                _ => "ACQ.PAYMENT_REQUEST_HAS_RISK",
            },
        ),
        Said::Stands(_, Outcome::Approved) => failed_about(content, "ACQ.TRADE_HAS_SUCCESS"),
        Said::Stands(_, Outcome::Declined(_)) => failed_about(content, "ACQ.TRADE_HAS_CLOSE"),
        _ => failed_about(content, "ACQ.CONTEXT_INCONSISTENT"),
    }
}

fn trade(content: &Content, said: &Said) -> Value {
    match said {
        Said::Told(asked, outcome) | Said::Stands(asked, outcome) | Said::Altered(asked, outcome) => {
            let mut response = done(content);
            response["total_amount"] = yuan(asked.amount).into();
            response["trade_status"] = match outcome {
                Outcome::Approved => "TRADE_SUCCESS",
                Outcome::Accepted => "WAIT_BUYER_PAY",
                Outcome::Declined(_) => "TRADE_CLOSED",
            }
            .into();
            if *outcome == Outcome::Approved {
                response["send_pay_date"] = "2026-01-01 00:00:00".into();
            }
            response
        }
        _ => failed_about(content, "ACQ.TRADE_NOT_EXIST"),
    }
}

fn refund(content: &Content, said: &Said) -> Value {
    let moved = |asked: &Asked, change: &str| {
        let mut response = done(content);
        response["fund_change"] = change.into();
        response["refund_fee"] = yuan(asked.amount).into();
        response
    };
    match said {
        Said::Told(asked, Outcome::Approved) => moved(asked, "Y"),
        Said::Altered(asked, _) | Said::Told(asked, Outcome::Accepted) | Said::Stands(asked, _) => moved(asked, "N"),
        Said::Told(_, Outcome::Declined("insufficient_funds")) => {
            failed_about(content, "ACQ.SELLER_BALANCE_NOT_ENOUGH")
        }
        Said::Told(_, Outcome::Declined(_)) => failed_about(content, "ACQ.TRADE_NOT_ALLOW_REFUND"),
        _ => failed_about(content, "ACQ.DISCORDANT_REPEAT_REQUEST"),
    }
}

/// 10000 says only that the query was answered.
fn refunded(content: &Content, said: &Said) -> Value {
    match said {
        Said::Told(asked, Outcome::Approved) => {
            let mut response = done(content);
            response["out_request_no"] = content.id().into();
            response["refund_amount"] = yuan(asked.amount).into();
            response["refund_status"] = "REFUND_SUCCESS".into();
            response
        }
        _ => json!({ "code": "10000", "msg": "Success" }),
    }
}

/// Where the gateway is, under the sandbox's address.
pub fn url(base_url: &str) -> String {
    format!("{base_url}{PATH}")
}

/// A status that no protocol of the sandbox's has a word for.
pub(super) fn bad_request() -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer
}
