"""Eight people review one queue over HTTP while the web process is killed with -9, twice: is anything lost or doubled?"""

import threading
import time
from argparse import Namespace
from collections import Counter
from typing import Any

from labeling.models import FilterVersion
from scripts.bench import review_world as world
from scripts.bench.review_books import books
from scripts.bench.review_people import Person
from scripts.bench.review_site import Newsroom
from scripts.bench.say import tell
from scripts.bench.site import until

SHARED = 6  # every sixth article is for two people
PAUSE = 0.6  # seconds of thought


def crash(place: Newsroom, options: Namespace) -> dict[str, Any]:
    version = world.version()
    fill(version, options.queue)
    people = [Person(place.url, f"crash{number}", world.PASSWORD) for number in range(options.people)]
    for person in people:
        world.reviewer(person.name, version)
        person.sign_in()
    begun = time.monotonic()
    threads = [threading.Thread(target=person.work, args=(begun + options.seconds, PAUSE)) for person in people]
    for thread in threads:
        thread.start()
    down = [killed(place, begun + options.seconds * share) for share in (1 / 3, 2 / 3)]
    for thread in threads:
        thread.join()
    sent = [said for person in people for said in person.outbox]
    counts = dict(sum((person.counts for person in people), Counter[str]()))
    tell(f"crash: {len(sent)} reviews in {time.monotonic() - begun:.0f} s; {counts}")
    return {**books(version, sent), "crash_reviews": len(sent), "crash_seconds_down": down, "crash_counts": counts}


def fill(version: FilterVersion, size: int) -> None:
    found = world.articles("crash", size)
    world.label(version, found[::2])
    world.queue(version, [one for place, one in enumerate(found) if place % SHARED])
    world.queue(version, found[::SHARED], wanted=2)
    tell(f"crash: {size} articles wait")


def killed(place: Newsroom, moment: float) -> float:
    """Kill the web process then; the seconds until it answers again."""
    time.sleep(max(0.0, moment - time.monotonic()))
    begun, pids = time.monotonic(), place.kill_web()
    tell(f"crash: kill -9 {pids}")
    until(place.answers, 120, place.said)
    return round(time.monotonic() - begun, 1)
