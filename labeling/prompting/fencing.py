"""The frame around an article, and what keeps the article inside it. Pure.

A language model reads through disguises: wide letters, zero-width blanks, entities. So marks are looked for in a folded
reading of the text, in which every disguise has fallen, and only the brackets that make them marks are changed in the
text itself. Honest articles come through as they are.
"""

import html
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import accumulate

OPEN, CLOSE = "<article>", "</article>"
ARROW = "→ "  # before a line that would open another speaker's turn

# One unit is what reads as one character: an entity, an escape, or the character itself; plain ASCII goes in runs.
PLAIN = r"[\n\t !-$'-\[\]-~]+"
ENTITIES = "lt|gt|sol|bsol|lsqb|lbrack|rsqb|rbrack|vert|verbar|colon|nbsp|lang|rang|newline|tab|zwnj|zwj|shy"
ESCAPES = r"\\u\{[0-9a-f]{1,6}\}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|%[0-9a-f]{2}|\\n"
UNIT = re.compile(rf"{PLAIN}|&(?:amp;)*(?:#\d{{1,7}}|#x[0-9a-f]{{1,6}}|{ENTITIES});?|{ESCAPES}|.", re.IGNORECASE | re.DOTALL)
ENTITY = re.compile(r"&(?:amp;)*(?=[#a-z])", re.IGNORECASE)
RUNS = re.compile(PLAIN)

INVISIBLE = {"Mn", "Me", "Cf", "Cc", "Cs", "Co", "Cn"}
BLANKS = dict.fromkeys("\u115f\u1160\u2800\u3164\uffa0\u17b4\u17b5", " ")
BREAKS = dict.fromkeys("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", "\n")

# Letters and signs that look like Latin ones and that NFKD leaves alone, by what they look like.
LOOK_ALIKES = {
    "a": "аɑαᴀ⍺", "b": "вʙᏼ", "c": "сϲᴄⅽⲥ", "d": "ԁᴅɗ", "e": "еєεᴇҽ", "f": "ꜰƒ", "g": "ɡɢց", "h": "һнʜ", "i": "іıιɪɩӏ",
    "j": "јᴊ", "k": "кκᴋ", "l": "ⅼʟߊǀ∣ا", "m": "мᴍ", "n": "ոռɴп", "o": "оοσᴏօ", "p": "рρᴘ", "q": "ԛզ", "r": "гᴦʀ",
    "s": "ѕꜱ", "t": "тτᴛ", "u": "υսᴜц", "v": "ѵνᴠ", "w": "ԝѡᴡω", "x": "хχ×", "y": "уγүʏ", "z": "ᴢ",
    "<": "‹〈⟨❮❬❰⧼˂ᐸ≺⦑ᚲ", ">": "›〉⟩❯❭❱⧽˃ᐳ≻⦒ᚷ", "«": "《≪⟪", "»": "》≫⟫",
    "/": "∕⁄╱⧸⟋〳", "\\": "∖╲⧵⧹⟍", "|": "│┃ǀ❘❙❚⏐", ":": "∶ː꞉։׃", "'": "’‘‛ʼ`´", '"': "“”„‟″", "-": "‐‑‒–—―−",
}  # fmt: skip
SKELETON = {ord(sign): plain for plain, signs in LOOK_ALIKES.items() for sign in signs}

# Tags that are marks even where they are never closed, because a model takes `</article` for an end.
FRAME = re.compile(
    r"(?P<open><[\s!?/\\]*+|[«\[{]\s*+[/\\]\s*+)(?:\w{1,20}:)?"
    + r"\s*+".join("article")
    + r"(?![a-z0-9_])(?:[^<>»\]}]{0,300}(?P<close>[>»\]}]))?"
)
SPEAKERS = "system[a-z_-]*|assistant|human|developer|instructions?|rubric|scores|scoring|sys|inst"
MACHINERY = "(?:tool|function)_(?:calls?|results?|uses?|responses?)|invoke|think|thinking|start_of_turn|end_of_turn|bos|eos"
TAG = re.compile(
    rf"(?P<open><)[!?/\\]*+\s*+(?:antml:)?(?:{SPEAKERS}|{MACHINERY})(?![a-z0-9_:-])(?:[^<>]{{0,300}}(?P<close>>))?"
    r"|(?P<open2><)\s*+/?\s*+s\s*+(?P<close2>>)"
)
TOKEN = re.compile(
    r"(?P<open><)\s*+\|(?:[\w▁-]{2,60}\|(?P<close>>)"
    r"|(?:im_(?:start|end|sep)|endof\w+|begin_of\w+|end_of\w+|start_\w+|end_\w+|eo[tm]_id|system|user|assistant)(?![a-z0-9]))"
)
INST = re.compile(r"(?P<open>\[)\s*+/?\s*+(?:inst|sys|system_prompt|available_tools|tool_calls|tool_results)\s*+(?P<close>\])")
TURN = re.compile(
    r"^[ \t*_]*+(?P<turn>#*[ *_]*+(?:human|assistant|system|user)[ *_]*+:|##+ *+(?:instruction|response|input|system)s?[ :]*+$)",
    re.MULTILINE,
)
BRACKET = re.compile(r"[<«\[{]")
# Text in tag characters is seen by models and by nobody else; in flags such as Scotland's they have a use.
SMUGGLED = re.compile("(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f)|[\U000e0000-\U000e007f]+")
TAG_SIGN = re.compile("[\U000e0000-\U000e007f]")


def frame(text: str) -> str:
    """An article as it is sent."""
    return f"{OPEN}\n{neutralise(text)}\n{CLOSE}"


def neutralise(text: str) -> str:
    """The text without anything that a model could take for the frame, for a turn of the talk or for its machinery.

    Brackets become round ones, a line in another speaker's name gets an arrow, smuggled text goes. Doing it again changes
    nothing.
    """
    text = unsmuggled(text)
    reading = Folded(text)
    pieces, end = [], 0
    for start, stop, sign in sorted(set(_changes(reading))):
        pieces += [text[end:start], sign]
        end = stop
    return "".join([*pieces, text[end:]])


def unsmuggled(text: str) -> str:
    """Without text in tag characters, but for flags."""
    return SMUGGLED.sub(lambda found: found[1] or "", text) if TAG_SIGN.search(text) else text


def marks(reading: "Folded") -> Iterator[re.Match[str]]:
    """Every mark in brackets, in the skeleton."""
    if not BRACKET.search(reading.skeleton):
        return
    for pattern in (FRAME, TAG, TOKEN, INST):
        yield from pattern.finditer(reading.skeleton)


def _changes(reading: "Folded") -> Iterator[tuple[int, int, str]]:
    """(start, end, what to put there) in the text."""
    for mark in marks(reading):
        for name, found in mark.groupdict().items():
            if found is not None:
                yield *reading.place(mark.start(name)), "(" if name.startswith("open") else ")"
    for turn in TURN.finditer(reading.skeleton):
        start, _ = reading.place(turn.start("turn"))
        yield start, start, ARROW


class Folded:
    """A text as a model may read it: lower case, without disguises."""

    def __init__(self, text: str):
        self.units = list(UNIT.finditer(text))
        pieces = [fold(unit[0]) for unit in self.units]
        self.plain = "".join(pieces)
        self._ends = list(accumulate(map(len, pieces)))

    @cached_property
    def skeleton(self) -> str:
        """With look-alikes of Latin letters and signs as what they look like; as long as `plain`."""
        return self.plain if self.plain.isascii() else self.plain.translate(SKELETON)

    def place(self, at: int) -> tuple[int, int]:
        """Where in the text the character at `at` of `plain` comes from."""
        number = bisect_right(self._ends, at)
        unit, end = self.units[number], self._ends[number]
        if _is_run(unit.string[unit.start()]):  # one sign tells, and a run may be the whole text
            return unit.end() - (end - at), unit.end() - (end - at) + 1
        return unit.span()


def _is_run(unit: str) -> bool:
    return RUNS.fullmatch(unit) is not None


def fold(unit: str) -> str:
    return unit.lower() if _is_run(unit) else _fold(unit)


@lru_cache(maxsize=8192)
def _fold(unit: str) -> str:
    plain = unicodedata.normalize("NFKD", _decoded(unit)).casefold()
    return "".join(_visible(sign) for sign in plain)


def _visible(sign: str) -> str:
    if sign in BREAKS:
        return "\n"
    if sign in BLANKS or sign.isspace():
        return " "
    return "" if unicodedata.category(sign) in INVISIBLE else sign


def _decoded(unit: str) -> str:
    if len(unit) == 1:
        return unit
    if unit[0] == "&":
        return html.unescape(ENTITY.sub("&", unit).lower())
    if unit in ("\\n", "\\N"):
        return "\n"
    code = int(unit.strip("\\uUxX{}%"), 16)
    return chr(code) if code < 0x110000 else unit
