"""Deploys template.yaml to an emulator of AWS and takes payments through what comes of it.

The emulator is ministack, in the environment of .ci/requirements/emulator.txt. It runs the functions' own binaries, SQS,
DynamoDB, the event source mappings and an HTTP API, all from the template as `sam build` leaves it. What it does not
take from a template is done by hand below, and each such step is named in BY_HAND with its reason. None of it is AWS.
It listens on every interface and runs what it is given, so that it belongs on a machine that others cannot reach.

    .ci/tools.sh emulator
    sam build --parameter-overrides Architecture=x86_64
    cargo build --package dev
    target/tools/emulator/bin/python tests/emulator/deployed.py
"""

import base64
import contextlib
import hashlib
import io
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile

import boto3
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci"))

import cloudformation  # noqa: E402

BUILT = ROOT / ".aws-sam" / "build"
DEV = ROOT / "target" / "debug" / "dev"
STACK = "sluice"
REGION = "eu-central-1"
PROVIDER_KEY = "provider-key-of-the-emulator"
HISTORY_KEY = base64.b64encode(hashlib.sha256(b"history").digest()).decode()
NEW_HISTORY_KEY = base64.b64encode(hashlib.sha256(b"a newer history").digest()).decode()
PARAMETERS = {
    "ProviderName": "sandbox",
    "ProviderUrl": "https://provider.example",
    "ProviderSecretName": "sluice/provider-key",
    "HistorySecretName": "sluice/history-keys",
    "ProviderRatePerSecond": "50",
    "AbsenceBoundMs": "900000",
    "KeyWindowMs": "86400000",
    "Architecture": "x86_64",
    # A poisoned message is received so often before it is a dead letter, which is an hour by the default.
    "LaneReceivesMax": "5",
    "DeadLetterReceivesMax": "30",
    "TableWarmWriteUnits": "0",
    "IndexWarmWriteUnits": "0",
    # A few: this is one machine.
    "IngestConcurrency": "10",
}
WAIT_SECONDS = 120

# What the emulator does not take from the template, and why each is done here.
BY_HAND = [
    "alarms with metric math (Metrics) are left out: it refuses them, and the stack with them",
    "the API's routes and its integration are made: it deploys AWS::Serverless::HttpApi without its events",
    "redrive policies are written again with whole numbers: it keeps a number that is a parameter as text",
    "mappings are written again with whole numbers, for the same reason",
    "the functions' reserved concurrency is set: it ignores ReservedConcurrentExecutions",
    "PROVIDER_URL becomes the sandbox's: the template takes HTTPS only, and the sandbox speaks HTTP",
]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, holds, seconds=WAIT_SECONDS):
    """Waits, and fails with the last thing that was seen."""
    end = time.monotonic() + seconds
    while True:
        seen = holds()
        if seen:
            return seen
        if time.monotonic() > end:
            raise SystemExit(f"FAILED: {what}, not within {seconds} s")
        time.sleep(0.5)


def check(what, seen, expected):
    if seen != expected:
        raise SystemExit(f"FAILED: {what}: {seen!r} instead of {expected!r}")
    print(f"ok  {what}: {seen!r}", flush=True)


@contextlib.contextmanager
def running(command, log, **environment):
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


def answers(url):
    try:
        urllib.request.urlopen(url, timeout=2).read()
        return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


class Aws:
    """The emulator's services."""

    def __init__(self, url):
        self.url = url
        names = ["cloudformation", "s3", "secretsmanager", "lambda", "sqs", "apigatewayv2", "dynamodb"]
        self.client = {
            name: boto3.client(
                name,
                endpoint_url=url,
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            for name in names
        }

    def __getitem__(self, name):
        return self.client[name]


def packaged(aws):
    """The built template, its binaries in the emulator's S3, without the alarms that it refuses."""
    aws["s3"].create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION})
    template = cloudformation.read((BUILT / "template.yaml").read_text())
    resources = template["Resources"]
    for name, resource in list(resources.items()):
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in properties:
            del resources[name]
        if resource["Type"] == "AWS::Serverless::Function":
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
                entry = zipfile.ZipInfo("bootstrap")
                entry.external_attr = 0o755 << 16
                files.writestr(entry, (BUILT / name / "bootstrap").read_bytes())
            aws["s3"].put_object(Bucket="code", Key=f"{name}.zip", Body=archive.getvalue())
            properties["CodeUri"] = f"s3://code/{name}.zip"
    # Longer than the 51,200 bytes of a request, as sam deploy finds as well.
    body = yaml.safe_dump(template, sort_keys=False, width=1000)
    aws["s3"].put_object(Bucket="code", Key="template.yaml", Body=body.encode())
    return template


def deployed(aws):
    for name, text in (("sluice/provider-key", PROVIDER_KEY), ("sluice/history-keys", HISTORY_KEY)):
        aws["secretsmanager"].create_secret(Name=name, SecretString=text)
    cloudformation = aws["cloudformation"]
    cloudformation.create_stack(
        StackName=STACK,
        TemplateURL=f"{aws.url}/code/template.yaml",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in PARAMETERS.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )

    def over():
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

    stack = until("the stack is deployed", over)
    if stack["StackStatus"] != "CREATE_COMPLETE":
        for event in cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]:
            if "FAILED" in event["ResourceStatus"]:
                print(event["LogicalResourceId"], event.get("ResourceStatusReason"))
    check("the stack of template.yaml", stack["StackStatus"], "CREATE_COMPLETE")
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    summaries = cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    return outputs, {summary["LogicalResourceId"]: summary["PhysicalResourceId"] for summary in summaries}


def made_up_for(aws, template, outputs, resources, provider_url):
    """All of BY_HAND but the alarms."""
    functions = aws["lambda"]
    ingest = functions.get_function_configuration(FunctionName=resources["IngestFunction"])["FunctionArn"]
    api = aws["apigatewayv2"]
    integration = api.create_integration(
        ApiId=resources["Api"],
        IntegrationType="AWS_PROXY",
        IntegrationUri=ingest,
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    events = template["Resources"]["IngestFunction"]["Properties"]["Events"]
    for event in events.values():
        properties = event["Properties"]
        route = f"{properties['Method'].upper()} {properties['Path']}" if "Path" in properties else "$default"
        api.create_route(ApiId=resources["Api"], RouteKey=route, Target=f"integrations/{integration}")

    sqs = aws["sqs"]
    for name in ("HighQueueUrl", "StandardQueueUrl", "DeadLetterQueueUrl"):
        attributes = sqs.get_queue_attributes(QueueUrl=outputs[name], AttributeNames=["RedrivePolicy"])["Attributes"]
        policy = json.loads(attributes["RedrivePolicy"])
        policy["maxReceiveCount"] = int(policy["maxReceiveCount"])
        sqs.set_queue_attributes(QueueUrl=outputs[name], Attributes={"RedrivePolicy": json.dumps(policy)})
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.update_event_source_mapping(
            UUID=mapping["UUID"],
            BatchSize=int(mapping["BatchSize"]),
            MaximumBatchingWindowInSeconds=int(mapping["MaximumBatchingWindowInSeconds"]),
            ScalingConfig={"MaximumConcurrency": int(mapping["ScalingConfig"]["MaximumConcurrency"])},
        )

    for name in ("IngestFunction", "ConsumerFunction", "DeadLetterFunction", "ReconcileFunction"):
        # A few each: this is one machine.
        functions.put_function_concurrency(FunctionName=resources[name], ReservedConcurrentExecutions=10)
    consumer = resources["ConsumerFunction"]
    variables = functions.get_function_configuration(FunctionName=consumer)["Environment"]["Variables"]
    variables["PROVIDER_URL"] = provider_url
    functions.update_function_configuration(FunctionName=consumer, Environment={"Variables": variables})


def api_key(aws):
    """By the command that a deployment's engineer uses."""
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    command = [DEV, "sluice", "merchants", "add-key", "shop-a", "--stack", STACK]
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return re.search(r"\bsk_[a-z0-9]+\b", said).group(0)


def request(aws, api_id, method, path, key=None, body=None):
    """Through the emulator's API, which tells APIs apart by their host."""
    port = aws.url.rsplit(":", 1)[1]
    headers = {"Host": f"{api_id}.execute-api.localhost:{port}"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    data = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    asked = urllib.request.Request(aws.url + path, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, json.loads(answer.read()), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}"), dict(error.headers)


def lines(url):
    text = urllib.request.urlopen(url, timeout=10).read().decode()
    return [json.loads(line) for line in text.splitlines()]


def payments(aws, outputs, resources, provider_url):
    api_id = resources["Api"]
    charge = {"order_id": "A-1001", "kind": "charge", "amount": 1999, "currency": "EUR", "payment_method": "tok_5f2c"}
    status, problem, _ = request(aws, api_id, "POST", "/v1/payments", body=charge)
    check("POST without a key", (status, problem.get("title")), (401, "The API key is missing or unknown"))

    key = api_key(aws)
    status, payment, _ = request(aws, api_id, "POST", "/v1/payments", key, charge)
    check("POST with the key", (status, payment.get("state")), (202, "queued"))
    path = f"/v1/payments/{payment['id']}"

    def ended():
        _, seen, _ = request(aws, api_id, "GET", path, key)
        return seen if seen["state"] not in ("queued", "sending") else None

    seen = until("the payment ends", ended)
    check("through table, queue, mapping, consumer and provider", (seen["state"], seen["reason"]), ("succeeded", "approved"))
    status, repeat, headers = request(aws, api_id, "POST", "/v1/payments", key, charge)
    replayed = {name.lower(): value for name, value in headers.items()}.get("idempotent-replayed")
    check("the same again", (status, repeat["state"], replayed), (200, "succeeded", "true"))
    status, problem, _ = request(aws, api_id, "POST", "/v1/payments", key, {**charge, "amount": 2000})
    check("the same order for another amount", (status, problem["type"]), (422, "urn:sluice:problem:different-request"))
    ledger = [(line["payment_id"], line["amount"]) for line in lines(f"{provider_url}/ledger")]
    check("the provider's ledger", ledger, [(payment["id"], 1999)])

    # Forged: it names the payment and another merchant. It is received until it is a dead letter, triaged until it is
    # parked, and touches nothing.
    sqs = aws["sqs"]
    now = int(time.time() * 1000)
    forged = json.dumps({"version": 1, "payment_id": payment["id"], "merchant": "nobody", "sent_at": now})
    sqs.send_message(QueueUrl=outputs["StandardQueueUrl"], MessageBody=forged)
    # Its visibility would end six time-outs of the function later each time; nobody else needs the lane here.
    for name in ("StandardQueueUrl", "DeadLetterQueueUrl"):
        sqs.set_queue_attributes(QueueUrl=outputs[name], Attributes={"VisibilityTimeout": "1"})

    def parked():
        names = ["ApproximateNumberOfMessages"]
        attributes = sqs.get_queue_attributes(QueueUrl=outputs["ParkedQueueUrl"], AttributeNames=names)["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"]) == 1

    until("the forged message is parked", parked)
    found = sqs.receive_message(QueueUrl=outputs["ParkedQueueUrl"])["Messages"][0]["Body"]
    check("what is parked is the forged message", found == forged, True)
    _, seen, _ = request(aws, api_id, "GET", path, key)
    check("the payment after it", seen["state"], "succeeded")


FUNCTIONS = ["IngestFunction", "ConsumerFunction", "DeadLetterFunction", "ReconcileFunction"]


def variables(aws, resources):
    """Each function's environment."""
    configuration = aws["lambda"].get_function_configuration
    return {name: configuration(FunctionName=resources[name])["Environment"]["Variables"] for name in FUNCTIONS}


def deployed_again(aws, **changed):
    """What `sam deploy` does to a stack that is there, with all parameters, as .ci/parameters.py lists them."""
    cloudformation = aws["cloudformation"]
    parameters = {**PARAMETERS, **changed}
    cloudformation.update_stack(
        StackName=STACK,
        TemplateURL=f"{aws.url}/code/template.yaml",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )

    def over():
        status = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
        return None if status.endswith("IN_PROGRESS") else status

    check("the stack, deployed again", until("the update is through", over), "UPDATE_COMPLETE")


def switch_mappings(aws, resources, enabled):
    functions = aws["lambda"]
    ours = {functions.get_function_configuration(FunctionName=resources[name])["FunctionArn"] for name in FUNCTIONS}
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    mappings = [one["UUID"] for one in mappings if one["FunctionArn"] in ours]
    for uuid in mappings:
        functions.update_event_source_mapping(UUID=uuid, Enabled=enabled)

    def switched():
        states = {functions.get_event_source_mapping(UUID=uuid)["State"] for uuid in mappings}
        return states == {"Enabled" if enabled else "Disabled"}

    until(f"the mappings are {'on' if enabled else 'off'}", switched)
    return len(mappings)


def reserved(aws, resources, name):
    return aws["lambda"].get_function_concurrency(FunctionName=resources[name]).get("ReservedConcurrentExecutions")


def runbooks(aws, resources):
    """What infra/runbooks/secrets.md and restore.md do to a stack, with a stamp that stays and with one that changes."""
    before = variables(aws, resources)
    secrets = {"sluice/provider-key": "provider-key-after", "sluice/history-keys": f"{NEW_HISTORY_KEY},{HISTORY_KEY}"}
    versions = {
        name: aws["secretsmanager"].put_secret_value(SecretId=name, SecretString=text)["VersionId"]
        for name, text in secrets.items()
    }

    # Step 1 of restore.md.
    check("mappings that are switched off", switch_mappings(aws, resources, False), 3)
    aws["lambda"].put_function_concurrency(FunctionName=resources["IngestFunction"], ReservedConcurrentExecutions=0)

    # A new stamp changes the functions and reads no secret again: the reference has not changed.
    deployed_again(aws, Deployment="20260131T110000Z")
    stale = variables(aws, resources)
    check("keys by a new stamp alone", {stale[name]["HISTORY_KEYS"] for name in FUNCTIONS} == {HISTORY_KEY}, True)
    deployed_again(
        aws,
        Deployment="20260131T120000Z",
        ProviderSecretVersion=versions["sluice/provider-key"],
        HistorySecretVersion=versions["sluice/history-keys"],
    )
    after = variables(aws, resources)
    stamps = {after[name]["DEPLOYMENT"] for name in FUNCTIONS}
    check("what all four functions are stamped with", stamps, {"20260131T120000Z"})
    check("none had it before", {before[name]["DEPLOYMENT"] for name in FUNCTIONS}, {"unstamped"})
    keys = {after[name]["HISTORY_KEYS"] for name in FUNCTIONS}
    check("all four have the new key of histories", keys == {secrets["sluice/history-keys"]}, True)
    check("the consumer has the new key of the provider", after["ConsumerFunction"]["PROVIDER_KEY"], "provider-key-after")

    # What a deployment leaves alone, restore.md's step 4 puts back.
    check("ingest's concurrency after the deployment", reserved(aws, resources, "IngestFunction"), 0)
    parameters = aws["cloudformation"].describe_stacks(StackName=STACK)["Stacks"][0]["Parameters"]
    said = {one["ParameterKey"]: one["ParameterValue"] for one in parameters}
    number = int(said["IngestConcurrency"])
    aws["lambda"].put_function_concurrency(FunctionName=resources["IngestFunction"], ReservedConcurrentExecutions=number)
    check("mappings that are on again", switch_mappings(aws, resources, True), 3)
    check("ingest's concurrency after the runbook", reserved(aws, resources, "IngestFunction"), 10)
    order = {"order_id": "A-1002", "kind": "charge", "amount": 500, "currency": "EUR", "payment_method": "tok_5f2c"}
    status, payment, _ = request(aws, resources["Api"], "POST", "/v1/payments", api_key(aws), order)
    check("a payment after it", (status, payment.get("state")), (202, "queued"))


def main():
    for needed, how in ((BUILT / "template.yaml", "sam build"), (DEV, "cargo build --package dev")):
        if not needed.exists():
            raise SystemExit(f"{needed.relative_to(ROOT)} is missing: {how}")
    logs = ROOT / "target" / "emulator"
    logs.mkdir(parents=True, exist_ok=True)
    port, provider_port = free_port(), free_port()
    provider_url = f"http://127.0.0.1:{provider_port}"
    aws = Aws(f"http://127.0.0.1:{port}")
    emulator = pathlib.Path(sys.executable).with_name("ministack")
    # It calls its own API for the functions, and they call it for everything else.
    account = {
        "GATEWAY_PORT": str(port),
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
    }
    sandbox = [DEV, "sandbox", "--listen", f"127.0.0.1:{provider_port}", "--rate", "50"]
    with (
        running([emulator], logs / "emulator.log", **account),
        running(sandbox, logs / "sandbox.log", SANDBOX_KEY=PROVIDER_KEY),
    ):
        until("the emulator answers", lambda: answers(aws.url + "/_ministack/health"), 30)
        until("the sandbox answers", lambda: answers(provider_url + "/healthz"), 30)
        template = packaged(aws)
        outputs, resources = deployed(aws)
        made_up_for(aws, template, outputs, resources, provider_url)
        for step in BY_HAND:
            print(f"    by hand: {step}")
        payments(aws, outputs, resources, provider_url)
        runbooks(aws, resources)
    print("the template, deployed to the emulator, took a payment from POST to its end")


if __name__ == "__main__":
    main()
