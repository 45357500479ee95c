"""The doctor's findings, on this test run's own services and on broken ones."""

import json
import shutil
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from distillery_site import doctor, local
from distillery_site.doctor import Finding
from distillery_site.embedded.home import LocalError
from tests.fakes.vendor import KEY, FakeVendor
from training.hardware import Gpu, Machine

pytestmark = pytest.mark.django_db


def named(name: str) -> list[Finding]:
    return [finding for finding in doctor.examine() if finding.name == name]


@pytest.fixture(autouse=True)
def no_one_listens(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Asking the queue for workers takes a second; the site under test is none that happens to run on this machine."""
    monkeypatch.setattr(doctor.app.control, "inspect", lambda timeout: Listening())
    settings.WEB_PORT = 1
    settings.ENGINE_URL = "http://127.0.0.1:1"


class Listening:
    def active_queues(self) -> dict[str, Any]:
        return {"score@here": [{"name": "score"}]}


def test_it_finds_nothing_wrong_with_a_machine_that_works() -> None:
    levels = {finding.level for finding in doctor.examine()}
    assert levels <= {"ok", "note"}


def test_every_finding_is_a_sentence() -> None:
    assert all(finding.sentence.endswith(".") and finding.sentence[0].isupper() for finding in doctor.examine())


def test_it_tells_which_lanes_have_a_worker() -> None:
    sentences = [(finding.level, finding.sentence.partition(";")[0]) for finding in named("workers")]
    assert ("ok", "A worker listens on score.") in sentences
    assert ("note", "No worker listens on label") in sentences


def test_a_full_disk_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(2**40, 2**40, 2**29))
    assert doctor.disk().level == "problem" and "has 0.5 GB free" in doctor.disk().sentence


def test_a_missing_package_names_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "installed", lambda name: name != "torch")
    assert "For students, torch is missing here" in " ".join(finding.sentence for finding in doctor.packages())


def test_it_names_the_accelerator_or_that_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu("RTX 4090", 24 * 2**30, "550", True)
    monkeypatch.setattr(doctor.hardware, "machine", lambda: Machine((gpu,), "A processor", 2, 2**34, frozenset()))
    assert doctor.accelerator().level == "ok" and "RTX 4090 with 24 GB" in doctor.accelerator().sentence
    monkeypatch.setattr(doctor.hardware, "machine", lambda: Machine((), "A processor", 2, 2**34, frozenset()))
    assert doctor.accelerator().level == "note" and "no NVIDIA GPU here" in doctor.accelerator().sentence


def test_services_that_cannot_run_are_a_problem_and_the_rest_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*wanted: Any) -> None:
        raise LocalError("The disk is full.")

    monkeypatch.setattr(local, "running", refuse)
    found = {finding.name: finding for finding in doctor.examine()}
    assert found["services"] == Finding("services", "problem", "The disk is full.")
    assert found["engine"].level == "note"


def test_a_process_that_answers_with_an_error_is_a_problem() -> None:
    class Ill(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        def log_message(self, *args: Any) -> None:
            """Not in the test's output."""

    with HTTPServer(("127.0.0.1", 0), Ill) as server:
        Thread(target=server.handle_request, daemon=True).start()
        found = doctor.answers("web", f"http://127.0.0.1:{server.server_port}/health")
    assert found.level == "problem" and "answers with status 503" in found.sentence


def test_a_queue_that_does_not_answer_is_a_problem(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    assert doctor.valkey().level == "problem"


def test_a_folder_that_does_not_exist_yet_is_judged_by_its_parent(settings: Any, tmp_path: Path) -> None:
    settings.VAR = tmp_path / "new" / "var"
    assert doctor.folder().level == "ok"


def test_the_command_prints_json_and_fails_on_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = Finding("disk", "problem", "It is full.")
    monkeypatch.setattr("distillery_site.management.commands.doctor.examine", lambda probe: iter([bad]))
    with pytest.raises(CommandError, match="1 problem found"):
        call_command("doctor", json=True)
    assert json.loads(capsys.readouterr().out)["findings"] == [{"name": "disk", "level": "problem", "sentence": "It is full."}]


def test_it_says_which_vendors_can_be_asked(settings: Any) -> None:
    settings.ANTHROPIC_API_KEY, settings.GEMINI_API_KEY, settings.OPENAI_API_KEY = "secret-key", "", ""
    settings.OPENAI_BASE_URL = "http://localhost:8000/v1"
    sentences = [finding.sentence for finding in doctor.oracle_keys()]
    assert sentences == [
        "ANTHROPIC_API_KEY is set, so anthropic can be asked.",
        "OPENAI_BASE_URL is on this machine, so openai is asked without a key.",
        "Not set: GEMINI_API_KEY. Recorded and external labels need no key.",
    ]


def test_probing_asks_each_vendor_something_tiny(settings: Any) -> None:
    with FakeVendor() as server:
        settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = KEY, server.url
        settings.GEMINI_API_KEY, settings.GEMINI_BASE_URL = "wrong", server.url
        settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "", "https://example.org/v1"
        found = list(doctor.probes())
    assert [finding.level for finding in found] == ["ok", "problem"]
    assert "claude-haiku-5-5" in found[0].sentence and "GEMINI_API_KEY" in found[1].sentence
