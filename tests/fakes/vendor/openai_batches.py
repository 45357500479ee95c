"""OpenAI's files and batches: a file of requests goes up, one of results and one of errors come back."""

import json
import re
import time
from collections import Counter
from email.parser import BytesParser
from email.policy import HTTP
from re import Match
from typing import TYPE_CHECKING, Any

from tests.fakes.vendor.batches import Batch, Batches, Item, Outcome, Result
from tests.fakes.vendor.core import Core, Refused, Route, body_of, reply_json
from tests.fakes.vendor.http import Reply, Request
from tests.fakes.vendor.openai_checks import asked_for, check_key, no_unknown

if TYPE_CHECKING:
    from tests.fakes.vendor.openai import OpenAI

MOST_REQUESTS, MOST_BYTES = 50_000, 200 * 1024 * 1024
ENDPOINT = "/v1/chat/completions"
CREATED = {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"}


class OpenAIBatches:
    def __init__(self, core: Core, api: "OpenAI"):
        self._core, self._api, self.batches = core, api, Batches(core)
        self._files: dict[str, tuple[str, bytes]] = {}  # (file name, what is in it)
        self.routes: list[Route] = [
            ("POST", re.compile(r"/v1/files"), self._upload),
            ("GET", re.compile(r"/v1/files/([^/]+)"), self._file),
            ("DELETE", re.compile(r"/v1/files/([^/]+)"), self._delete),
            ("GET", re.compile(r"/v1/files/([^/]+)/content"), self._content),
            ("POST", re.compile(r"/v1/batches"), self._create),
            ("GET", re.compile(r"/v1/batches"), self._list),
            ("GET", re.compile(r"/v1/batches/([^/]+)"), self._retrieve),
            ("POST", re.compile(r"/v1/batches/([^/]+)/cancel"), self._cancel),
        ]

    async def _upload(self, request: Request, _: Match[str]) -> Reply:
        check_key(request)
        fields = multipart(request)
        if fields.get("purpose", ("", b""))[1] != b"batch" or "file" not in fields:
            raise Refused("400", "'file' and a purpose of 'batch' are required")
        file_id = f"file-{self._core.new_id()}"
        self._files[file_id] = fields["file"]
        trouble = self.batches.troubled("upload_")
        reply = reply_json(self._file_words(file_id))
        reply.drop = trouble
        return reply

    async def _file(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        return reply_json(self._file_words(found[1]))

    async def _delete(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        self._known_file(found[1])
        del self._files[found[1]]
        return reply_json({"id": found[1], "object": "file", "deleted": True})

    async def _content(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        batch_id, _, kind = found[1].removeprefix("file-").rpartition("-")
        if batch_id in self.batches.known:
            batch = self.batches.known[batch_id]
            return self.batches.download(batch, _file_of(batch, kind))
        return Reply(body=self._known_file(found[1])[1], headers={"content-type": "application/octet-stream"})

    def _known_file(self, name: str) -> tuple[str, bytes]:
        if name not in self._files:
            raise Refused("404", f"No such File object: {name}")
        return self._files[name]

    def _file_words(self, name: str) -> dict[str, Any]:
        filename, data = self._known_file(name)
        about = {"bytes": len(data), "created_at": int(time.time()), "filename": filename, "purpose": "batch"}
        return {"id": name, "object": "file", "status": "processed", **about}

    async def _create(self, request: Request, _: Match[str]) -> Reply:
        check_key(request)
        body = body_of(request)
        no_unknown(body, CREATED)
        if body.get("endpoint") != ENDPOINT or body.get("completion_window") != "24h":
            raise Refused("400", f"endpoint must be {ENDPOINT} and completion_window 24h")
        _check_metadata(body.get("metadata") or {})
        data = self._known_file(body["input_file_id"])[1]
        batch = Batch(f"batch_{self._core.new_id()}", "openai", "", "", 0, self._core.state.polls, extra=body)
        try:
            items = _items(data, self._core.state.takes_schema)
        except Refused as refused:
            items, batch.extra = [], {**body, "invalid": refused.message}
        batch.count = len(items)
        trouble = self.batches.create(batch, items, self._word)
        reply = self._show(batch)
        reply.drop = "before" if trouble in ("drop", "lost_submit") else ""
        return reply

    async def _list(self, request: Request, _: Match[str]) -> Reply:
        check_key(request)
        newest = list(reversed(self.batches.known.values()))
        if after := request.query.get("after"):
            newest = newest[[batch.id for batch in newest].index(after) + 1 :]
        limit = int(request.query.get("limit", 20))
        page = [self._words(batch) for batch in newest[:limit]]
        ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
        return reply_json({"object": "list", "data": page, "has_more": len(newest) > limit, **ends})

    async def _retrieve(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        batch = self._known(found[1])
        trouble = self.batches.troubled("poll_")
        self.batches.look(batch)
        reply = self._show(batch)
        reply.drop = trouble
        return reply

    async def _cancel(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        batch = self._known(found[1])
        self.batches.cancel(batch, self._word)
        return self._show(batch)

    def _known(self, batch_id: str) -> Batch:
        if batch_id not in self.batches.known:
            raise Refused("404", f"No batch found with id '{batch_id}'.")
        return self.batches.known[batch_id]

    def _show(self, batch: Batch) -> Reply:
        return reply_json(self._words(batch), headers={"x-request-id": f"req_{self._core.new_id()}"})

    def _words(self, batch: Batch) -> dict[str, Any]:
        ended, counts = int(batch.ended or 0) or None, batch.counts
        status = _status(batch)
        errors = [{"code": "invalid_request", "message": batch.extra.get("invalid"), "line": None, "param": None}]
        files = {kind: f"file-{batch.id}-{kind}" if _file_of(batch, kind) else None for kind in ("output", "error")}
        asked = batch.extra
        return {
            "id": batch.id,
            "object": "batch",
            **{name: asked.get(name) for name in ("endpoint", "input_file_id", "completion_window", "metadata")},
            "status": status,
            "created_at": int(batch.created),
            "expires_at": int(batch.created) + 24 * 3600,
            "cancelling_at": int(batch.cancelled or 0) or None,
            f"{status}_at" if ended else "in_progress_at": ended or int(batch.created),
            "errors": {"object": "list", "data": errors} if status == "failed" else None,
            "output_file_id": files["output"],
            "error_file_id": files["error"],
            "request_counts": {"total": batch.count if batch.ended else 0, **_done(counts)},
        }

    def _word(self, outcome: Outcome) -> dict[str, Any]:
        line: dict[str, Any] = {"id": f"batch_{outcome.request_id}", "custom_id": outcome.item.custom_id, "response": None}
        if outcome.kind in ("expired", "canceled"):
            code = {"expired": "batch_expired", "canceled": "batch_cancelled"}[outcome.kind]
            return {**line, "error": {"code": code, "message": "This request was not executed."}}
        error = outcome.error or "500"
        status, body = int(error) if error.isdigit() else 400, self._api.error_body(error, outcome.item.why)
        if outcome.said and outcome.item.asked:
            status, body = 200, self._api.render(outcome.item.asked, outcome.said, outcome.request_id)
        return {**line, "response": {"status_code": status, "request_id": outcome.request_id, "body": body}, "error": None}


def _file_of(batch: Batch, kind: str) -> list[Result]:
    """The results that stand in the file of this kind; none before the end."""
    if batch.ended is None:
        return []
    return [result for result in batch.results if (result.kind == "succeeded") == (kind == "output")]


def _status(batch: Batch) -> str:
    if batch.ended is None:
        return "cancelling" if batch.cancelled else "in_progress" if batch.worked_off else "validating"
    if batch.cancelled:
        return "cancelled"
    return "failed" if "invalid" in batch.extra else batch.fate or "completed"


def _done(counts: Counter[str]) -> dict[str, int]:
    return {"completed": counts["succeeded"], "failed": counts["errored"] + counts["expired"] + counts["canceled"]}


def _check_metadata(metadata: dict[str, Any]) -> None:
    if len(metadata) > 16 or any(len(name) > 64 or len(str(value)) > 512 for name, value in metadata.items()):
        raise Refused("400", "metadata: at most 16 pairs, of at most 64 and 512 characters")


def _items(data: bytes, takes_schema: bool) -> list[Item]:
    """What the file asks for; Refused where the batch as a whole fails its validation."""
    lines = data.splitlines()
    if not lines or len(lines) > MOST_REQUESTS or len(data) > MOST_BYTES:
        raise Refused("400", f"A batch takes from 1 to {MOST_REQUESTS} requests and at most 200 MB.")
    requests = [json.loads(line) for line in lines]
    if any(set(request) != {"custom_id", "method", "url", "body"} for request in requests):
        raise Refused("400", "Every line needs custom_id, method, url and body, and nothing else.")
    if any((request["method"], request["url"]) != ("POST", ENDPOINT) for request in requests):
        raise Refused("400", "The URL provided does not match the batch endpoint.")
    if len({request["custom_id"] for request in requests}) < len(requests):
        raise Refused("400", "The custom_id of this line is used by another line.")
    if len({request["body"].get("model") for request in requests}) > 1:
        raise Refused("400", "All requests of a batch must name the same model.")
    return [_item(request, takes_schema) for request in requests]


def _item(request: dict[str, Any], takes_schema: bool) -> Item:
    try:
        return Item(request["custom_id"], asked_for(request["body"], takes_schema))
    except Refused as refused:
        return Item(request["custom_id"], None, refused.name, refused.message)


def multipart(request: Request) -> dict[str, tuple[str, bytes]]:
    """The fields of a form: name → (file name, content)."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        raise Refused("400", "The upload must be multipart/form-data.")
    boundary = b"--" + kind.partition("boundary=")[2].strip('"').encode()
    fields = {}
    for part in request.body.split(boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        about = BytesParser(policy=HTTP).parsebytes(head + b"\r\n\r\n")["content-disposition"].params
        fields[about["name"]] = (about.get("filename", ""), content.removesuffix(b"\r\n"))
    return fields
