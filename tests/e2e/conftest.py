"""A whole Distillery of its own for the journeys: real services, real workers, real Chromium, a fake vendor."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import articles
from tests.fakes.tiny_base import make_tiny_base
from tests.fakes.vendor import KEY, FakeVendor

ROOT = Path(__file__).resolve().parents[2]
FILTER = Path(__file__).parent / "clear_writing"
START_SECONDS = 120
CLAUDE = ("label", "clear_writing", "--provider", "anthropic", "--model", "claude-haiku-5-5")
GEMINI = ("label", "clear_writing", "--provider", "gemini", "--size", "12")
BATCH = ("label", "clear_writing", "--provider", "openai", "--size", "6", "--batch")
PAID = ("--agree", "--budget", "5")
KINDS = ("ridge", "kernel", "lora", "stack")
LORA = ("train", "gate", "--student", "lora", "--preset", "tiny")
SHORT = ("--set", "max_tokens=64", "--set", "max_lost_share=1")
BACK = ("--filter", "clear_writing", "--base", "qwen2", "--name", "back")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """`manage.py up` in a folder of its own, and commands beside it."""

    def __init__(self, var: Path, vendor: str):
        self.var, self.port = var, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        services = ("DATABASE_URL", "REDIS_URL", "ENGINE_URL", "ENGINE_TOKEN")
        self.env = {name: value for name, value in os.environ.items() if name not in services}
        self.env |= {"DISTILLERY_VAR": str(var), "PORT": str(self.port)}
        self.env |= {"ANTHROPIC_BASE_URL": vendor, "GEMINI_BASE_URL": vendor, "OPENAI_BASE_URL": f"{vendor}/v1"}
        self.env |= dict.fromkeys(("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"), KEY)
        self.log = (var / "up.log").open("w")
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "manage.py", "up", "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=self.log, stderr=self.log, text=True)
        deadline = time.monotonic() + START_SECONDS
        while not self.healthy():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.3)

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        self.log.close()

    def said(self) -> str:
        return (self.var / "up.log").read_text()[-6000:]

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def manage(self, *words: str | Path, fails: bool = False) -> Any:
        """Run one command with --json and return what it printed."""
        command = [sys.executable, "manage.py", *map(str, words), "--json"]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=300)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr + self.said()
        return done.stderr if fails else json.loads(done.stdout.strip().splitlines()[-1])

    def password(self) -> str:
        """The first admin's, as printed once at the first start."""
        lines = [line for line in self.said().splitlines() if "password" in line.lower()]
        return lines[0].split()[-1]


@pytest.fixture(scope="session")
def vendor() -> Iterator[FakeVendor]:
    with FakeVendor() as server:
        yield server


@pytest.fixture(scope="session")
def site(vendor: FakeVendor) -> Iterator[Site]:
    var = Path(tempfile.mkdtemp(prefix="dl-", dir="/tmp"))
    var.chmod(0o755)
    place = Site(var, vendor.url)
    try:
        place.start()
        yield place
    finally:
        place.stop()
        shutil.rmtree(var, ignore_errors=True)


@pytest.fixture(scope="session")
def loop(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every step in order; what each printed."""
    folder = tmp_path_factory.mktemp("loop")
    base = make_tiny_base(folder / "qwen2")
    said = {
        "filter": site.manage("import_filter", FILTER),
        "articles": site.manage("import_articles", articles.write(folder / "articles.jsonl"), "--source", "made"),
        "prefilter": site.manage("prefilter", "clear_writing"),
        "plan": site.manage(*CLAUDE, "--plan"),
        "pilot": site.manage(*CLAUDE, "--pilot", *PAID),
        "label": site.manage(*CLAUDE, *PAID),
        "again": site.manage(*CLAUDE, "--readings", "2", "--subset", "12", *PAID),
        "freeze": site.manage("freeze", "gate", "--filter", "clear_writing"),
        "second oracle": site.manage(*GEMINI, *PAID),
        "batch plan": site.manage(*BATCH, "--plan"),
        "batch": site.manage(*BATCH, *PAID),
        "ridge": site.manage("train", "gate", "--student", "ridge"),
        "estimate": site.manage(*LORA, "--base", base, "--estimate"),
        "lora": site.manage(*LORA, "--base", base),
        "kernel": site.manage("train", "gate", "--student", "kernel", "--base", base, *SHORT),
        "stack": site.manage("train", "gate", "--student", "stack"),
    }
    for kind in KINDS:
        said[f"benchmark {kind}"] = site.manage("benchmark", f"gate-{kind}", "--split", "test")
    said["promote ridge"] = site.manage("promote", "gate-ridge", "--filter", "clear_writing")
    said["compare"] = site.manage("compare", "gate-stack", "gate-ridge")
    said["promote"] = site.manage("promote", "gate-stack", "--filter", "clear_writing", "--force", "the gate's own choice")
    said["queue"] = site.manage("review_queue", "clear_writing", "--add", "gap", "--limit", "4")
    said["curve"] = site.manage("learning_curve", "gate", "--shares", "0.3", "0.5", "0.7", "1")
    said["export"] = site.manage("export_model", "gate-lora/v1", "--out", folder / "exported")
    said["import"] = site.manage("import_adapter", folder / "exported", *BACK)
    said["benchmark back"] = site.manage("benchmark", "back", "--split", "test", "--dataset", "gate")
    return said
