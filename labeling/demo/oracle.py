"""The recorded oracle as a row, and the articles that it read twice."""

from labeling.demo import recordings
from labeling.demo.recordings import reread_ids
from labeling.models import Oracle
from labeling.services import get_oracle

__all__ = ["oracle", "reread_ids"]


def oracle() -> Oracle:
    return get_oracle(provider=recordings.PROVIDER, model=recordings.MODEL)
