"""Alipay's own library judges what we sign, and signs what we have to read. Speaks JSON: one document in, one out."""

import base64
import json
import sys
import urllib.parse
import urllib.request

import alipay.aop.api.DefaultAlipayClient as client_module
from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.request.AlipayTradePayRequest import AlipayTradePayRequest
from alipay.aop.api.request.AlipayTradeQueryRequest import AlipayTradeQueryRequest
from alipay.aop.api.util.SignatureUtils import get_sign_content, sign_with_rsa2, verify_with_rsa
from Crypto.PublicKey import RSA


def pkcs1(base64_pkcs8):
    """The library signs with PKCS #1 only."""
    key = RSA.import_key(base64.b64decode(base64_pkcs8))
    return base64.b64encode(key.export_key(format="DER", pkcs=1)).decode()


def verifies(public_key, parameters):
    sign = parameters.pop("sign")
    try:
        return verify_with_rsa(public_key, get_sign_content(parameters).encode("utf-8"), sign)
    except Exception:
        return False


def form(text):
    return dict(urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=True))


def notified(public_key, text):
    """As Alipay's documents have it: without sign and sign_type."""
    parameters = form(text)
    parameters.pop("sign_type")
    return verifies(public_key, parameters)


def post(url, query_string, headers, params, charset, timeout):
    """The library's own sender knows no port: `url += url_parse_result.port` adds a number to a text."""
    body = urllib.parse.urlencode(params, encoding=charset).encode()
    with urllib.request.urlopen(url + "?" + query_string, body, timeout) as answer:
        return answer.read()


def calls(asked):
    """The library's own client, which signs its requests and verifies the answers."""
    client_module.do_post = post
    config = AlipayClientConfig()
    config.server_url = asked["gateway"]
    config.app_id = asked["app_id"]
    config.app_private_key = pkcs1(asked["app_private_key"])
    config.alipay_public_key = asked["alipay_public_key"]
    config.sign_type = "RSA2"
    client = DefaultAlipayClient(alipay_client_config=config)
    answers = []
    for request_class, content in ((AlipayTradePayRequest, asked["pay"]), (AlipayTradeQueryRequest, asked["query"])):
        request = request_class()
        request.biz_content = content
        answers.append(json.loads(client.execute(request)))
    return answers


def main():
    asked = json.load(sys.stdin)
    alipay_key = pkcs1(asked["alipay_private_key"])
    notice = asked["notice"]
    signed_notice = dict(notice, sign=sign_with_rsa2(alipay_key, get_sign_content(notice), "utf-8"), sign_type="RSA2")
    json.dump(
        {
            "requests": [verifies(asked["app_public_key"], {**form(r["query"]), **form(r["body"])}) for r in asked["requests"]],
            "notices": [notified(asked["alipay_public_key"], text) for text in asked["notices"]],
            "signatures": [sign_with_rsa2(alipay_key, text, "utf-8") for text in asked["responses"]],
            "signed_notice": urllib.parse.urlencode(signed_notice),
            "calls": calls(asked),
        },
        sys.stdout,
    )


main()
