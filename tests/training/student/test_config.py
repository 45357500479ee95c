import pytest

from distillery_site.common.errors import BadInput
from training.student import config


def test_it_takes_a_preset_and_what_overrides_it() -> None:
    made = config.make("lora", {"preset": "minilm-demo", "epochs": 1, "max_tokens": 128})
    assert (made.base, made.epochs, made.max_tokens, made.rank, made.alpha) == ("minilm", 1, 128, 16, 32)


def test_every_preset_and_every_default_is_valid() -> None:
    assert all(config.make("lora", {"preset": name}) for name in config.PRESETS)
    assert [config.make(kind) for kind in config.KINDS] == [made() for made in config.KINDS.values()]


def test_what_was_written_makes_the_same_configuration() -> None:
    for kind in config.KINDS:
        made = config.make(kind)
        assert config.make(kind, config.to_json(made)) == made


def test_json_numbers_are_taken_as_the_field_means_them() -> None:
    assert config.make("lora", {"warmup": 5}).warmup == 5.0
    assert config.make("ridge", {"alphas": [1, 2]}).alphas == (1.0, 2.0)


def test_unknown_options_and_bad_values_are_refused_all_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        config.make("lora", {"learning_rte": 1, "epochs": 0, "rank": "16", "schedule": "magic", "dropout": float("nan")})
    assert len(caught.value.problems) == 5
    text = str(caught.value)
    assert "no option 'learning_rte'" in text and "epochs must be at least 1, not 0." in text
    assert "rank must be a whole number, not '16'." in text and "schedule must be linear or cosine" in text


def test_a_truth_value_is_no_number() -> None:
    with pytest.raises(BadInput, match="epochs must be a whole number, not True"):
        config.make("lora", {"epochs": True})
    with pytest.raises(BadInput, match="at least one number"):
        config.make("ridge", {"alphas": []})


def test_an_unknown_kind_or_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match="there are ridge, kernel, lora, stack"):
        config.make("forest")
    with pytest.raises(BadInput, match="lora has minilm-demo"):
        config.make("lora", {"preset": "huge"})
    with pytest.raises(BadInput, match="no preset 'tiny' for ridge"):
        config.make("ridge", {"preset": "tiny"})


def test_every_option_has_its_sentence() -> None:
    for kind in config.KINDS:
        assert all(about.endswith(".") for _, _, about in config.describe(kind))


def test_the_faithful_preset_is_the_seeds_recipe() -> None:
    made = config.make("lora", {"preset": "seed-faithful"})
    recipe = (made.learning_rate, made.warmup, made.batch_size, made.max_tokens, made.loss, made.standardise)
    assert recipe == (2e-5, 500, 8, 512, "mae", False)
