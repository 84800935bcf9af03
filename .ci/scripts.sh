# shellcheck shell=bash
# Judges the shell scripts and GitHub's workflows, which nothing here runs.

check_scripts() {
    step "the tools for scripts and workflows"
    python_tools scripts
    local bin="$PWD/$TOOLS/scripts/bin"

    step "shellcheck"
    local scripts=(.ci/run .ci/*.sh)
    "$bin/shellcheck" --external-sources "${scripts[@]}"
    echo "${#scripts[@]} scripts: no findings"

    step "check-jsonschema"
    # GitHub's own forms, as the package brings them.
    "$bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yaml
    "$bin/check-jsonschema" --builtin-schema vendor.dependabot .github/dependabot.yaml

    step "zizmor"
    "$bin/zizmor" --offline --no-progress --persona pedantic .github
}
