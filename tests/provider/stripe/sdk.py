"""Stripe's own library judges what we write and read. Speaks JSON: one document in, one out."""

import json
import sys
import urllib.parse

import stripe
from stripe._encode import _api_encode


def signed(asked):
    """The library reads the sandbox's events, and signs one that we have to read."""
    told = []
    for event in asked["events"]:
        try:
            read = stripe.Webhook.construct_event(event["body"], event["signature"], asked["signing_secret"])
            told.append({"type": read.type, "object": read.data.object.object, "id": read.data.object.metadata["sluice_payment_id"]})
        except stripe.SignatureVerificationError:
            told.append("not believed")
    signature = stripe.WebhookSignature.generate_signature_header(asked["event"], asked["signing_secret"], asked["at"])
    return told, signature


def called(asked):
    """The library calls the sandbox with its own client."""
    client = stripe.StripeClient(asked["key"], base_addresses={"api": asked["sandbox"]}, max_network_retries=0)
    params, options = asked["params"], {"idempotency_key": asked["idempotency_key"]}
    made = client.v1.payment_intents.create(params, options)
    again = client.v1.payment_intents.create(params, options)
    found = client.v1.payment_intents.retrieve(made.id)
    listed = client.v1.payment_intents.list({"customer": params["customer"], "limit": 1})
    refund = client.v1.refunds.create({"payment_intent": made.id, "amount": 500}, {"idempotency_key": "by_the_library_2"})
    refunds = client.v1.refunds.list({"payment_intent": made.id})
    errors = []
    for change, key in (({"amount": params["amount"] + 1}, asked["idempotency_key"]), ({"customer": "4711"}, "by_the_library_3")):
        try:
            client.v1.payment_intents.create({**params, **change}, {"idempotency_key": key})
        except stripe.StripeError as error:
            errors.append([type(error).__name__, error.code])
    try:
        client.v1.payment_intents.retrieve("pi_of_nobody")
    except stripe.StripeError as error:
        errors.append([type(error).__name__, error.code])
    stranger = stripe.StripeClient("sk_test_of_nobody", base_addresses={"api": asked["sandbox"]}, max_network_retries=0)
    try:
        stranger.v1.payment_intents.retrieve(made.id)
    except stripe.StripeError as error:
        errors.append([type(error).__name__, error.code])
    return {
        "statuses": [made.status, found.status, refund.status],
        "is_the_same": made.id == again.id == found.id == listed.data[0].id,
        "refunds": [one.id == refund.id for one in refunds.data],
        "errors": errors,
        "intent": json.loads(json.dumps(made.to_dict())),
    }


def main():
    asked = json.load(sys.stdin)
    events, signature = signed(asked)
    json.dump(
        {
            "events": events,
            "signature": signature,
            # What the library would write for the same parameters, as pairs.
            "encoded": [
                [[name, str(value).lower() if isinstance(value, bool) else str(value)] for name, value in _api_encode(params)]
                for params in asked["encoded"]
            ],
            "calls": called(asked),
            "version": stripe.VERSION if hasattr(stripe, "VERSION") else "",
        },
        sys.stdout,
    )


main()
