"""An oracle made ready to ask: with its key, an address that was checked, prices, a time limit and lanes.

Everything that can be refused without asking anybody is refused here, before any money is spent.
"""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from distillery_site.common.errors import BadInput
from distillery_site.common.net import check_outbound
from labeling.demo import recordings
from labeling.models import FilterVersion, Oracle
from labeling.oracles import base, registry
from labeling.rubrics.packages import load_package

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def engage(oracle: Oracle, version: FilterVersion) -> base.Oracle:
    """Raises BadInput, or OracleError "auth" where there is no key."""
    if oracle.provider == "recorded":
        return registry.make(oracle.provider, oracle.model, oracle.params, **_recordings_of(version))
    return registry.make(oracle.provider, oracle.model, oracle.params, **_settings_of(oracle.provider))


def _recordings_of(version: FilterVersion) -> dict[str, Any]:
    """Recordings answer one rubric only; another version must not be given their scores."""
    slug = version.filter.slug
    if slug not in recordings.RECORDED:
        raise BadInput(f"Nothing is recorded for {slug}; there are recordings for {' and '.join(recordings.RECORDED)}.")
    folder = recordings.FOLDER / slug
    if load_package(folder).rubric_hash != version.rubric_hash:
        raise BadInput(f"The recordings answer another rubric than {version}; a live oracle has to be asked for it.")
    return {"folder": folder, "source": recordings.SOURCE}


def can_be_asked(name: str) -> bool:
    """Whether a provider has all it needs: a key, or an address on this machine, where a server may want none."""
    known = registry.provider(name)
    if not known.paid or getattr(settings, known.key_setting):
        return True
    return urlsplit(getattr(settings, known.url_setting)).hostname in LOOPBACK


def _settings_of(name: str) -> dict[str, Any]:
    """The key comes first: without one the address is nobody's business."""
    known = registry.provider(name)
    if not can_be_asked(name):
        raise base.OracleError("auth", f"{known.key_setting} is not set; set it and resume the run.")
    lanes = {"concurrency": settings.ORACLE_CONCURRENCY} if settings.ORACLE_CONCURRENCY else {}
    return {
        "api_key": getattr(settings, known.key_setting),
        "base_url": check_outbound(getattr(settings, known.url_setting), settings.OUTBOUND_ALLOW),
        "prices": settings.ORACLE_PRICES,
        "timeout": settings.ORACLE_TIMEOUT,
        **lanes,
    }
