"""Everything that one machine runs, started together, restarted when it dies, stopped in order.

Our own, for the ready-made ones stop everything when one program ends (honcho) or want configuration files and a
daemon of their own; this is one terminal, prefixed logs and nothing to configure.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.color import supports_color

from distillery_site import local
from distillery_site.accounts import first_start
from distillery_site.alive import answers
from distillery_site.celery import QUEUES
from distillery_site.child import Child, Program
from distillery_site.common.errors import BadInput, DistilleryError
from distillery_site.embedded.home import LocalError

NAMES = ("web", "engine", *QUEUES, "beat")
STOP_SECONDS = (3.0, 5.0, 2.0)  # by stage: those who ask, those who work, those who answer
LOOK_EVERY, SERVICES_EVERY = 0.25, 3.0
COLOURS = (36, 35, 32, 33, 34, 31, 96)


def programs(*, port: int | None = None, only: Sequence[str] = ()) -> list[Program]:
    """What runs on this machine; `only` names some of it, for several machines on one database and queue."""
    unknown = sorted(set(only) - set(NAMES))
    if unknown:
        raise BadInput(f"There is no program called {', '.join(unknown)}: choose from {', '.join(NAMES)}.")
    table = {"web": _web(port or settings.WEB_PORT), "engine": _engine(), "beat": _beat()} | {
        name: _worker(name) for name in QUEUES
    }
    return [table[name] for name in NAMES if not only or name in only]


def _web(port: int) -> Program:
    """One process with threads: each more would hold Django's 80 MB again and wait for the same two cores."""
    address = f"{settings.WEB_HOST}:{port}"
    beats = "/dev/shm" if Path("/dev/shm").is_dir() else str(settings.VAR / "run")  # noqa: S108
    options = ("--workers", "1", "--worker-class", "gthread", "--threads", "8", "--timeout", "120", "--graceful-timeout", "3")
    tidy = ("--max-requests", "20000", "--worker-tmp-dir", beats, "--no-control-socket", "--log-level", "warning")
    command = (sys.executable, "-m", "gunicorn", "distillery_site.wsgi:application", "--bind", address, *options, *tidy)
    return Program("web", command, stage=0, health=f"{web_url(port)}/health", env={"PORT": str(port)})


def web_url(port: int) -> str:
    host = "localhost" if settings.WEB_HOST in ("0.0.0.0", "::") else settings.WEB_HOST  # noqa: S104 (compared, not bound)
    return f"http://{host}:{port}"


def _engine() -> Program:
    place = ("--host", settings.ENGINE_BIND, "--port", str(urlsplit(settings.ENGINE_URL).port or 80))
    files = ("--models", str(settings.MODELS_ROOT), "--bases", str(settings.BASES_ROOT))
    command = (sys.executable, "-m", "scoring.engine", *files, *place)
    return Program(
        "engine", command, stage=2, env={"ENGINE_TOKEN": settings.ENGINE_TOKEN}, health=f"{settings.ENGINE_URL}/health"
    )


def _celery(*words: str) -> tuple[str, ...]:
    root = ("-W", "ignore:You're running the worker with superuser")  # nothing pickled is accepted, so root is no danger
    options = ("--quiet", "--skip-checks", "-A", "distillery_site.celery")  # checks would load every view
    return (sys.executable, *root, "-m", "celery", *options, *words, "--loglevel", "WARNING")


def _worker(queue: str) -> Program:
    """The solo pool: one process instead of two, and a lane does one thing at a time anyway."""
    command = _celery("worker", "-Q", queue, "-n", f"{queue}@%h", "--pool", "solo", "--without-gossip", "--without-mingle")
    return Program(queue, command, nice=5 if queue == "gpu" else 0)


def _beat() -> Program:
    return Program("beat", _celery("beat", "--schedule", str(settings.VAR / "run" / "beat"), "--pidfile", ""), stage=0)


class Supervisor:
    """`quiet` sends what the programs write to var/run/NAME.log instead of the terminal."""

    def __init__(self, wanted: Sequence[Program], *, quiet: bool = False, say: Callable[[str], None] = print):
        self.say, self.folder = say, settings.VAR / "run"
        self._stopping, self._speaking = threading.Event(), threading.Lock()
        self._colour = supports_color()
        self.children = [Child(one, self.folder, settings.BASE_DIR, None if quiet else self._ear(one.name)) for one in wanted]
        self._keeper = threading.Thread(target=self._keep, name="supervisor", daemon=True)

    @property
    def url(self) -> str:
        """Where the dashboard is, if it is run here."""
        return next((web_url(int(child.program.env["PORT"])) for child in self.children if child.program.name == "web"), "")

    def start(self) -> None:
        """Claim the programs and their ports, bring the database up to date, start everything."""
        self.claim()
        self._check_ports()
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # or whitenoise warns; what it serves is found in the apps
        password = first_start()
        if password:
            self.say(f"Sign in as admin; this is shown only once, change it there. Its password: {password}")
        for child in self.children:
            child.start()
        self._keeper.start()

    def claim(self) -> None:
        """Refuse when another command keeps one of them; end what a killed one left behind."""
        for child in self.children:
            child.claim()

    def _check_ports(self) -> None:
        for child in self.children:
            if child.program.name == "web":
                port = int(child.program.env["PORT"])
                if not local.port_is_free(port, settings.WEB_HOST):
                    raise LocalError(f"Port {port} on {settings.WEB_HOST} is in use by another program: choose one with --port.")
            if child.program.name == "engine":
                self._check_engine_port()

    def _check_engine_port(self) -> None:
        port = urlsplit(settings.ENGINE_URL).port or 80
        if local.port_is_free(port, settings.ENGINE_BIND):
            return
        if not settings.EMBEDDED_ENGINE:
            raise LocalError(f"Port {port} for the scoring process is in use by another program: change ENGINE_URL.")
        local.move_port(settings.VAR, "engine")
        local.run_again()

    def ready(self, timeout: float) -> None:
        """Wait until every program that has a health address answers; raises a sentence when one doesn't."""
        deadline = time.monotonic() + timeout
        for child in self.children:
            while child.program.health and not answers(child.program.health):
                if time.monotonic() > deadline:
                    where = child.log if child.hear is None else "its lines above"
                    raise LocalError(f"{child.program.name} does not answer at {child.program.health}: see {where}.")
                time.sleep(0.25)

    def wait(self) -> None:
        """Until somebody calls stop, or a signal interrupts."""
        while not self._stopping.wait(1.0):
            pass

    def stop(self) -> None:
        """Stop stage by stage, in ten seconds at most; what doesn't stop by then is killed with all it started."""
        self._stopping.set()
        if self._keeper.is_alive():
            self._keeper.join(10)
        for stage, seconds in enumerate(STOP_SECONDS):
            deadline = time.monotonic() + seconds
            children = [child for child in self.children if child.program.stage == stage]
            for child in children:
                child.ask_to_stop()
            for child in children:
                child.insist(deadline)
        for child in self.children:
            child.release()

    def rss_mb(self, name: str) -> float:
        """Resident memory of a program with all its processes, in MB."""
        return next(child.rss_mb() for child in self.children if child.program.name == name)

    def _keep(self) -> None:
        next_look = time.monotonic() + SERVICES_EVERY
        while not self._stopping.wait(LOOK_EVERY):
            for child in self.children:
                news = child.keep()
                if news:
                    self._tell(child.program.name, news)
            if time.monotonic() > next_look:
                self._keep_services()
                next_look = time.monotonic() + SERVICES_EVERY

    def _keep_services(self) -> None:
        wanted = (settings.VAR, settings.EMBEDDED_POSTGRES, settings.EMBEDDED_VALKEY)
        if local.is_running(*wanted):
            return
        try:
            local.start(*wanted)
            self._tell("services", "were gone and run again")
        except DistilleryError as error:
            self._tell("services", str(error))

    def _ear(self, name: str) -> Callable[[str], None]:
        return lambda line: self._tell(name, line)

    def _tell(self, name: str, line: str) -> None:
        prefix = f"{name:<8} │"
        if self._colour:
            colour = COLOURS[NAMES.index(name) % len(COLOURS)] if name in NAMES else 31
            prefix = f"\033[{colour}m{prefix}\033[0m"
        with self._speaking:
            self.say(f"{prefix} {line}")
