"""Gemini's files: resumable upload of a batch's requests, download of its results."""

import re
from re import Match
from typing import Any

from tests.fakes.vendor.batches import Batches
from tests.fakes.vendor.core import Core, Refused, Route, body_of, reply_json
from tests.fakes.vendor.gemini_checks import check_key
from tests.fakes.vendor.http import Reply, Request

FILES = r"/v1(?:beta)?/files/([^/:]+)"
RESULTS = "batch-"


class GeminiFiles:
    """Results of a batch are the file `batch-ID`; only such can be downloaded."""

    def __init__(self, core: Core, batches: Batches):
        self._core, self._batches = core, batches
        self._files: dict[str, tuple[dict[str, Any], bytearray]] = {}  # (what was said of it, its content)
        self.routes: list[Route] = [
            ("POST", re.compile(r"/upload/v1(?:beta)?/files"), self._begin),
            ("POST", re.compile(r"/upload/v1(?:beta)?/files/([^/:]+)"), self._go_on),
            ("GET", re.compile(FILES), self._get),
            ("DELETE", re.compile(FILES), self._delete),
            ("GET", re.compile(FILES + ":download"), self._download),
        ]

    def content(self, name: str) -> bytes:
        return bytes(self._known(name.removeprefix("files/"))[1])

    def _known(self, name: str) -> tuple[dict[str, Any], bytearray]:
        if name not in self._files:
            raise Refused("404", f"You do not have permission to access the File {name} or it may not exist.")
        return self._files[name]

    async def _begin(self, request: Request, _: Match[str]) -> Reply:
        check_key(request)
        if request.headers.get("x-goog-upload-command") != "start":
            raise Refused("400", "an upload begins with the command start")
        name = self._core.new_id()
        self._files[name] = (body_of(request).get("file") or {}, bytearray())
        place = f"http://{request.headers['host']}{request.path}/{name}"
        trouble = self._batches.troubled("upload_")
        return Reply(headers={"x-goog-upload-url": place, "x-goog-upload-status": "active"}, body=b"{}", drop=trouble)

    async def _go_on(self, request: Request, found: Match[str]) -> Reply:
        """The address is secret enough: no key is asked for."""
        about, content = self._known(found[1])
        if int(request.headers.get("x-goog-upload-offset", -1)) != len(content):
            raise Refused("400", "the offset is not where the last piece ended")
        content += request.body
        if "finalize" not in request.headers.get("x-goog-upload-command", ""):
            return Reply(headers={"x-goog-upload-status": "active"}, body=b"{}")
        return reply_json({"file": _words(found[1], about, len(content))}, headers={"x-goog-upload-status": "final"})

    async def _get(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        about, content = self._known(found[1])
        return reply_json(_words(found[1], about, len(content)))

    async def _delete(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        self._known(found[1])
        del self._files[found[1]]
        return reply_json({})

    async def _download(self, request: Request, found: Match[str]) -> Reply:
        check_key(request)
        batch = self._batches.known.get(found[1].removeprefix(RESULTS))
        if request.query.get("alt") != "media" or batch is None or not batch.ended:
            raise Refused("404", f"The file {found[1]} can't be downloaded.")
        return self._batches.download(batch, batch.results)


def _words(name: str, about: dict[str, Any], size: int) -> dict[str, Any]:
    given = {key: about[key] for key in ("displayName", "mimeType") if key in about}
    return {"name": f"files/{name}", **given, "sizeBytes": str(size), "state": "ACTIVE", "source": "UPLOADED"}
