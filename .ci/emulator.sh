# shellcheck shell=bash
# The template, built as it is deployed, on an emulator of AWS. Sourced by .ci/run.

# Before the tests, which run the contract over it as well, and skip nothing once it and the providers' own libraries are
# there.
need_emulator() {
    python_tools emulator
    python_tools alipay
    python_tools stripe
    export SLUICE_NO_SKIP=1
}

check_deployment() {
    step "sam build"
    python_tools template
    python_tools build
    # build first: cargo-lambda looks for its linker in the Python that it finds first.
    PATH="$PWD/$TOOLS/build/bin:$PWD/$TOOLS/template/bin:$PATH" SAM_CLI_TELEMETRY=0 \
        sam build --config-env dev --parameter-overrides Architecture=x86_64

    step "the template on the emulator"
    cargo build --package dev --locked
    "$TOOLS/emulator/bin/python" tests/emulator/deployed.py
}
