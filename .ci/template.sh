# shellcheck shell=bash
# Judges template.yaml: what SAM makes of it, AWS's types and rules, and what is considered safe.

check_template() {
    step "the tools for the template"
    python_tools template
    python_tools security

    step "sam validate --lint"
    # No account is asked: SAM reads its own copy of the managed policies, and a Region only to have one.
    SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-central-1 "$TOOLS/template/bin/sam" validate --lint

    step "cfn-lint"
    "$TOOLS/template/bin/cfn-lint" --version
    # Warnings fail as errors do, and a template without a finding is told by silence.
    "$TOOLS/template/bin/cfn-lint" --non-zero-exit-code informational template.yaml
    echo "template.yaml: no findings"

    step "the stages' parameters"
    check_stages

    step "the roles, with IAM enforced"
    python_tools permissions
    "$TOOLS/permissions/bin/python" tests/emulator/permissions.py

    step "checkov"
    # What is accepted stands with its reason beside the resource, in the template.
    "$TOOLS/security/bin/checkov" --file template.yaml --framework cloudformation --compact --quiet --skip-download
}

# What can be deployed as it stands is a whole list; what waits for somebody's numbers says which.
check_stages() {
    local python="$TOOLS/template/bin/python" stage said
    "$python" .ci/parameters.py dev >/dev/null
    "$python" .ci/tables.py >"$TOOLS/tables.yaml"
    "$TOOLS/template/bin/cfn-lint" "$TOOLS/tables.yaml"
    for stage in staging production; do
        if said=$("$python" .ci/parameters.py "$stage" 2>&1); then
            echo "$stage: ready"
        elif [[ "$said" == *"has no value"* ]]; then
            echo "$stage: waits for $(grep -c 'has no value' <<<"$said") values"
        else
            echo "$said" >&2
            return 1
        fi
    done
}
