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

from django.apps import apps
from django.conf import settings
from django.core.management.color import supports_color
from django.db import DatabaseError
from django.utils import timezone

from distillery_site import local
from distillery_site.accounts import first_start
from distillery_site.alive import answers
from distillery_site.celery import QUEUES
from distillery_site.child import Child, Program
from distillery_site.common.errors import BadInput, DistilleryError
from distillery_site.common.runs import Run, RunState
from distillery_site.embedded.home import LocalError
from training.student.lease import GPU_LEASE

NAMES = ("web", "engine", *QUEUES, "beat")
STOP_SECONDS = (3.0, 5.0, 2.0)  # by stage: those who ask, those who work, those who answer
HEAD_START = 15.0  # seconds in which the dashboard and the scoring process have the processors to themselves
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
    rule = ("--lease", str(settings.VAR / GPU_LEASE), "--while-training", settings.ENGINE_WHILE_TRAINING)
    share = ("--gpu-share", str(settings.ENGINE_GPU_SHARE))
    command = (sys.executable, "-m", "scoring.engine", *files, *place, *rule, *share)
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
        self._stopping, self._stopped = threading.Event(), threading.Event()
        self._looking, self._speaking = threading.Lock(), threading.Lock()
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
        first = [child for child in self.children if child.program.health]
        for child in first:
            child.start()
        self._keeper.start()
        self._wait_for(first, HEAD_START)
        for child in self.children:
            if child not in first:
                child.start()

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
        late = self._wait_for([child for child in self.children if child.program.health], timeout)
        if late:
            where = "its lines above" if late.hear else late.log
            raise LocalError(f"{late.program.name} does not answer at {late.program.health}: see {where}.")

    def _wait_for(self, children: Sequence[Child], seconds: float) -> Child | None:
        """Wait until these answer; returns the first that doesn't in time."""
        deadline = time.monotonic() + seconds
        for child in children:
            while not answers(child.program.health, patience=10.0):
                if time.monotonic() > deadline:
                    return child
                time.sleep(0.25)
        return None

    def wait(self) -> None:
        """Until somebody calls stop, or a signal interrupts."""
        while not self._stopping.wait(1.0):
            pass

    def stop(self) -> None:
        """Stop stage by stage, in ten seconds at most; what doesn't stop by then is killed with all it started."""
        self._stopping.set()
        with self._looking:  # a program that is being started again just now is stopped with the others
            pass
        for stage, seconds in enumerate(STOP_SECONDS):
            deadline = time.monotonic() + seconds
            children = [child for child in self.children if child.program.stage == stage]
            for child in children:
                child.ask_to_stop()
            for child in children:
                child.insist(deadline)
        if self._keeper.ident and settings.EMBEDDED_POSTGRES:
            let_go()
        for child in self.children:
            child.release()
        self._stopped.set()

    def rss_mb(self, name: str) -> float:
        """Resident memory of a program with all its processes, in MB."""
        return next(child.rss_mb() for child in self.children if child.program.name == name)

    def _keep(self) -> None:
        """A program ends with the thread that started it, so this one outlives its last look until all are stopped."""
        next_look = time.monotonic() + SERVICES_EVERY
        while not self._stopping.wait(LOOK_EVERY):
            with self._looking:
                self._look()
            if time.monotonic() > next_look:
                self._keep_services()
                next_look = time.monotonic() + SERVICES_EVERY
        self._stopped.wait()

    def _look(self) -> None:
        for child in self.children:
            news = "" if self._stopping.is_set() else child.keep()
            if news:
                self._tell(child.program.name, news)

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


def let_go() -> None:
    """Make running runs due at once, for their workers are gone; anyone else keeps theirs with the next heartbeat."""
    for model in apps.get_models():
        if issubclass(model, Run):
            try:
                model.objects.filter(state=RunState.RUNNING).update(lease_until=timezone.now())
            except DatabaseError:  # it went down before us; then the leases run out by themselves
                return
