"""How a claimed run ends: whatever stops its work is written on its row, where a person looks."""

import errno
import os
import signal
from collections.abc import Callable

from django.conf import settings

from distillery_site.common.errors import Cancelled, LeaseLost, Permanent, Transient
from distillery_site.common.runs import Run
from training.running.child import Event

RETRY_SECONDS, KILLED_RETRY_SECONDS = 30, 5


def see_through(run: Run, work: Callable[[], None]) -> None:
    """Do a run's work; it is put back where trying again may help, and left alone where another worker has it."""
    try:
        work()
    except LeaseLost:
        return
    except Cancelled:
        run.stop_cancelled()
    except Transient as error:
        run.put_back(str(error), error.retry_after or RETRY_SECONDS)
    except Permanent as error:
        run.fail(str(error))
    except OSError as error:
        run.put_back(_refusal(error), RETRY_SECONDS)
    except KeyboardInterrupt:
        run.put_back("Interrupted at the keyboard.", 0)
        raise


def _refusal(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" at {error.filename}" if error.filename else ""
        return f"The disk is full{where}: free some space below {settings.VAR}, and the run goes on by itself."
    return f"The machine refused: {error}."


def judge(status: int, complete: bool, error: Event | None, last_words: str, goes_on: str) -> None:
    """Nothing when a process said all that it was started for; otherwise what went wrong, in a sentence for the person.

    `goes_on` says from where the next attempt continues when this one was ended by a signal.
    """
    if status < 0:
        name = signal.Signals(-status).name
        raise Transient(f"The training process was ended by {name}; it goes on {goes_on}.", KILLED_RETRY_SECONDS)
    if status == 0 and complete:
        return
    said = error["text"] if error else f"The training process ended with status {status}.\n{last_words}".strip()
    if status == os.EX_TEMPFAIL or (error and not error.get("permanent", True)):
        raise Transient(said)
    raise Permanent(said)
