"""What keeps an article inside its frame. Pure."""

import re

OPEN, CLOSE = "<article>", "</article>"


def neutralise(text: str) -> str:
    """The text without anything that looks like the frame around it."""
    return re.sub(r"<(\s*/?\s*article[^<>]*)>", r"(\1)", text, flags=re.IGNORECASE)


def frame(text: str) -> str:
    return f"{OPEN}\n{neutralise(text)}\n{CLOSE}"


def suspicions(text: str) -> tuple[str, ...]:
    """Short names of what in this article speaks to its judge instead of its readers."""
    return ()
