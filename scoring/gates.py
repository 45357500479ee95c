"""What stands between a version and its alias: each gate says in a sentence why it is open or closed."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from distillery_site.common.runs import RunState
from labeling.models import Filter, FilterVersion
from scoring import figures, services
from scoring.comparing import Comparison, NotComparable, benchmarks, compare_on
from scoring.engine.base import Engine, EngineError
from scoring.models import Benchmark
from training import promoting
from training.models import Deployment, ModelVersion, Split
from training.student.artifact import TOLERANCE

CHAMPION = Deployment.Alias.CHAMPION


@dataclass(frozen=True)
class Gate:
    """`passed` is None for what is only told: it holds nobody up."""

    gate: str
    title: str
    passed: bool | None
    sentence: str

    @property
    def word(self) -> str:
        return {True: "open", False: "closed", None: "told"}[self.passed]

    def as_dict(self) -> dict[str, Any]:
        return {"gate": self.gate, "passed": self.passed, "sentence": self.sentence}


def check(model: ModelVersion, filter_: Filter, alias: str = CHAMPION, *, through: Engine | None = None) -> list[Gate]:
    """Every gate of an alias as it stands now. A challenger only has to answer and to be measured: it is there to be compared."""
    test = measured(model, filter_)
    found = [golden(model, through or services.engine()), _has_figures(model, filter_, test)]
    if alias == CHAMPION:
        found += [_not_worse(model, filter_, test), _beats_constant(filter_, test)]
    if test is not None:
        found.append(Gate("opened", "Test split", None, figures.opened(test.dataset)))
    return found


def promote(
    *,
    model: ModelVersion,
    filter: Filter,  # noqa: A002 (the domain's word)
    alias: str = CHAMPION,
    actor: Any = None,
    reason: str = "",
    through: Engine | None = None,
) -> tuple[ModelVersion | None, list[Gate]]:
    """Promote through the gates: (the version that answered before, the gates). A closed one needs a reason, or BadInput."""
    gates = check(model, filter, alias, through=through)
    told = [gate.as_dict() for gate in gates]
    return promoting.promote(model=model, filter=filter, alias=alias, actor=actor, gates=told, reason=reason), gates


def golden(model: ModelVersion, through: Engine) -> Gate:
    """Whether the scoring process gives the reference texts the scores they had when the student was saved."""
    stored = model.manifest.get("golden") or {"texts": []}
    if not stored["texts"]:
        return _golden(False, "Its manifest holds no reference texts, so nobody can tell whether it still answers as it did.")
    try:
        said = through.score(model=model.ref, manifest_sha256=model.manifest_sha256, texts=stored["texts"]).raw
    except EngineError as error:
        return _golden(False, f"Its reference texts could not be asked again: {error}")
    before = np.array(stored["predictions"], dtype=np.float64)
    off = float(np.max(np.abs(said - before))) if said.shape == before.shape else float("inf")
    texts = f"{len(stored['texts'])} reference texts"
    if not off <= TOLERANCE:
        return _golden(
            False, f"It no longer gives its {texts} the scores it gave them when it was saved: off by {off:.4f} points."
        )
    return _golden(True, f"Asked just now, it gives its {texts} the scores it gave them when it was saved.")


def measured(model: ModelVersion, filter_: Filter) -> Benchmark | None:
    """The test benchmark that speaks for a version: finished, of these very weights and labels, with this filter in it."""
    found = figures.latest_benchmark(model, Split.TEST)
    if found is None or filter_.slug not in found.report.get("filters", {}):
        return None
    fresh = (found.manifest_sha256, found.dataset_fingerprint) == (model.manifest_sha256, found.dataset.fingerprint)
    return found if fresh else None


def _golden(passed: bool, sentence: str) -> Gate:
    return Gate("golden", "Answers as it did", passed, sentence)


def _has_figures(model: ModelVersion, filter_: Filter, test: Benchmark | None) -> Gate:
    title = "Measured on the test split"
    if test is None:
        return Gate("measured", title, False, _unmeasured(model))
    found = test.report["filters"][filter_.slug]
    low, high = found["mae_ci"]
    if found["mae"] is None or low is None or high is None:
        return Gate("measured", title, False, f"Its {found['n']} test articles of {test.dataset} are too few for an interval.")
    told = f"It misses the oracle by {found['mae']:.2f} points ({low:.2f} to {high:.2f}) on {found['n']} test articles"
    return Gate("measured", title, True, f"{told} of {test.dataset}; the best constant by {found['constant_mae']:.2f}.")


def _unmeasured(model: ModelVersion) -> str:
    waiting = model.benchmarks.filter(split=Split.TEST).exclude(state=RunState.DONE).first()
    if waiting is not None:
        return f"Benchmark {waiting.pk} of it on the test split is {waiting.get_state_display()}."
    return "It has no benchmark on a test split that has labels of this filter."


def _not_worse(model: ModelVersion, filter_: Filter, test: Benchmark | None) -> Gate:
    """Beside the champion on the same rows; where there is none that can be compared, beside the ridge student."""
    title, champion = "Not worse than the champion", _champion(filter_)
    if champion == model:
        return Gate("champion", title, True, "It is the champion already.")
    if test is None:
        return Gate("champion", title, False, "Without a test benchmark it can't be compared with the champion.")
    version = _version(test, filter_)
    if champion is None or version not in champion.versions:
        none = "There is no champion yet" if champion is None else f"The champion {champion} answers another rubric version"
        return _beside_ridge(test, version, none)
    try:
        found = compare_on(*benchmarks(model, champion, Split.TEST), version)
    except NotComparable as problem:
        return Gate("champion", title, False, f"It can't be compared with the champion {champion}: {problem}")
    return Gate("champion", title, not _worse(found), f"{_beside(found)}: {found.mean_sentence} {found.sentence}")


def _beside_ridge(test: Benchmark, version: FilterVersion, none: str) -> Gate:
    title, ridge = "Not worse than the baselines", figures.ridge_benchmark(test.dataset, Split.TEST)
    if ridge is None or ridge.model_id == test.model_id or version not in ridge.model.versions:
        skill = test.report["filters"][version.filter.slug]["skill_ci"][1]
        nearer = skill is None or skill >= 0
        told = f"{none}, so it is compared with the best constant: {'not worse' if nearer else 'worse'} beyond noise, on average."
        return Gate("champion", title, nearer, told)
    found = compare_on(test, ridge, version)
    sentence = f"{none}, so it is compared with {ridge.model} on the same {found.n} articles: {found.sentence}"
    return Gate("champion", title, not _worse(found), sentence)


def _worse(found: Comparison) -> bool:
    """Whether more than noise speaks against the first version, on a dimension or on average; too few rows speak for nobody."""
    return bool(found.having("worse")) or found.mean.verdict in ("worse", "few")


def _beside(found: Comparison) -> str:
    without = f", {found.left_out} left out that one of them may have learnt from" if found.left_out else ""
    return f"Beside {found.second} on the same {found.n} test articles of {found.dataset}{without}"


def _beats_constant(filter_: Filter, test: Benchmark | None) -> Gate:
    """Every dimension is at least as good as the best constant, as far as the interval of its skill can tell."""
    title = "At least as good as the best constant, on every dimension"
    if test is None:
        return Gate("constant", title, False, "Without a test benchmark it can't be compared with the best constant.")
    ours = [output for output in test.report["outputs"] if output["filter"] == filter_.slug]
    behind = [output for output in ours if output["skill_ci"][1] is not None and output["skill_ci"][1] < 0]
    if not behind:
        return Gate(
            "constant", title, True, f"On none of its {len(ours)} dimensions does the best constant do better beyond noise."
        )
    names = {row["key"]: row["name"] for row in _version(test, filter_).dimensions}
    told = [f"{names[o['dimension']]} ({o['mae']:.2f} against {o['constant_mae']:.2f})" for o in behind]
    return Gate("constant", title, False, f"Beyond noise the best constant does better on {', '.join(told)}.")


def _champion(filter_: Filter) -> ModelVersion | None:
    row = filter_.deployments.select_related("model__dataset").filter(alias=CHAMPION).first()
    return row.model if row else None


def _version(test: Benchmark, filter_: Filter) -> FilterVersion:
    return filter_.versions.select_related("filter").get(number=test.report["filters"][filter_.slug]["version"])
