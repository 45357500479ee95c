"""Gemini's batches, with requests and results in files, or inline in the calls that make the batch and look at it."""

import json
import re
from datetime import UTC, datetime
from re import Match
from typing import TYPE_CHECKING, Any

from tests.fakes.vendor.batches import Batch, Batches, Item, Outcome
from tests.fakes.vendor.core import Core, Refused, Route, body_of, reply_json
from tests.fakes.vendor.gemini_checks import asked_for, check_key, check_model, no_unknown
from tests.fakes.vendor.gemini_files import RESULTS, GeminiFiles
from tests.fakes.vendor.http import Reply, Request

if TYPE_CHECKING:
    from tests.fakes.vendor.gemini import Gemini

MOST_BYTES = 20 * 1024 * 1024
PATH = r"/v1(?:beta)?/batches"
TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"
CODES = {"expired": (4, "The request expired."), "canceled": (1, "The request was cancelled.")}
ERROR_CODES = {"400": 3, "404": 5, "429": 8, "500": 13, "529": 14}


class GeminiBatches:
    def __init__(self, core: Core, api: "Gemini"):
        self._core, self._api, self.batches = core, api, Batches(core)
        self.routes: list[Route] = [
            ("POST", re.compile(r"/v1(?:beta)?/models/([^/:]+):batchGenerateContent"), self._create),
            ("GET", re.compile(PATH), self._list),
            ("GET", re.compile(PATH + r"/([^/:]+)"), self._get),
            ("POST", re.compile(PATH + r"/([^/:]+):cancel"), self._cancel),
        ]
        self._files = GeminiFiles(core, self.batches)
        self.routes += self._files.routes

    async def _create(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        check_model(found[1])
        if len(request.body) > MOST_BYTES:
            raise Refused("413", "too large")
        body = body_of(request)
        no_unknown(body, {"batch"})
        no_unknown(body["batch"], {"displayName", "inputConfig", "priority"}, "batch")
        source = body["batch"]["inputConfig"]
        in_file = "fileName" in source
        items = _lines(self._files.content(source["fileName"]), found[1]) if in_file else _inlined(source, found[1])
        name, polls = body["batch"].get("displayName", ""), self._core.state.polls
        batch = Batch(self._core.new_id(), "gemini", found[1], name, len(items), polls, extra={"file": in_file})
        trouble = self.batches.create(batch, items, self._word_line if in_file else self._word)
        reply = reply_json(self._words(batch))
        reply.drop = "before" if trouble in ("drop", "lost_submit") else ""
        return reply

    async def _list(self, request: Request, _: Match[str]) -> Reply:
        check_key(request)
        newest = list(reversed(self.batches.known.values()))
        size, start = int(request.query.get("pageSize", 20)), int(request.query.get("pageToken", 0))
        page: dict[str, Any] = {"operations": [self._words(batch) for batch in newest[start : start + size]]}
        if len(newest) > start + size:
            page["nextPageToken"] = str(start + size)
        return reply_json(page)

    async def _get(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        batch = self._known(found[1])
        trouble = self.batches.troubled("poll_")
        self.batches.look(batch)
        reply = reply_json(self._words(batch))
        if batch.ended and not batch.fate and not batch.extra["file"]:
            reply.body = self._with_results(reply.body, batch)
            reply.entries = [result.entry for result in batch.results if result.entry]
        reply.drop = trouble
        return reply

    async def _cancel(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        batch = self._known(found[1])
        self.batches.cancel(batch, self._word_line if batch.extra["file"] else self._word)
        return reply_json({})

    def _known(self, name: str) -> Batch:
        if name not in self.batches.known:
            raise Refused("404", f"batches/{name} was not found")
        return self.batches.known[name]

    def _words(self, batch: Batch) -> dict[str, Any]:
        counts = batch.counts
        failed = counts["errored"] + counts["expired"] + counts["canceled"]
        stats = {"requestCount": batch.count, "successfulRequestCount": counts["succeeded"], "failedRequestCount": failed}
        stats["pendingRequestCount"] = counts["processing"]
        metadata = {
            "@type": TYPE,
            "name": f"batches/{batch.id}",
            "model": f"models/{batch.model}",
            "displayName": batch.name,
            "state": f"BATCH_STATE_{_state(batch)}",
            "createTime": _when(batch.created),
            "updateTime": _when(batch.ended or batch.created),
            "batchStats": {name: str(number) for name, number in stats.items() if number},
        }
        operation: dict[str, Any] = {"name": f"batches/{batch.id}", "metadata": metadata}
        if batch.ended:
            metadata["endTime"] = _when(batch.ended)
            operation["done"] = True
        if batch.ended and batch.extra["file"] and not batch.fate:
            metadata["output"] = {"responsesFile": f"files/{RESULTS}{batch.id}"}
        if batch.ended and batch.fate == "failed":
            operation["error"] = {"code": 13, "message": "scripted"}
        return operation

    def _with_results(self, body: bytes, batch: Batch) -> bytes:
        lines = b", ".join(result.line for result in batch.results)
        output = b'"output": {"inlinedResponses": {"inlinedResponses": [%b]}}' % lines
        return body.replace(b'"metadata": {', b'"metadata": {%b, ' % output, 1)

    def _word(self, outcome: Outcome) -> dict[str, Any]:
        item = outcome.item
        named = {"metadata": {"key": item.custom_id}} if item.custom_id else {}
        if outcome.said and item.asked:
            return {**named, "response": self._api.render(item.asked, outcome.said, outcome.request_id)}
        code, message = CODES.get(outcome.kind, (ERROR_CODES.get(outcome.error, 13), item.why))
        return {**named, "error": {"code": code, "message": message}}

    def _word_line(self, outcome: Outcome) -> dict[str, Any]:
        words = self._word(outcome)
        words.pop("metadata", None)
        return {"key": outcome.item.custom_id, **words}


def _state(batch: Batch) -> str:
    if batch.ended is None:
        return "RUNNING" if batch.worked_off else "PENDING"
    if batch.cancelled:
        return "CANCELLED"
    return batch.fate.upper() or "SUCCEEDED"


def _when(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _lines(content: bytes, model: str) -> list[Item]:
    return [_item(line["key"], line["request"], model) for line in map(json.loads, content.splitlines())]


def _inlined(source: dict[str, Any], model: str) -> list[Item]:
    requests = source["requests"]["requests"]
    for inlined in requests:
        no_unknown(inlined, {"request", "metadata"}, "batch.input_config.requests")
    return [_item((inlined.get("metadata") or {}).get("key", ""), inlined["request"], model) for inlined in requests]


def _item(key: str, request: dict[str, Any], model: str) -> Item:
    body = dict(request)
    try:
        return Item(key, asked_for(body, body.pop("model", model).removeprefix("models/")))
    except Refused as refused:
        if "Cannot find field" in refused.message:
            raise
        return Item(key, None, refused.name, refused.message)
