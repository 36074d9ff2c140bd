#!/bin/sh
# Puts the fuzzer beside .venv's other packages. Not in requirements.lock: it has wheels for x86-64 and
# Python 3.11 to 3.13 only, and nothing else needs it.
set -eu
cd "$(dirname "$0")/../.."

site=.venv/fuzz
key=$(sha256sum tests/fuzz/requirements.txt | cut -d' ' -f1)
[ "$(cat "$site/ready" 2>/dev/null || true)" = "$key" ] && exit 0
echo "conclave: installing the fuzzer (35 MB)"
rm -rf "$site"
.venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes \
    --only-binary :all: --target "$site" -r tests/fuzz/requirements.txt || {
    echo "conclave: atheris has no wheel for this machine and Python: nothing is fuzzed here" >&2
    exit 1
}
echo "$key" >"$site/ready"
