#!/usr/bin/env bash
# Print the path of a Chromium for the tests and for screenshots; install one where there is none.
set -euo pipefail
cd "$(dirname "$0")/.."

find_browser() {
    local name
    for name in "${DISTILLERY_BROWSER:-}" chromium chromium-browser google-chrome google-chrome-stable; do
        if [ -n "$name" ] && command -v "$name"; then return; fi
    done
    .venv/bin/python - 2>/dev/null <<'PYTHON'
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    path = pathlib.Path(playwright.chromium.executable_path)
print(path) if path.exists() else sys.exit(1)
PYTHON
}

if find_browser; then exit; fi
echo "Installing Chromium for the tests." >&2
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -q && apt-get install -q -y --no-install-recommends chromium; } >&2 || true
fi
if find_browser; then exit; fi
.venv/bin/python -m playwright install chromium >&2
find_browser || { echo "No Chromium could be installed: install one and say where it is with DISTILLERY_BROWSER=/path." >&2; exit 1; }
