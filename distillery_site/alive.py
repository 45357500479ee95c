"""`python -m distillery_site.alive web`: whether this program of `manage.py up` runs here and, if it has an address, answers.

For containers' health checks: exit status 0 or 1, without Django and in a tenth of a second.
"""

import sys
import urllib.error
import urllib.request
from pathlib import Path

from distillery_site.child import health_address, known_process
from distillery_site.common import env


def alive(name: str, folder: Path) -> bool:
    note = folder / f"{name}.json"
    if known_process(note) is None:
        return False
    address = health_address(note)
    return not address or answers(address)


def answers(url: str, patience: float = 3.0) -> bool:
    """Whether something answers there and isn't ill; a refusal that concerns only this caller counts as an answer."""
    try:
        with urllib.request.urlopen(url, timeout=patience):  # noqa: S310 (an address of our own)
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(not alive(sys.argv[1], env.path("DISTILLERY_VAR", Path(__file__).resolve().parent.parent / "var") / "run"))
