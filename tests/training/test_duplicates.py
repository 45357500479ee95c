import random

import pytest

from tests.training.world import prose
from training.freezing.duplicates import cluster, count_across, likeness, shingles


def edited(text: str, places: int, seed: int = 0) -> str:
    words = text.split()
    for place in random.Random(seed).sample(range(len(words)), places):
        words[place] = f"edit{place}"
    return " ".join(words)


def test_a_text_is_wholly_like_itself_whatever_its_case_and_signs():
    assert likeness(shingles("A well, for the village."), shingles("a WELL for the village")) == 1


def test_likeness_is_the_share_of_common_runs_of_three_words():
    assert likeness(shingles("a b c d e"), shingles("a b c d f")) == pytest.approx(2 / 4)


@pytest.mark.parametrize("text", ["", "  ", "…"])
def test_texts_without_a_word_are_like_nothing(text):
    assert likeness(shingles(text), shingles(text)) == 0
    assert cluster([shingles(text)] * 2, 0.8) == [0, 1]


def test_short_texts_can_be_twins():
    assert cluster([shingles("One well."), shingles("one well"), shingles("two wells")], 0.8) == [0, 0, 2]


def test_near_duplicates_share_a_cluster_and_others_do_not():
    first, second = prose(1, words=300), prose(2, words=300)
    sets = [shingles(text) for text in (first, second, edited(first, 5), first)]
    assert cluster(sets, 0.8) == [0, 1, 0, 0]


def test_a_chain_of_near_duplicates_is_one_cluster():
    chain = [prose(3, words=400)]
    for seed in range(5):
        chain.append(edited(chain[-1], 10, seed))
    sets = [shingles(text) for text in chain]
    assert likeness(sets[0], sets[-1]) < 0.8
    assert set(cluster(sets, 0.8)) == {0}


def test_the_count_misses_no_pair_that_comparing_all_would_find():
    texts = [edited(prose(seed % 12, words=80), seed % 7, seed) for seed in range(120)]
    sets, groups = [shingles(text) for text in texts], ["abc"[seed % 3] for seed in range(120)]
    pairs = [(a, b) for a in range(120) for b in range(a) if groups[a] != groups[b]]
    for threshold in (0.3, 0.6, 0.8, 1.0):
        assert count_across(sets, groups, threshold) == sum(likeness(sets[a], sets[b]) >= threshold for a, b in pairs)


def test_clusters_leave_nothing_for_the_count_to_find():
    sets = [shingles(edited(prose(seed % 40, words=120), seed % 5, seed)) for seed in range(200)]
    assert count_across(sets, [str(number) for number in cluster(sets, 0.8)], 0.8) == 0
