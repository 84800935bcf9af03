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
PARAMETERS = ["DeletionProtection"]


def main():
    template = cloudformation.read((ROOT / "template.yaml").read_text())
    part = {
        "AWSTemplateFormatVersion": template["AWSTemplateFormatVersion"],
        "Description": "The tables of a Sluice stack that was deleted, to be imported into a new one.",
        "Parameters": {name: template["Parameters"][name] for name in PARAMETERS},
        "Resources": {name: template["Resources"][name] for name in KEPT},
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
