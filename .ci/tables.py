#!/usr/bin/env python3
"""Prints the part of template.yaml that a stack's kept tables are imported by (infra/runbooks/import.md).

    target/tools/template/bin/python .ci/tables.py > target/tables.yaml

An import takes a template that holds nothing but what is imported ("Import AWS resources into a CloudFormation stack").
The tables are cut out of template.yaml, so that the deployment which follows finds them as it wants them.
"""

import pathlib
import sys

import yaml

import cloudformation

ROOT = pathlib.Path(__file__).resolve().parents[1]
KEPT = ["PaymentsTable", "MerchantsTable", "GatesTable"]


def named(value, tag):
    """What a part of a template refers to by this short form: parameters by !Ref, conditions by !If."""
    if isinstance(value, cloudformation.Tagged):
        if value.tag == tag:
            yield value.value if isinstance(value.value, str) else value.value[0]
        yield from named(value.value, tag)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from named(inner, tag)
    elif isinstance(value, list):
        for inner in value:
            yield from named(inner, tag)


def main():
    template = cloudformation.read((ROOT / "template.yaml").read_text())
    tables = {name: template["Resources"][name] for name in KEPT}
    conditions = {name: template["Conditions"][name] for name in sorted(set(named(tables, "!If")))}
    referred = set(named([tables, conditions], "!Ref"))
    part = {
        "AWSTemplateFormatVersion": template["AWSTemplateFormatVersion"],
        "Description": "The tables of a Sluice stack that was deleted, to be imported into a new one.",
        "Parameters": {name: what for name, what in template["Parameters"].items() if name in referred},
        "Conditions": conditions,
        "Resources": tables,
    }
    kept = {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::DynamoDB::Table" and resource.get("DeletionPolicy", "Delete") != "Delete"
    }
    if kept != set(KEPT):
        raise SystemExit(f"template.yaml keeps the tables {', '.join(sorted(kept))}; make KEPT say the same")
    yaml.safe_dump(part, sys.stdout, sort_keys=False)


if __name__ == "__main__":
    main()
