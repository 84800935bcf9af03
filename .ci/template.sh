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

    step "checkov"
    # What is accepted stands with its reason beside the resource, in the template.
    "$TOOLS/security/bin/checkov" --file template.yaml --framework cloudformation --compact --quiet --skip-download
}
