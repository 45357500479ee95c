"""The lines that score with an exported folder, for people without this code: each kind's own, written out from its manifest.

What they say is run before an export is handed over (`export.prove`), so they can't drift from what students do.
"""

import re
from collections.abc import Mapping
from typing import Any

Manifest = Mapping[str, Any]

PACKAGES = {
    "ridge": "numpy scipy scikit-learn safetensors",
    "kernel": "numpy torch transformers safetensors",
    "lora": "numpy torch transformers peft safetensors",
}

_TOP = '''"""Scores an article: {names}. `python score.py "An article …"` prints them."""

{imports}

HERE = Path(__file__).parent
'''
_END = """

if __name__ == "__main__":
    print(score(sys.argv[1:]))
"""
_CALIBRATED = """    for column, one in enumerate(ABOUT["calibration"]["outputs"]):
        if one["kind"] == "affine":
            scores[:, column] = one["intercept"] + one["slope"] * scores[:, column]
        if one["kind"] == "isotonic":
            scores[:, column] = np.interp(scores[:, column], one["from"], one["to"])
"""
_DOC = '"""Texts → scores [texts, {count}] for 0–10, neither clipped nor rounded."""'


def of(manifest: Manifest, *, merged: bool = False, frame: Mapping[str, Any] | None = None, bias: bool = False) -> str:
    """score.py. `frame` says how tokens are put together where the tokenizer alone doesn't; `bias` is a stock head's."""
    kind = manifest["kind"]
    if kind == "ridge":
        return _ridge(manifest)
    if kind == "kernel":
        return _kernel(manifest, frame)
    return _stack(manifest) if kind == "stack" else _lora(manifest, merged, frame, bias)


def in_readme(code: str) -> str:
    """The same lines for a notebook or a shell, where no file says where it lies."""
    return code.replace("HERE = Path(__file__).parent\n", 'HERE = Path(".")  # this folder\n').partition("\n\nif __name__")[0]


def base_variable(name: str) -> str:
    """The environment variable that says in which folder a base lies."""
    return "BASE_" + re.sub(r"\W", "_", name).upper()


def _written(manifest: Manifest, imports: list[str], before: str, body: str) -> str:
    """`body` sets `scores`, indented; a calibration comes after it."""
    names = ", ".join(output["dimension"] for output in manifest["outputs"])
    calibrated = any(one["kind"] != "none" for one in (manifest.get("calibration") or {}).get("outputs", ()))
    own = ["import sys", "from pathlib import Path"] + (["import json"] if calibrated and "import json" not in imports else [])
    standard = sorted({line for line in [*imports, *own] if line.split()[1] in _STANDARD}, key=_order)
    others = sorted(
        {line for line in [*imports, *(["import numpy as np"] if calibrated else [])] if line not in standard}, key=_order
    )
    about = "" if not calibrated or "ABOUT = " in before else _ABOUT
    top = _TOP.format(names=names, imports="\n".join([*standard, "", *others]))
    doc = _DOC.format(count=len(manifest["outputs"]))
    guard = "@torch.no_grad()\n" if "import torch" in imports else ""
    end = f"{_CALIBRATED if calibrated else ''}    return scores\n"
    return f"{top}{about}{before}\n\n{guard}def score(texts):\n    {doc}\n{body}{end}{_END}"


_STANDARD = ("json", "os", "sys", "runpy", "pathlib")
_ABOUT = 'ABOUT = json.loads((HERE / "student.json").read_text(encoding="utf-8"))\n'


def _order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line


def _ridge(manifest: Manifest) -> str:
    back = "    scores = np.maximum(scores, 0.0) ** 2  # it learned square roots\n" if manifest["config"]["root"] else ""
    imports = ["import json", "import numpy as np", "from safetensors.numpy import load_file", "from scipy.sparse import hstack",
               "from sklearn.feature_extraction.text import TfidfVectorizer"]  # fmt: skip
    before = """TERMS = json.loads((HERE / "vocabulary.json").read_text(encoding="utf-8"))
WEIGHTS = load_file(HERE / "ridge.safetensors")


def features(name, analyzer, span):
    part = TfidfVectorizer(analyzer=analyzer, ngram_range=span, sublinear_tf=True, dtype=np.float32, vocabulary=TERMS[name])
    part.idf_ = WEIGHTS["idf." + name]
    return part


PARTS = [features("words", "word", (1, 2)), features("chars", "char_wb", (3, 5))]
"""
    body = """    rows = hstack([part.transform(texts) for part in PARTS]).tocsr()
    scores = np.asarray(rows @ WEIGHTS["coef"], dtype=np.float64) + WEIGHTS["intercept"]
"""
    return _written(manifest, imports, before, body + back)


def _kernel(manifest: Manifest, frame: Mapping[str, Any] | None) -> str:
    back = "    scores = np.maximum(scores, 0.0) ** 2  # it learned square roots\n" if manifest["config"]["root"] else ""
    imports = ["import os", "import numpy as np", "import torch", "from safetensors.numpy import load_file",
               "from transformers import AutoModel, AutoTokenizer"]  # fmt: skip
    start = _base(manifest["base"]) + _TOKENIZER
    before = f"""{start}base = AutoModel.from_pretrained(BASE, dtype=torch.float32{_revision(manifest)})
model = base.eval()
PARTS = load_file(HERE / "kernel.safetensors")
LAYERS = {manifest["chosen"]["layers"]}
"""
    return _written(manifest, imports, before + (_frame(frame) if frame else ""), _inputs(manifest, frame) + _KERNEL + back)


_TOKENIZER = 'tokenizer = AutoTokenizer.from_pretrained(HERE)\ntokenizer.padding_side = "right"\n'
_KERNEL = """    asked = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
    states = model(**asked, output_hidden_states=True).hidden_states
    mask = asked["attention_mask"][..., None]
    vectors = torch.cat([(states[layer] * mask).sum(1) / mask.sum(1) for layer in LAYERS], dim=1).numpy()
    new = ((vectors - PARTS["mean"]) / PARTS["spread"]).astype(np.float64)
    known = PARTS["rows"].astype(np.float64)
    apart = np.maximum((new**2).sum(1)[:, None] + (known**2).sum(1)[None] - 2 * new @ known.T, 0.0) / new.shape[1]
    pairs = zip(PARTS["gamma"], PARTS["coef"].T, strict=True)
    scores = np.stack([np.exp(-gamma * apart) @ coef for gamma, coef in pairs], axis=1) + PARTS["intercept"]
"""


def _stack(manifest: Manifest) -> str:
    before = (
        _ABOUT
        + """BLEND = ABOUT["blend"]
MEMBERS = [runpy.run_path(str(HERE / path / "score.py"))["score"] for path in BLEND["members"]]
"""
    )
    body = """    parts = [np.clip(member(texts), 0, 10) for member in MEMBERS]
    parts.append(np.broadcast_to(BLEND["median"], parts[0].shape))
    scores = np.einsum("mo,mno->no", np.array(BLEND["weights"]), np.stack(parts))
"""
    return _written(manifest, ["import json", "import runpy", "import numpy as np"], before, body)


def _lora(manifest: Manifest, merged: bool, frame: Mapping[str, Any] | None, bias: bool) -> str:
    stock, count = manifest["config"]["pooling"] == "last", len(manifest["outputs"])
    kind = "AutoModelForSequenceClassification" if stock else "AutoModel"
    imports = ["import torch", f"from transformers import {kind}, AutoTokenizer"]
    imports += ["from safetensors.torch import load_file"] if not stock or (bias and merged) else []
    imports += [] if merged else ["import os", "from peft import PeftModel"]
    before = "" if merged else _base(manifest["base"])
    before += _TOKENIZER
    before += _model(manifest, kind, stock, count, merged, bias)
    before += _frame(frame) if frame else ""
    return _written(manifest, imports, before, _inputs(manifest, frame) + (_STOCK if stock else _MEAN))


def _base(base: Mapping[str, Any]) -> str:
    return f'BASE = os.getenv("{base_variable(base["name"])}", {base["home"]!r})  # its name on the hub, or its folder here\n'


def _revision(manifest: Manifest) -> str:
    pinned = manifest["base"]["source"] == "hub" and manifest["base"]["revision"]
    return f", revision={pinned!r}" if pinned else ""


def _model(manifest: Manifest, kind: str, stock: bool, count: int, merged: bool, bias: bool) -> str:
    revision = "" if merged else _revision(manifest)
    labels = f", num_labels={count}" if stock and not merged else ""
    lines = [f"base = {kind}.from_pretrained({'HERE' if merged else 'BASE'}{labels}, dtype=torch.float32{revision})"]
    if stock:
        lines.append("base.config.get_text_config().pad_token_id = base.config.pad_token_id = tokenizer.pad_token_id")
    if stock and bias:
        lines.append(
            'base.score.bias = torch.nn.Parameter(load_file(HERE / "head.safetensors")["bias"])' if merged
            else f"base.score = torch.nn.Linear(base.config.hidden_size, {count})"
        )  # fmt: skip
    lines.append("model = base.eval()" if merged else "model = PeftModel.from_pretrained(base, str(HERE)).eval()")
    lines += [] if stock else ['HEAD = load_file(HERE / "head.safetensors")']
    return "\n".join(lines) + "\n"


def _frame(frame: Mapping[str, Any]) -> str:
    """Marks and instruction around an article's tokens, and what is kept of a long one."""
    head, tail, room = frame["head"], frame["tail"], frame["room"]
    return f"""BEFORE, AFTER = {frame["before"]}, {frame["after"]}  # the tokenizer's marks, and the instruction


def tokens(text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return BEFORE + (ids if len(ids) <= {room} else ids[:{head}] + ids[len(ids) - {tail} :]) + AFTER
"""


def _inputs(manifest: Manifest, frame: Mapping[str, Any] | None) -> str:
    if frame:
        return '    inputs = tokenizer.pad({"input_ids": [tokens(text) for text in texts]}, return_tensors="pt")\n'
    limit = manifest["config"]["max_tokens"]
    return f'    inputs = tokenizer(list(texts), truncation=True, max_length={limit}, padding=True, return_tensors="pt")\n'


_STOCK = """    found = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
    scores = found.double().numpy()
"""
_MEAN = """    mask = inputs["attention_mask"][..., None]
    found = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
    mean = (found * mask).sum(1) / mask.sum(1)
    scores = (mean @ HEAD["weight"].T + HEAD["bias"]).double().numpy()
"""
