"""A server on loopback that speaks the APIs of Anthropic, Gemini and OpenAI, strictly, with faults on demand.

Its scores come from the article's words alone, so they are the same each time and a student can learn them.
By itself: `python -m tests.fakes.vendor --port 9100`.
"""

from tests.fakes.vendor.answers import score
from tests.fakes.vendor.core import KEY
from tests.fakes.vendor.ledger import Entry
from tests.fakes.vendor.server import FakeVendor

__all__ = ["KEY", "Entry", "FakeVendor", "score"]
