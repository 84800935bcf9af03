"""localstripe, another implementation of Stripe's API by other people, is asked what our contract writes. Speaks JSON: one document in,
one out.

Where it is unlike Stripe, by its own source (version 1.15.4): it knows no Idempotency-Key, refuses the parameters
automatic_payment_methods and description of an intent and customer and created of their list, answers a declined card with
200, gives an intent's charge as an object, and gives back more than was charged. So what it refuses is left out, and
everything else is as our contract writes it."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


def call(base, request):
    headers = {**request["headers"], "Content-Type": "application/x-www-form-urlencoded"}
    body = request["body"].encode() if request["method"] == "POST" else None
    ask = urllib.request.Request(base + request["path"], body, headers, method=request["method"])
    try:
        with urllib.request.urlopen(ask, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def post(base, key, path, params):
    request = {"method": "POST", "path": path, "headers": {"Authorization": "Bearer " + key}, "body": urllib.parse.urlencode(params)}
    status, text = call(base, request)
    assert status == 200, (status, text)
    return json.loads(text)


def started(port):
    program = [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"]
    process = subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1)
        except urllib.error.HTTPError:
            return process
        except OSError:
            time.sleep(0.1)
            continue
        return process
    process.kill()
    raise SystemExit("localstripe did not start")


def main():
    asked = json.load(sys.stdin)
    base = f"http://127.0.0.1:{asked['port']}"
    process = started(asked["port"])
    try:
        key = asked["key"]
        card = {"type": "card", "card[exp_month]": "12", "card[exp_year]": "2050", "card[cvc]": "123"}
        customer = post(base, key, "/v1/customers", {"name": "A1"})["id"]
        methods = {}
        for name, number in (("good", "4242424242424242"), ("bad", "4000000000000341")):
            methods[name] = post(base, key, "/v1/payment_methods", {**card, "card[number]": number})["id"]
            post(base, key, f"/v1/payment_methods/{methods[name]}/attach", {"customer": customer})
        told = {"cus_PLACEHOLDER": customer, "pm_GOOD": methods["good"], "pm_BAD": methods["bad"]}
        replies = []
        for request in asked["requests"]:
            for placeholder, real in told.items():
                request = {**request, "path": request["path"].replace(placeholder, real), "body": request["body"].replace(placeholder, real)}
            pairs = urllib.parse.parse_qsl(request["body"], keep_blank_values=True)
            untaken = ("automatic_payment_methods", "description")
            request["body"] = urllib.parse.urlencode([pair for pair in pairs if not pair[0].startswith(untaken)])
            request["path"] = request["path"].replace("?customer=" + customer + "&", "?")
            status, text = call(base, request)
            shown = json.loads(text)
            if status == 200 and shown.get("object") == "payment_intent":
                told.setdefault("pi_PLACEHOLDER", shown["id"])
            for placeholder, real in told.items():
                text = text.replace(real, placeholder)
            replies.append({"status": status, "body": text})
        json.dump({"replies": replies}, sys.stdout)
    finally:
        process.terminate()


main()
