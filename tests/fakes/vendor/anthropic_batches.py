"""Anthropic's Message Batches."""

import re
from datetime import UTC, datetime
from re import Match
from typing import TYPE_CHECKING, Any

from tests.fakes.vendor.anthropic_checks import asked_for, check_headers, no_unknown
from tests.fakes.vendor.batches import Batch, Batches, Item, Outcome
from tests.fakes.vendor.core import Core, Refused, Route, body_of, reply_json
from tests.fakes.vendor.http import Reply, Request

if TYPE_CHECKING:
    from tests.fakes.vendor.anthropic import Anthropic

MOST_REQUESTS, MOST_BYTES = 100_000, 256 * 1024 * 1024
CUSTOM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
PATH = r"/v1/messages/batches"


class AnthropicBatches:
    def __init__(self, core: Core, api: "Anthropic"):
        self._core, self._api, self.batches = core, api, Batches(core)
        self.routes: list[Route] = [
            ("POST", re.compile(PATH), self._create),
            ("GET", re.compile(PATH), self._list),
            ("GET", re.compile(PATH + r"/([^/]+)"), self._retrieve),
            ("POST", re.compile(PATH + r"/([^/]+)/cancel"), self._cancel),
            ("GET", re.compile(PATH + r"/([^/]+)/results"), self._results),
        ]

    async def _create(self, request: Request, _: Match[str]) -> Reply:
        check_headers(request)
        if len(request.body) > MOST_BYTES:
            raise Refused("413", "Request exceeds the maximum size of 256 MB")
        items = _items(body_of(request))
        model = next((item.asked.model for item in items if item.asked), "")
        batch = Batch(f"msgbatch_{self._core.new_id()}", "anthropic", model, "", len(items), self._core.state.polls)
        trouble = self.batches.create(batch, items, self._word)
        reply = self._show(request, batch)
        reply.drop = "before" if trouble in ("drop", "lost_submit") else ""
        return reply

    async def _list(self, request: Request, _: Match[str]) -> Reply:
        check_headers(request)
        newest = list(reversed(self.batches.known.values()))
        if after := request.query.get("after_id"):
            newest = newest[[batch.id for batch in newest].index(after) + 1 :]
        limit = int(request.query.get("limit", 20))
        page = [self._words(request, batch) for batch in newest[:limit]]
        ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
        return reply_json({"data": page, "has_more": len(newest) > limit, **ends})

    async def _retrieve(self, request: Request, found: Match[str]) -> Reply:
        check_headers(request)
        batch = self._known(found[1])
        trouble = self.batches.troubled("poll_")
        self.batches.look(batch)
        reply = self._show(request, batch)
        reply.drop = trouble
        return reply

    async def _cancel(self, request: Request, found: Match[str]) -> Reply:
        check_headers(request)
        batch = self._known(found[1])
        self.batches.cancel(batch, self._word)
        return self._show(request, batch)

    async def _results(self, request: Request, found: Match[str]) -> Reply:
        check_headers(request)
        batch = self._known(found[1])
        if batch.ended is None:
            raise Refused("404", f"{batch.id} has no available results: it is still in progress")
        return self.batches.download(batch, batch.results)

    def _known(self, batch_id: str) -> Batch:
        if batch_id not in self.batches.known:
            raise Refused("404", f"batch not found: {batch_id}")
        return self.batches.known[batch_id]

    def _show(self, request: Request, batch: Batch) -> Reply:
        return reply_json(self._words(request, batch), headers={"request-id": f"req_{self._core.new_id()}"})

    def _words(self, request: Request, batch: Batch) -> dict[str, Any]:
        counts = batch.counts
        names = ("processing", "succeeded", "errored", "canceled", "expired")
        status = "ended" if batch.ended else "canceling" if batch.cancelled else "in_progress"
        host = request.headers.get("host", "")
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": {name: counts[name] for name in names},
            "created_at": _when(batch.created),
            "expires_at": _when(batch.created + 24 * 3600),
            "ended_at": _when(batch.ended),
            "cancel_initiated_at": _when(batch.cancelled),
            "archived_at": None,
            "results_url": f"http://{host}{PATH}/{batch.id}/results" if batch.ended else None,
        }

    def _word(self, outcome: Outcome) -> dict[str, Any]:
        result: dict[str, Any] = {"type": outcome.kind}
        if outcome.said and outcome.item.asked:
            result["message"] = self._api.render(outcome.item.asked, outcome.said, outcome.request_id)
        if outcome.kind == "errored":
            result["error"] = self._api.error_body(outcome.error, outcome.item.why, outcome.request_id)
        return {"custom_id": outcome.item.custom_id, "result": result}


def _when(moment: float | None) -> str | None:
    return datetime.fromtimestamp(moment, UTC).isoformat() if moment else None


def _items(body: dict[str, Any]) -> list[Item]:
    no_unknown(body, {"requests"})
    requests = body.get("requests")
    if not requests:
        raise Refused("400", "requests: at least one is required")
    if len(requests) > MOST_REQUESTS:
        raise Refused("413", f"requests: at most {MOST_REQUESTS} are allowed")
    names = [request.get("custom_id") for request in requests]
    for place, name in enumerate(names):
        if not isinstance(name, str) or not CUSTOM_ID.fullmatch(name):
            raise Refused("400", f"requests.{place}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
    if len(set(names)) < len(names):
        raise Refused("400", "requests: custom_id must be unique within a batch")
    return [_item(place, request) for place, request in enumerate(requests)]


def _item(place: int, request: dict[str, Any]) -> Item:
    """Unknown keys are refused at once; what a model or a conversation lacks only shows in the result."""
    no_unknown(request, {"custom_id", "params"}, f"requests.{place}.")
    try:
        return Item(request["custom_id"], asked_for(request["params"], f"requests.{place}.params."))
    except Refused as refused:
        if refused.message.endswith(("not permitted", "no longer supported")):
            raise
        return Item(request["custom_id"], None, refused.name, refused.message)
