"""Short work for a process of its own that is no run: a person waits for it at a command line. No rows."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings

from distillery_site.common.errors import Permanent
from training.running.child import Child, Event
from training.running.launching import STUDENT, TICK_SECONDS, child_environment


def send(words: Sequence[str], *, say: Callable[[str], None], student: Sequence[str] = STUDENT) -> Event:
    """Run `python -m training.student WORDS`, pass on its notes, and give its `done` event; Permanent with its own sentence."""
    said: dict[str, Event] = {}
    with tempfile.TemporaryDirectory(prefix="distillery-errand-") as folder:
        child = Child.start([*student, *words], folder=Path(folder), cwd=Path(settings.BASE_DIR), env=child_environment())
        try:
            for event in child.events(TICK_SECONDS):
                if event is not None and event["event"] == "note":
                    say(event["text"])
                elif event is not None:
                    said[event["event"]] = event
        finally:
            status = child.stop()
        last_words = child.last_words()
    if status == 0 and "done" in said:
        return said["done"]
    raise Permanent(
        said["error"]["text"] if "error" in said else f"The process ended with status {status}.\n{last_words}".strip()
    )
