"""`manage.py review_queue FILTER`: what waits for people's scores, and more of it by a policy."""

from argparse import ArgumentParser
from typing import Any

from distillery_site.common.commands import Answering
from labeling import lookup
from labeling.models import FilterVersion, ReviewTask
from labeling.reviewing.standing import reasons
from labeling.services import fill_queue
from scoring.queues import QUEUES


class Command(Answering):
    help = "Tell how the review queue of a filter stands. --add puts articles into it that a policy finds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("filter", metavar="FILTER", help="A filter, or its version N as FILTER@N.")
        names = "; ".join(f"{name}: {queue.words.lower()}" for name, queue in QUEUES.items())
        parser.add_argument("--add", default="", choices=["", *QUEUES], metavar="POLICY", help=f"{names}.")
        parser.add_argument("--limit", type=int, default=20, metavar="N", help="How many it may add (default %(default)s).")

    def handle(self, *, filter: str, add: str, limit: int, json: bool, **options: Any) -> None:  # noqa: A002
        version = lookup.version(filter)
        sent = fill_queue(version=version, queue=QUEUES[add], limit=limit) if add else None
        added = {"tasks": len(sent.tasks), "new": sent.new} if sent else None
        told = standing(version)
        lines = [sent.sentence] if sent else []
        lines += [f"{told['waiting']:,} wait, {told['overdue']:,} of them overdue; {told['done']:,} are done."]
        lines += [f"  {words:32} {number:>6,}" for _, words, number in reasons(version.filter)]
        self.answer({**told, "added": added} if sent else told, "\n".join(lines), as_json=json)


def standing(version: FilterVersion) -> dict[str, Any]:
    tasks = ReviewTask.objects.filter(version__filter=version.filter)
    counts = {"waiting": tasks.open().count(), "overdue": tasks.overdue().count(), "done": tasks.exclude(done_at=None).count()}
    return {"version": str(version), **counts, "reasons": {reason: number for reason, _, number in reasons(version.filter)}}
