#!/usr/bin/env bash
# Installs pinned tools under target/tools: `.ci/tools.sh template build` brings sam, cfn-lint and cargo-lambda.
# Each name is a file of .ci/requirements; its programs are then in target/tools/NAME/bin.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source .ci/lib.sh

for name in "$@"; do
    if [[ ! -f ".ci/requirements/$name.txt" ]]; then
        echo "there is no .ci/requirements/$name.txt" >&2
        exit 2
    fi
    python_tools "$name"
    echo "$PWD/$TOOLS/$name/bin"
done
