#!/usr/bin/env bash
# Builds the four functions as Lambda takes them, and the operator's command: .ci/package.sh arm64 or .ci/package.sh x86_64.
# Leaves target/package/ARCHITECTURE: a zip file for each function, sluice-ARCHITECTURE, and SHA256SUMS.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source .ci/lib.sh

readonly FUNCTIONS=(ingest consumer dead_letter reconcile)
# What provided.al2023 brings ("Amazon Linux 2023": glibc 2.34). A binary that asks for more does not start there.
readonly GLIBC_MAX=2.34

case "${1:-}" in
    arm64) readonly ARCHITECTURE=arm64 BUILD_FLAG=--arm64 ;;
    x86_64) readonly ARCHITECTURE=x86_64 BUILD_FLAG=--x86-64 ;;
    *)
        echo "usage: .ci/package.sh arm64|x86_64" >&2
        exit 2
        ;;
esac
readonly BUILT="target/package/build-$ARCHITECTURE" PACKAGE="target/package/$ARCHITECTURE"

glibc_needed() {
    readelf --version-info --wide "$1" | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort --version-sort | tail -n 1
}

step "the tools for building"
python_tools build
PATH="$PWD/$TOOLS/build/bin:$PATH"

step "cargo lambda build for $ARCHITECTURE"
rm -rf "$BUILT" "$PACKAGE"
mkdir -p "$PACKAGE"
# One call for all, so that features are unified once and nothing is compiled twice; and over these packages only, so that no
# feature of the dev tool or the tests is deployed.
cargo lambda build --release --locked "$BUILD_FLAG" --lambda-dir "$BUILT" "${FUNCTIONS[@]/#/--package=}" "${FUNCTIONS[@]/#/--bin=}"

step "zip files"
for function in "${FUNCTIONS[@]}"; do
    binary="$BUILT/$function/bootstrap"
    needed="$(glibc_needed "$binary")"
    if [[ "$(printf '%s\n' "$needed" "$GLIBC_MAX" | sort --version-sort | tail -n 1)" != "$GLIBC_MAX" ]]; then
        echo "$function needs glibc $needed; provided.al2023 has $GLIBC_MAX" >&2
        exit 1
    fi
    # The time of the last commit instead of now: the same binary gives the same archive.
    touch --date="@$(git log -1 --format=%ct)" "$binary"
    "$TOOLS/build/bin/python" -m zipfile --create "$PACKAGE/$function.zip" "$binary"
    echo "$function: glibc $needed or later, $(stat --format=%s "$PACKAGE/$function.zip") bytes zipped"
done

step "sluice for $ARCHITECTURE"
# Apart from the functions, whose features it must not widen.
cargo lambda build --release --locked "$BUILD_FLAG" --lambda-dir "$BUILT" --package=operator --bin=sluice
needed="$(glibc_needed "$BUILT/sluice/bootstrap")"
cp "$BUILT/sluice/bootstrap" "$PACKAGE/sluice-$ARCHITECTURE"
echo "sluice: glibc $needed or later, $(stat --format=%s "$PACKAGE/sluice-$ARCHITECTURE") bytes"
(cd "$PACKAGE" && sha256sum -- *.zip sluice-* >SHA256SUMS && cat SHA256SUMS)
