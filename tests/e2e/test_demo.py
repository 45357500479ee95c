"""`manage.py demo --fast`: the real articles, the real base model, the recorded oracle, every step."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, free_port

pytestmark = pytest.mark.timeout(1200)
SERVICES = ("DATABASE_URL", "REDIS_URL", "ENGINE_URL", "ENGINE_TOKEN")


def run_demo(var: Path) -> tuple[dict[str, Any], str]:
    """What one demo wrote as JSON, and what it said."""
    env = {name: value for name, value in os.environ.items() if name not in SERVICES} | {"DISTILLERY_VAR": str(var)}
    words = ["demo", "--fast", "--no-serve", "--port", str(free_port()), "--json", str(var / "demo.json")]
    done = subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=1000)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((var / "demo.json").read_text()), done.stdout


@pytest.fixture(scope="module")
def var() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="dd-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def first(var: Path) -> tuple[dict[str, Any], str]:
    return run_demo(var)


def test_it_accounts_for_every_article(first):
    found = first[0]
    assert found["counts"]["rows"] == found["counts"]["passed"] + sum(found["drops"].values()) == 3824
    assert found["counts"]["passed"] == 3690
    assert sum(found["splits"].values()) == found["counts"]["in_data_set"]


def test_it_leaks_nothing_and_reloads_exactly(first):
    assert first[0]["leakage"] == 0
    assert first[0]["reload_max_diff"] <= 1e-3


def test_it_puts_every_error_beside_its_baselines(first):
    for row in first[0]["mae"].values():
        assert set(row) == {"constant", "ridge", "kernel", "lora", "stack", "repeat"}
        assert row["ridge"] < row["constant"]


def test_it_keeps_the_web_process_small(first):
    assert 0 < first[0]["web_rss_mb"] <= 200


def test_it_prints_the_table_and_a_line_to_score_with(first):
    assert "Mean absolute error on the test split" in first[1]
    assert "/api/v1/score" in first[1]


def test_a_second_demo_changes_nothing(first, var):
    again, _ = run_demo(var)
    volatile = {"seconds", "web_rss_mb"}
    assert {k: v for k, v in again.items() if k not in volatile} == {k: v for k, v in first[0].items() if k not in volatile}
