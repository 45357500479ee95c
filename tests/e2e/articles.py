"""Articles in which a student can find something to learn: how many of their words are plain."""

import json
import random
from pathlib import Path

PLAIN = [
    "people",
    "water",
    "house",
    "school",
    "bread",
    "light",
    "river",
    "work",
    "day",
    "friend",
    "road",
    "garden",
    "child",
    "song",
    "bridge",
]
JARGON = [
    "heteroskedastic",
    "securitisation",
    "ontological",
    "paradigmatic",
    "intermodal",
    "fiduciary",
    "recombinant",
    "epistemic",
]


def write(path: Path, count: int = 150, seed: int = 3) -> Path:
    """JSON lines as `import_articles` reads them."""
    rng = random.Random(seed)
    path.write_text("\n".join(json.dumps(article(rng, number)) for number in range(count)))
    return path


def article(rng: random.Random, number: int) -> dict[str, str]:
    share = rng.random()
    words = [rng.choice(PLAIN if rng.random() < share else JARGON) for _ in range(rng.randint(40, 90))]
    text = " ".join(word + "." if place % 9 == 8 else word for place, word in enumerate(words))
    return {"id": str(number), "title": f"Report {number}", "text": text, "language": "en"}
