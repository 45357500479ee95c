"""Tests meet a real Postgres and a real Valkey, started on the first test that asks, in a folder of this run's own."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Settings read the environment once, so this comes before Django; /tmp keeps socket paths short, and the process
# number keeps several test runs on one machine apart.
_VAR = Path(f"/tmp/distillery-test-{os.getpid()}")
os.environ.update(
    DISTILLERY_VAR=str(_VAR), DJANGO_SETTINGS_MODULE="distillery_site.settings", DISTILLERY_DEBUG="no", LOG_LEVEL="WARNING"
)
for _name in ("DATABASE_URL", "REDIS_URL", "ENGINE_URL", "ENGINE_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "EMAIL_HOST"):
    os.environ.pop(_name, None)
_VAR.mkdir(mode=0o755, exist_ok=True)

from distillery_site import celery, local  # noqa: E402, F401  (celery binds shared tasks to the app)
from tests.access import nothing_given_any_more  # noqa: E402, F401  (a fixture)


def pytest_configure() -> None:
    from django.conf import settings

    assert _VAR.resolve() == settings.VAR
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_unconfigure() -> None:
    shutil.rmtree(_VAR, ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """A worker inherits this environment, and would read its settings from it before it has a folder of its own."""
    del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers, each takes whole files, for their fixtures are dear; all that needs the one site goes to one."""
    for item in items:
        shared = "site" in getattr(item, "fixturenames", ()) and "e2e" in item.path.parts
        item.add_marker(pytest.mark.xdist_group("site" if shared else str(item.path)))


def _sweep() -> None:
    """Stop and remove what test runs left behind that were killed before they could."""
    for left in Path("/tmp").glob("distillery-test-*"):
        ours = left.exists() and left.stat().st_uid == os.geteuid()
        if ours and not psutil.pid_exists(int(left.name.rpartition("-")[2])):
            local.stop(left)
            shutil.rmtree(left, ignore_errors=True)


@pytest.fixture(scope="session")
def services() -> Iterator[None]:
    """Embedded Postgres and Valkey for the whole run; ask for it where a test needs Valkey without a database."""
    from django.conf import settings

    _sweep()
    with local.running(settings.VAR, options=("fsync=off", "synchronous_commit=off", "full_page_writes=off")) as moved:
        assert not moved, "Another program took Valkey's port between two lines; run the tests again."
        yield


@pytest.fixture(scope="session")
def django_db_setup(services: None, django_db_setup: None) -> None:
    """pytest-django's own, after the server is up."""


@pytest.fixture
def child_env(transactional_db: None) -> dict[str, str]:
    """The environment of a child process (a worker, a command) that is to see this test's committed rows."""
    from django.conf import settings
    from django.db import connection

    base = settings.DATABASE_URL.rpartition("/")[0]
    return {**os.environ, "DATABASE_URL": f"{base}/{connection.settings_dict['NAME']}", "REDIS_URL": settings.REDIS_URL}


@pytest.fixture(scope="session")
def chromium() -> Iterator["Browser"]:
    """Real Chromium; `make test` finds or installs one and says where in DISTILLERY_BROWSER.

    Playwright's event loop lives in this thread, so a test that uses this can't use the ORM: let a site in another
    process have the rows.
    """
    from playwright.sync_api import sync_playwright

    path = os.environ.get("DISTILLERY_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])  # tests may run as root
        yield browser
        browser.close()
