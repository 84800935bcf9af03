"""Calls AWS as each function's role, with IAM enforced: what the function needs is allowed, and nothing else.

IAM is moto's, in this process, in the environment of .ci/requirements/permissions.txt; the roles are template.yaml's. Each
role tries every operation below on every resource of its kind. NEEDED says what the code calls; `tests/binaries` holds the
roles to what the functions' own binaries really call, table by table.

    .ci/tools.sh permissions
    target/tools/permissions/bin/python tests/emulator/permissions.py
"""

import base64
import json
import os
import pathlib
import re
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws, settings
from moto.core.responses import ActionAuthenticatorMixin

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".ci"))

import cloudformation  # noqa: E402

REGION, ACCOUNT = "eu-central-1", "123456789012"

LANES = ["HighQueue", "StandardQueue"]
POLLS = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"]

# By role: operation and resource, as the code calls them.
NEEDED = {
    "IngestRole": {
        *[("dynamodb:" + one, "PaymentsTable") for one in ["GetItem", "PutItem", "UpdateItem"]],
        ("dynamodb:GetItem", "MerchantsTable"),
        ("dynamodb:GetItem", "GatesTable"),
        ("dynamodb:GetItem", "AdmissionTable"),
        ("dynamodb:UpdateItem", "AdmissionTable"),
        *[("sqs:" + one, lane) for lane in LANES for one in ["SendMessage", "GetQueueAttributes"]],
        ("kms:Decrypt", "EnvironmentKey"),
    },
    "ConsumerRole": {
        *[("dynamodb:" + one, "PaymentsTable") for one in ["GetItem", "UpdateItem"]],
        *[("dynamodb:" + one, "GatesTable") for one in ["GetItem", "PutItem", "UpdateItem"]],
        *[(one, lane) for lane in LANES for one in POLLS],
        ("kms:Decrypt", "ConsumerKey"),
    },
    "DeadLetterRole": {
        *[("dynamodb:" + one, "PaymentsTable") for one in ["GetItem", "UpdateItem"]],
        *[(one, "DeadLetterQueue") for one in POLLS],
        *[("sqs:SendMessage", lane) for lane in LANES],
        ("kms:Decrypt", "EnvironmentKey"),
    },
    "ReconcileRole": {
        *[("dynamodb:" + one, "PaymentsTable") for one in ["GetItem", "Scan", "UpdateItem"]],
        ("dynamodb:Query", "PaymentsTable/index/open"),
        ("dynamodb:GetItem", "GatesTable"),
        *[("sqs:" + one, lane) for lane in LANES for one in ["SendMessage", "GetQueueAttributes"]],
        ("kms:Decrypt", "EnvironmentKey"),
    },
}


TEMPLATE = cloudformation.read((ROOT / "template.yaml").read_text())["Resources"]


def of_type(kind):
    return [name for name, resource in TEMPLATE.items() if resource["Type"] == kind]


def resolved(value, arns):
    """A policy with the ARNs that were made in place of its references."""
    if isinstance(value, cloudformation.Tagged):
        if value.tag == "!GetAtt":
            return arns[value.value.removesuffix(".Arn")]
        return re.sub(r"\$\{(\w+)\.Arn\}", lambda found: arns[found.group(1)], value.value)
    if isinstance(value, list):
        return [resolved(one, arns) for one in value]
    if isinstance(value, dict):
        return {key: resolved(one, arns) for key, one in value.items()}
    return value


def make(session):
    """The template's tables, queues, keys and roles; by name, their ARNs and what calls name them by."""
    arns, named = {}, {}
    dynamodb, sqs, kms = session.client("dynamodb"), session.client("sqs"), session.client("kms")
    for table in of_type("AWS::DynamoDB::Table"):
        properties = TEMPLATE[table]["Properties"]
        more = {}
        if "GlobalSecondaryIndexes" in properties:
            # Without what only makes it fast: a condition of the template decides about that.
            more["GlobalSecondaryIndexes"] = [
                {name: value for name, value in index.items() if name != "WarmThroughput"}
                for index in properties["GlobalSecondaryIndexes"]
            ]
        made = dynamodb.create_table(
            TableName=table,
            AttributeDefinitions=properties["AttributeDefinitions"],
            KeySchema=properties["KeySchema"],
            BillingMode="PAY_PER_REQUEST",
            **more,
        )
        arns[table], named[table] = made["TableDescription"]["TableArn"], table
    for queue in of_type("AWS::SQS::Queue"):
        named[queue] = sqs.create_queue(QueueName=queue)["QueueUrl"]
        arns[queue] = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
    for key in of_type("AWS::KMS::Key"):
        made = kms.create_key()["KeyMetadata"]
        arns[key], named[key] = made["Arn"], kms.encrypt(KeyId=made["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    for group in of_type("AWS::Logs::LogGroup"):
        arns[group] = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*"
    return arns, named


def as_role(session, role, arns):
    """A session with the template's role."""
    iam, properties = session.client("iam"), TEMPLATE[role]["Properties"]
    trust = json.dumps(properties["AssumeRolePolicyDocument"])
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    for policy in properties["Policies"]:
        document = json.dumps(resolved(policy["PolicyDocument"], arns))
        iam.put_role_policy(RoleName=role, PolicyName=policy["PolicyName"], PolicyDocument=document)
    given = session.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], REGION)


def attempts(session, named):
    """Every operation on every resource: a name for it, and the call."""
    once = Config(retries={"total_max_attempts": 1})
    dynamodb, sqs, kms = [session.client(one, config=once) for one in ["dynamodb", "sqs", "kms"]]
    for table in of_type("AWS::DynamoDB::Table"):
        keys = TEMPLATE[table]["Properties"]["KeySchema"]
        key = {one["AttributeName"]: {"S": "x"} for one in keys}
        update = {"UpdateExpression": "SET z = :z", "ExpressionAttributeValues": {":z": {"S": "z"}}}
        yield ("dynamodb:GetItem", table), lambda: dynamodb.get_item(TableName=table, Key=key)
        yield ("dynamodb:PutItem", table), lambda: dynamodb.put_item(TableName=table, Item=key)
        yield ("dynamodb:UpdateItem", table), lambda: dynamodb.update_item(TableName=table, Key=key, **update)
        yield ("dynamodb:DeleteItem", table), lambda: dynamodb.delete_item(TableName=table, Key=key)
        yield ("dynamodb:Scan", table), lambda: dynamodb.scan(TableName=table)
        hash_key = keys[0]["AttributeName"]
        query = {"KeyConditionExpression": "#k = :k", "ExpressionAttributeValues": {":k": {"S": "x"}}}
        by_key = {"ExpressionAttributeNames": {"#k": hash_key}, **query}
        yield ("dynamodb:Query", table), lambda: dynamodb.query(TableName=table, **by_key)
        for index in TEMPLATE[table]["Properties"].get("GlobalSecondaryIndexes", []):
            name, attribute = index["IndexName"], index["KeySchema"][0]["AttributeName"]
            by_index = {"ExpressionAttributeNames": {"#k": attribute}, "IndexName": name, **query}
            where = f"{table}/index/{name}"
            yield ("dynamodb:Query", where), lambda: dynamodb.query(TableName=table, **by_index)
            yield ("dynamodb:Scan", where), lambda: dynamodb.scan(TableName=table, IndexName=name)
        yield ("dynamodb:DeleteTable", table), lambda: dynamodb.delete_table(TableName=table)
    for queue in of_type("AWS::SQS::Queue"):
        url, held = named[queue], {"QueueUrl": named[queue], "ReceiptHandle": "x"}
        yield ("sqs:SendMessage", queue), lambda: sqs.send_message(QueueUrl=url, MessageBody="x")
        yield ("sqs:ReceiveMessage", queue), lambda: sqs.receive_message(QueueUrl=url)
        yield ("sqs:DeleteMessage", queue), lambda: sqs.delete_message(**held)
        yield ("sqs:ChangeMessageVisibility", queue), lambda: sqs.change_message_visibility(VisibilityTimeout=1, **held)
        yield ("sqs:GetQueueAttributes", queue), lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        yield ("sqs:SetQueueAttributes", queue), lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={})
        yield ("sqs:PurgeQueue", queue), lambda: sqs.purge_queue(QueueUrl=url)
        yield ("sqs:DeleteQueue", queue), lambda: sqs.delete_queue(QueueUrl=url)
    for key in of_type("AWS::KMS::Key"):
        yield ("kms:Decrypt", key), lambda: kms.decrypt(CiphertextBlob=named[key])


def is_allowed(call):
    try:
        call()
    except ClientError as error:
        # moto writes its refusal as XML whatever the service speaks, so that only the status can be read.
        return error.response["ResponseMetadata"]["HTTPStatusCode"] != 403
    return True


def with_its_resource(authorize):
    """moto authorises DynamoDB's and KMS's calls for any resource: here they get the one that they name."""

    def wrapped(self, resource="*"):
        asked = self.body if isinstance(self.body, dict) else json.loads(self.body or "{}")
        if "TableName" in asked:
            resource = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{asked['TableName']}"
            if "IndexName" in asked:
                resource += f"/index/{asked['IndexName']}"
        elif "CiphertextBlob" in asked:
            resource = KEYS[asked["CiphertextBlob"]]
        return authorize(self, resource)

    return wrapped


# What a key has encrypted, and which key that was.
KEYS = {}


@mock_aws
def main():
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    session = boto3.Session("x", "x", region_name=REGION)
    arns, named = make(session)
    KEYS.update({base64.b64encode(named[key]).decode(): arns[key] for key in of_type("AWS::KMS::Key")})
    roles = {role: as_role(session, role, arns) for role in of_type("AWS::IAM::Role")}
    if set(roles) != set(NEEDED):
        raise SystemExit(f"FAILED: roles {sorted(roles)}, and NEEDED is about {sorted(NEEDED)}")
    name = "_authenticate_and_authorize_normal_action"
    setattr(ActionAuthenticatorMixin, name, with_its_resource(getattr(ActionAuthenticatorMixin, name)))
    ActionAuthenticatorMixin.request_count = 0
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    wrong = []
    for role, needed in NEEDED.items():
        allowed = {what for what, call in attempts(roles[role], named) if is_allowed(call)}
        tried = {what for what, _ in attempts(roles[role], named)}
        wrong += [f"{role} may not {action} on {where}, and needs to" for action, where in sorted(needed - allowed)]
        wrong += [f"{role} may {action} on {where}, and does not need to" for action, where in sorted(allowed - needed)]
        wrong += [f"{role}: {what} is not tried" for what in sorted(needed - tried)]
        print(f"{role}: {len(allowed)} of {len(tried)} calls allowed, {len(tried - allowed)} denied", flush=True)
    if wrong:
        raise SystemExit("FAILED:\n  " + "\n  ".join(wrong))


if __name__ == "__main__":
    main()
