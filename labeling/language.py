"""Which language a text is in, by py3langid, loaded only when first asked."""

from functools import cache
from typing import Any

from distillery_site.common.errors import Permanent

# Real English news of 60 words and more is far above this; two-word scraps, which it takes for Serbian or French, far below.
SURE = 0.5
READ_CHARACTERS = 600


@cache
def _identifier() -> Any:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        raise Permanent("Finding out an article's language needs py3langid: install Distillery with its [label] extra.") from None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def detect(text: str) -> str:
    """ISO 639 code of the text's language, judged by its opening; "" where that is unclear."""
    language, probability = _identifier().classify(text[:READ_CHARACTERS])
    return language if probability >= SURE else ""
