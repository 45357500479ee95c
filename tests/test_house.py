"""The house's walls: who may import whom."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_imports_follow_the_one_arrow():
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint, "--config", "pyproject.toml"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


def test_package_init_files_stay_empty_but_for_tables_which_django_looks_for_there():
    apps = ("distillery_site", "labeling", "training", "scoring")
    full = [path for app in apps for path in (ROOT / app).rglob("__init__.py") if path.read_text().strip()]
    assert [path for path in full if path.parent.name != "models"] == []
