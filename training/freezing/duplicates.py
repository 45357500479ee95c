"""Near-duplicate texts: found by MinHash for clustering, counted exactly for the leakage figure. Pure.

Two texts are near-duplicates when the Jaccard similarity of their sets of three-word shingles reaches a threshold.
"""

import math
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Shingles: TypeAlias = NDArray[np.uint32]

SHINGLE_WORDS = 3
# 21 bands of 3 rows: a pair at 0.8 is missed once in three million, and its likeness is then checked exactly.
BANDS, ROWS = 21, 3
_WORD = re.compile(r"\w+")


def shingles(text: str) -> Shingles:
    """Hashes of a text's distinct runs of three words, sorted; a shorter text is one run, no words is none."""
    words = _WORD.findall(text.casefold())
    runs = [" ".join(words[i : i + SHINGLE_WORDS]) for i in range(max(1, len(words) - SHINGLE_WORDS + 1))] if words else []
    return np.unique(np.fromiter((zlib.crc32(run.encode()) for run in runs), dtype=np.uint32, count=len(runs)))


def likeness(a: Shingles, b: Shingles) -> float:
    """Jaccard similarity, 0–1; two empty sets are unlike."""
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / max(1, len(a) + len(b) - common)


def cluster(sets: Sequence[Shingles], threshold: float) -> list[int]:
    """A cluster number for each text: texts joined by a chain of near-duplicates share the smallest index among them."""
    parent = list(range(len(sets)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in _candidates(sets):
        first, second = sorted((root(a), root(b)))
        if first != second and likeness(sets[a], sets[b]) >= threshold:
            parent[second] = first
    return [root(node) for node in range(len(sets))]


def _candidates(sets: Sequence[Shingles]) -> Iterator[tuple[int, int]]:
    """Pairs of equal sets, then of those whose MinHash signatures agree in a whole band."""
    firsts: dict[bytes, int] = {}
    for index, hashes in enumerate(sets):
        first = firsts.setdefault(hashes.tobytes(), index)
        if first != index:
            yield first, index
    buckets: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
    for index, signature in _signatures(sets, firsts.values()).items():
        for band in range(BANDS):
            bucket = buckets[band, signature[band * ROWS : (band + 1) * ROWS].tobytes()]
            yield from ((other, index) for other in bucket)
            bucket.append(index)


def _signatures(sets: Sequence[Shingles], wanted: Iterable[int]) -> dict[int, Shingles]:
    """MinHash (Broder 1997): the least value of each of 63 random orders of a set's shingles."""
    source = np.random.default_rng(1)
    factors = source.integers(0, 2**32, BANDS * ROWS, dtype=np.uint32) | np.uint32(1)
    shifts = source.integers(0, 2**32, BANDS * ROWS, dtype=np.uint32)
    return {
        index: (_mixed(sets[index])[:, None] * factors + shifts).min(axis=0)  # modulo 2³², as uint32 wraps round
        for index in wanted
        if len(sets[index])
    }


def _mixed(values: Shingles) -> Shingles:
    """Murmur3's finaliser: an order by a·x + b is random enough only when x itself is."""
    values = (values ^ (values >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    values = (values ^ (values >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return values ^ (values >> np.uint32(16))


def count_across(sets: Sequence[Shingles], groups: Sequence[str], threshold: float) -> int:
    """How many near-duplicate pairs lie in different groups, counted without MinHash and without missing one.

    Prefix filtering (Chaudhuri, Ganti, Kaushik 2006): sorted from the rarest shingle on, two sets with a Jaccard
    similarity of t share at least one of their first len − ⌈t·len⌉ + 1 shingles.
    """
    frequency = Counter(value for hashes in sets for value in hashes.tolist())
    index: defaultdict[int, list[int]] = defaultdict(list)
    pairs = 0
    for here, hashes in enumerate(sets):
        rarest = sorted(hashes.tolist(), key=lambda value: (frequency[value], value))
        prefix = rarest[: len(rarest) - math.ceil(threshold * len(rarest) - 1e-9) + 1] if rarest else []
        seen = {other for value in prefix for other in index[value] if groups[other] != groups[here]}
        pairs += sum(likeness(sets[other], hashes) >= threshold for other in seen)
        for value in prefix:
            index[value].append(here)
    return pairs
