"""Whether an article is in a language that its student was hardly taught in, judged without a language model. Pure.

The web process has no room for a language detector, so this looks at letters and at the commonest words. It knows scripts
other than Latin, and the languages in _WORDS. It can't see other Latin-script languages, texts of fewer than twenty words,
a passage in another language inside a text, or which of the languages behind Cyrillic or Arabic letters it reads; where
an article's row carries the language found at import, that is taken instead.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

READ_CHARACTERS = 2000
ENOUGH_LETTERS, ENOUGH_WORDS = 10, 20
RARE = 0.005  # a smaller share of the training articles teaches nothing, and may be the import's mistakes
# Of all words at least so many are a language's commonest, so many times the next language's, and so many of them differ.
_OWN_SHARE, _LEAD, _DIFFERENT = 0.12, 1.5, 4

NAMES = {
    "ar": "Arabic", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "fr": "French",
    "he": "Hebrew", "hi": "Hindi", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "pl": "Polish",
    "pt": "Portuguese", "ru": "Russian", "sv": "Swedish", "th": "Thai", "tr": "Turkish", "zh": "Chinese",
}  # fmt: skip
_WORDS = {
    "da": "og det at en den til er som på de med han af for ikke der var jeg har om",
    "de": "der die und das ist nicht ein eine zu den mit von auf sich dem des im für auch wird",
    "en": "the of and to in is that for on with was as at by it from are this be have",
    "es": "el la los las de que en y un una por con para se del es su al lo más",
    "fr": "le la les des et est un une du que dans pour qui sur au pas par il plus ne",
    "it": "il di che la e è un una per non con del della sono le gli si al dei nel",
    "nl": "de het een van en dat is niet op te voor met zijn die aan er ook als bij door",
    "pl": "w i na z się nie do jest że o to od za po przez jak dla oraz są był",
    "pt": "o a os as de que e do da em um uma para com não dos das no na por",
    "sv": "och att det som en är på av för med den till inte om har de ett var från vid",
    "tr": "ve bir bu da de için ile olarak daha olan gibi çok ne kadar sonra en var ise her o",
}
_COMMON = {code: frozenset(words.split()) for code, words in _WORDS.items()}


@dataclass(frozen=True)
class _Script:
    """`codes` are the languages that may stand behind its letters, which a regular expression's class names."""

    name: str
    codes: tuple[str, ...]
    letters: str


_SCRIPTS = (
    _Script("Japanese", ("ja",), "぀-ヿ"),
    _Script("Chinese", ("zh", "ja"), "㐀-䶿一-鿿"),
    _Script("Korean", ("ko",), "ᄀ-ᇿ가-힣"),
    _Script("Cyrillic letters", ("ru", "uk", "bg", "sr", "mk", "be", "kk", "ky", "mn"), "Ѐ-ԯ"),
    _Script("Arabic letters", ("ar", "fa", "ur", "ps", "ug"), "\u0600-\u06ff\u0750-\u077f"),
    _Script("Hebrew", ("he",), "\u05d0-\u05ea"),
    _Script("Greek", ("el",), "Ͱ-Ͽἀ-῿"),
    _Script("Devanagari letters", ("hi", "mr", "ne"), "\u0900-\u097f"),
    _Script("Thai", ("th",), "\u0e00-\u0e7f"),
    _Script("a script of southern Asia", ("bn", "pa", "gu", "or", "ta", "te", "kn", "ml", "si"), "\u0980-\u0dff"),
    _Script("Georgian or Armenian letters", ("ka", "hy"), "\u0530-\u058f\u10a0-\u10ff"),
    _Script("Ethiopian letters", ("am",), "\u1200-\u137f"),
)
_FOREIGN = re.compile(f"[{''.join(script.letters for script in _SCRIPTS)}]")
_LETTER, _WORD = re.compile(r"[^\W\d_]"), re.compile(r"[^\W\d_]+")


def warnings(text: str, stored: str, taught: Mapping[str, int]) -> list[str]:
    """Sentences about the article's language. `stored` is its row's language code or "", `taught` the training articles'.

    `taught` counts articles by ISO 639 code, "" where it is unknown; unless most are known, nothing is said.
    """
    total = sum(taught.values())
    name, codes = _told(stored) or guess(text)
    if not codes or 2 * taught.get("", 0) > total or not total:
        return []
    same = sum(taught.get(code, 0) for code in codes)
    if same >= RARE * total:
        return []
    how_many = f"only {same:,} of the {total:,}" if same else f"none of the {total:,}"
    return [f"This looks like {name}; {how_many} training articles did, so these scores are little more than guesses."]


def guess(text: str) -> tuple[str, tuple[str, ...]]:
    """What a text is written in, and the codes of the languages that may be; ("", ()) where that is unclear."""
    head = text[:READ_CHARACTERS]
    letters = len(_LETTER.findall(head))
    if letters < ENOUGH_LETTERS:
        return "", ()
    foreign = _SCRIPTS if 10 * len(_FOREIGN.findall(head)) > letters else ()
    for script in foreign:
        share = len(re.findall(f"[{script.letters}]", head)) / letters
        if share > (0.1 if script.name == "Japanese" else 0.5):  # Japanese is half Chinese characters
            return script.name, script.codes
    return _told(_latin(_WORD.findall(head.lower()))) or ("", ())


def _latin(words: list[str]) -> str:
    if len(words) < ENOUGH_WORDS:
        return ""
    found = sorted(((sum(word in common for word in words), code) for code, common in _COMMON.items()), reverse=True)
    (most, code), (next_most, _) = found[:2]
    different = len(_COMMON[code].intersection(words))
    return code if different >= _DIFFERENT and most >= max(_OWN_SHARE * len(words), _LEAD * next_most) else ""


def _told(code: str) -> tuple[str, tuple[str, ...]] | None:
    base = code.lower().partition("-")[0]
    return (NAMES.get(base, f"the language “{base}”"), (base,)) if base else None
