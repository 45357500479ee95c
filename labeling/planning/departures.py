"""What leaves this machine when an oracle is asked, and who has to agree to it, in a sentence that people see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from distillery_site.common.net import stays_here
from labeling.models import FilterVersion, Oracle
from labeling.oracles import registry

VENDORS = {"anthropic": "Anthropic's terms", "gemini": "Google's terms", "openai": "OpenAI's terms"}
FIELDS = {"title": "title", "published": "date", "source": "source", "url": "address"}


@dataclass(frozen=True)
class Departure:
    """`host` is where it goes, empty where nothing leaves; `asks` whether a person has to agree first."""

    host: str
    asks: bool
    sentence: str


def departure(oracle: Oracle, versions: Sequence[FilterVersion], articles: int) -> Departure:
    known = registry.provider(oracle.provider)
    if not known.url_setting:
        return Departure("", False, "Nothing leaves this machine: the answers are recorded.")
    url = getattr(settings, known.url_setting)
    host = urlsplit(url).hostname or url
    whose = VENDORS[oracle.provider] if "host" not in oracle.params else f"the terms of {oracle.model}"
    terms = f"Whether {whose} allow training a student on its answers is yours to check."
    if stays_here(url):
        return Departure("", True, f"Nothing leaves this machine: {oracle.model} answers at {host}. {terms}")
    count = f"{articles:,} article{'' if articles == 1 else 's'}"
    names = " and ".join(version.filter.name for version in versions)
    sentence = f"The rubric of {names} and {_fields(versions[0].view)} of {count} go to {host}. {terms}"
    return Departure(host, True, sentence)


def _fields(view: dict[str, Any]) -> str:
    """title, date and the first 400 words."""
    parts = [FIELDS.get(name, f"the first {view['max_words']:,} words") for name in view["fields"]]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
