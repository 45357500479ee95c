"""Replies on disk: kept until they are stored, replayed when they were not."""

from pathlib import Path

from labeling.running.spool import Spool, done


def rows(folder: Path) -> list[int]:
    return [row["n"] for row in Spool(folder).left()]


def test_what_was_not_stored_is_there_for_the_next(tmp_path: Path):
    spool = Spool(tmp_path / "7")
    spool.append({"n": 1})
    stored = spool.turn()
    spool.append({"n": 2})
    done(stored)
    assert rows(tmp_path / "7") == [2]


def test_a_line_that_death_cut_off_is_passed_over(tmp_path: Path):
    spool = Spool(tmp_path)
    spool.append({"n": 1})
    path = spool.turn()
    assert path is not None
    with path.open("a") as file:
        file.write('{"n": 2, "te')
    assert rows(tmp_path) == [1]


def test_nothing_is_left_after_clearing(tmp_path: Path):
    spool = Spool(tmp_path / "7")
    spool.append({"n": 1})
    spool.clear()
    assert rows(tmp_path / "7") == [] and spool.turn() is None


def test_only_its_owner_may_read_it(tmp_path: Path):
    spool = Spool(tmp_path)
    spool.append({"n": 1})
    path = spool.turn()
    assert path is not None and path.stat().st_mode & 0o077 == 0
