"""What the web process and the workers import when they start; what is heavy waits until it is asked for."""

import subprocess
import sys

import pytest

SDKS = ("anthropic", "openai", "google.genai", "genai_prices", "py3langid", "torch", "sklearn")
CHILD = "import django, sys; django.setup(); import {}; print([m for m in {} if m in sys.modules])"


def loaded(modules: str, heavy: tuple[str, ...]) -> tuple[str, str]:
    command = [sys.executable, "-c", CHILD.format(modules, heavy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.stdout.strip(), done.stderr


def test_labelling_services_load_nothing_heavy():
    assert loaded("labeling.services, labeling.tasks, labeling.running.engage", (*SDKS, "httpx2", "numpy")) == ("[]", "")


@pytest.mark.parametrize("process", ["distillery_site.urls", "distillery_site.celery, distillery_site.tasks, labeling.tasks"])
def test_no_process_loads_a_vendors_client_by_being_started(process: str):
    assert loaded(process, SDKS) == ("[]", "")
