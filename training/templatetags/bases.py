"""Sizes of base models, and words for what fits."""

from django import template

from training.hardware import GIB

register = template.Library()
WORDS = {"fits": "Yes.", "lean": "Yes.", "slow": "Slowly.", "no": "No.", "unknown": "Unknown."}


@register.filter
def size(parameters: int) -> str:
    """135 M, 1.54 B: as model cards count."""
    return f"{parameters / 1e9:.2f} B" if parameters >= 999.5e6 else f"{parameters / 1e6:.0f} M"


@register.filter
def gb(memory: int | None) -> str:
    return f"{memory / GIB:.1f}" if isinstance(memory, int) else "–"


@register.filter
def file_size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


@register.filter
def fit_word(fit: str) -> str:
    return WORDS[fit]
