#!/usr/bin/env python3
"""Makes a stage's whole list of parameters: what infra/stages/STAGE.yaml says, and the template's default for the rest.

    target/tools/template/bin/python .ci/parameters.py production > target/production.yaml

All of them are passed at each deployment, because CloudFormation keeps the value that a stack has for a parameter that
is not passed ("UsePreviousValue"): a default that the template has changed would never arrive. What is wrong with the
file is told with its line, all at once, and nothing is printed.

Deployment is the time now, so that each list is another one: the deployment then changes all functions. A secret is read
again when its version is another one (infra/runbooks/secrets.md).
"""

import datetime
import pathlib
import re
import sys

import yaml

import cloudformation

ROOT = pathlib.Path(__file__).resolve().parents[1]


def problems_of(name, value, declared):
    """What the template does not allow about one value."""
    if value is None:
        return "has no value; write one, or '' for none"
    text = str(value)
    if declared["Type"] == "Number":
        if not re.fullmatch(r"\d+", text):
            return f"is {text!r}, not a whole number"
        low, high = declared.get("MinValue", 0), declared.get("MaxValue")
        if int(text) < int(low) or (high is not None and int(text) > int(high)):
            return f"is {text}, not from {low} to {high}"
    pattern = declared.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(pattern, text):
        return f"does not fit {pattern}"
    allowed = declared.get("AllowedValues")
    if allowed is not None and text not in [str(one) for one in allowed]:
        return f"is {text!r}, not one of {', '.join(str(one) for one in allowed)}"
    return None


def complete(stage_text, template_text):
    """The whole list, or what is wrong with the stage's part of it."""
    declared = cloudformation.read(template_text)["Parameters"]
    given, problems = {}, []
    for number, line in enumerate(stage_text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            pair = yaml.safe_load(line)
        except yaml.YAMLError:
            pair = None
        if not isinstance(pair, dict) or len(pair) != 1:
            problems.append(f"line {number}: expected one `Name: value`")
            continue
        ((name, value),) = pair.items()
        if name not in declared:
            problems.append(f"line {number}: {name} is no parameter of template.yaml")
        elif name in given:
            problems.append(f"line {number}: {name} is named twice")
        else:
            given[name] = value
            problem = problems_of(name, value, declared[name])
            if problem is not None:
                problems.append(f"line {number}: {name} {problem}")
    whole = {}
    for name, parameter in declared.items():
        if name in given:
            whole[name] = str(given[name])
        elif "Default" in parameter:
            whole[name] = str(parameter["Default"])
        else:
            problems.append(f"{name} is missing: {parameter['Description']}")
    return whole, problems


def concurrency(template_text, whole):
    """What all functions reserve together."""
    reserved = re.findall(r"^ +ReservedConcurrentExecutions: (?:!Ref )?(\w+)$", template_text, flags=re.MULTILINE)
    return sum(int(one) if one.isdigit() else int(whole[one]) for one in reserved)


def main():
    if len(sys.argv) != 2 or not re.fullmatch(r"[a-z]+", sys.argv[1]):
        raise SystemExit("usage: parameters.py STAGE, where infra/stages/STAGE.yaml is a file")
    path = ROOT / "infra" / "stages" / f"{sys.argv[1]}.yaml"
    if not path.is_file():
        raise SystemExit(f"{path.relative_to(ROOT)} is not there")
    whole, problems = complete(path.read_text(), (ROOT / "template.yaml").read_text())
    if problems:
        raise SystemExit("\n".join(f"{path.relative_to(ROOT)}: {problem}" for problem in problems))
    whole["Deployment"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    reserved = concurrency((ROOT / "template.yaml").read_text(), whole)
    # Lambda refuses what would leave fewer than 100 to everybody else ("Configuring reserved concurrency").
    print(f"{sys.argv[1]} reserves {reserved} concurrent executions; the account must allow {reserved + 100}", file=sys.stderr)
    yaml.safe_dump(whole, sys.stdout, sort_keys=False)


if __name__ == "__main__":
    main()
