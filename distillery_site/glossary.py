"""The field's words, one sentence each: the glossary page, and the tooltips wherever a page uses them."""

TERMS: dict[str, tuple[str, str]] = {
    "article": ("Article", "A text that an oracle, a person or a student reads and scores."),
    "filter": ("Filter", "A question asked of every article, such as “how uplifting is it?”, answered on several dimensions."),
    "dimension": ("Dimension", "One scale of a filter, from 0 to 10, with anchors that fix what its points mean."),
    "anchor": ("Anchor", "A sentence that fixes what one point of a scale means."),
    "rubric": ("Rubric", "A filter's dimensions and anchors, its prompt and article view; it never changes once labelled."),
    "view": ("Article view", "Which fields and how many words of an article oracle and student both read."),
    "policy": ("Policy", "What is made of raw scores: weights, tiers, gatekeepers, caps; it can change without new labels."),
    "weight": ("Weight", "A dimension's share in the weighted average."),
    "average": ("Weighted average", "The dimensions' scores, each times its weight, added up."),
    "tier": ("Tier", "A named range of the weighted average, such as high or low."),
    "gatekeeper": ("Gatekeeper", "A dimension that must reach a minimum, or else the weighted average is held down to a cap."),
    "cap": ("Cap", "The most that a weighted average may be when a rule applies; the raw scores are kept beside it."),
    "prefilter": ("Prefilter", "Rules (length, language, patterns) that decide which articles are worth an oracle's reading."),
    "oracle": ("Oracle", "The expensive judge a student learns from: a large language model with fixed parameters."),
    "label": ("Label", "An oracle's scores for one article by one rubric, with its reasons."),
    "reading": ("Reading", "One time that an oracle judged an article; a second reading shows how steady it is."),
    "pilot": (
        "Pilot",
        "A small random sample, labelled first: how the oracle uses the scales, and what the rest costs.",
    ),
    "worst": (
        "Worst case",
        "The price if every question took all the tokens it may; that much is reserved before it is sent.",
    ),
    "cache": (
        "Prompt cache",
        "A provider keeps the beginning that questions share, and takes a fraction of the price for it.",
    ),
    "enrichment": (
        "Enrichment",
        "Where high scores are rare, a quick student picks articles likely to have them; a part stays unscreened, and weights "
        "undo the choice in every figure about all articles.",
    ),
    "holdout": ("Unscreened part", "Articles of an enriched draw that were taken at random before anything was screened."),
    "standsfor": ("Sampling weight", "How many articles a drawn one stands for: one over its chance of being drawn."),
    "recorded": ("Recorded oracle", "An oracle whose judgements were stored once and are replayed: nothing is paid or sent."),
    "call": ("Call", "One request to an oracle, written down before it leaves; what a run costs is the sum of its calls."),
    "reserved": ("Reserved", "The most that calls now out can cost; what they do cost is booked instead when they are answered."),
    "lost": ("Lost", "Booked for calls whose reply never came, for they may have been charged; a late reply takes it back."),
    "batch": ("Batch", "Many calls handed to the provider together: half the price, an answer within a day, mostly much sooner."),
    "flag": ("Flag", "A remark on a label that is stored all the same, such as a quote that doesn't stand in its article."),
    "absent": ("Absent", "An article for which the recorded oracle has no judgement: no failure, it simply wasn't asked."),
    "repeat": (
        "Repeat error",
        "How far two readings of the same article by the same oracle differ on average; "
        "a perfect imitator of its mean would land between half of it and all of it.",
    ),
    "prompt": (
        "Prompt",
        "The very words and form of answer that an oracle was asked with; other words are another question, "
        "so labels of two prompts are never compared or mixed in silence.",
    ),
    "within": ("Within a point", "The share of articles on which two judgements lie at most one point of ten apart."),
    "icc": (
        "Intraclass correlation",
        "How much of what differs between scores is the articles' doing and not the judges'; 1 is perfect agreement, "
        "and 0.75 or more is commonly called good.",
    ),
    "icc_k": ("Correlation of the mean", "The same for the mean of all judges of an article, which is steadier than one judge."),
    "alpha": ("Krippendorff's alpha", "Agreement beyond chance: 1 is perfect, 0 is what scores dealt out at random would show."),
    "shift": ("Shift", "How much higher (+) or lower (−) one judge scores than another on average; lower is stricter."),
    "apart": ("Apart", "How many points two judges' scores of the same article differ by, on average, whichever is higher."),
    "rank_agreement": ("Spearman", "How far two judges put articles in the same order; 1 is the same order."),
    "review": ("Review", "A person's own scores for an article, given before the oracle's are shown."),
    "gold": ("Gold", "What people settled on: their mean where they agree, a lead's decision where they don't."),
    "dataset": ("Data set", "A frozen choice of labelled articles with their splits, known by its fingerprint."),
    "fingerprint": ("Fingerprint", "A hash over every text, target and split: the same fingerprint means exactly the same data."),
    "split": ("Split", "Training (learnt from), validation (chosen by) or test (looked at once a recipe)."),
    "cluster": ("Near-duplicates", "Articles so alike that they are kept together in one split."),
    "leakage": ("Leakage", "Clusters of near-duplicates that lie in more than one split; it must be 0."),
    "student": ("Student", "A small model that has learnt to score as the oracle does."),
    "ridge": ("Ridge", "A student from word counts and linear regression: seconds to train, and an honest baseline."),
    "lora": ("LoRA", "A student that adapts a pretrained language model by training a few small matrices."),
    "stack": ("Stack", "A student that weighs the answers of other students."),
    "champion": ("Champion", "The version that answers for a filter now."),
    "challenger": ("Challenger", "A version that stands beside the champion to be compared with it."),
    "benchmark": ("Benchmark", "A version's stored predictions on a split it never learnt from, and the figures made of them."),
    "mae": ("Mean absolute error", "How many points a student misses the oracle by, on average."),
    "rmse": ("Root mean square error", "Like the mean absolute error, but large misses weigh more."),
    "bias": ("Bias", "Whether a student scores too high (+) or too low (−) on average."),
    "pearson": ("Pearson correlation", "How far a student's scores rise and fall in line with the oracle's; 1 is perfectly."),
    "spearman": ("Spearman correlation", "How far a student puts articles in the same order as the oracle; 1 is the same order."),
    "curve": (
        "Learning curve",
        "How the error falls with the number of labels, a + b · n^−c: what more labels of the same kind would give.",
    ),
    "gap": (
        "Gap",
        "How much larger the validation error is than the training error, as a share of the latter: "
        "below 10 % a student may still improve, above 50 % it knows its own articles by heart.",
    ),
    "token": ("Token", "A word or a piece of one, as a language model reads it; an English article has a few hundred."),
    "constant": ("Best constant", "The error of always answering the median: what is reached by knowing nothing of the article."),
    "skill": ("Skill", "The share of the best constant's error that a student takes away: 0 % knows nothing, 100 % never errs."),
    "interval": ("95 % interval", "Where the figure would lie in 95 of 100 samples of articles drawn like these (bootstrap)."),
    "spread": ("Spread", "How far several students' scores of one article lie apart: the standard deviation, in points."),
    "conformal": (
        "Conformal interval",
        "Where the oracle's score lies nine times in ten, by the student's errors on validation articles it was not fitted on.",
    ),
    "coverage": (
        "Coverage",
        "How often the interval that a student gives with a score held the oracle's own; it should be as often as promised.",
    ),
    "noise": (
        "Noise",
        "What another sample of articles drawn alike would change by chance: a difference that size tells nothing.",
    ),
    "holm": (
        "Holm's correction",
        "Who looks at many dimensions finds some difference by chance; p-values are made larger for the number of looks.",
    ),
    "gate": (
        "Gate",
        "A question that is asked before a version may answer for a filter; a closed one is passed only with a reason.",
    ),
    "anchoring": (
        "Anchoring",
        "Who sees another's score first lands nearer to it; how much nearer is measured on articles drawn at random.",
    ),
    "blind": ("Blind", "Scored before the oracle's scores could be seen."),
    "pace": ("Pace", "The median time that a review takes, from opening the article to its scores."),
    "milder": ("Against people", "How much higher a person scores than the other people do on the same articles."),
    "drift": ("Drift", "How a reviewer's difference to the oracle, which never tires, changes over a hundred reviews."),
    "true_quality": (
        "True quality",
        "How far a student lies from people: its distance to the oracle on all articles, put right by a random part of them "
        "that people scored.",
    ),
    "ppi_weight": (
        "Weight of the oracle",
        "How much of the error against people that against the oracle foretells, from 0 to 1; it makes the interval shortest.",
    ),
    "clipped": ("Clipped", "Predictions outside 0–10 that were pulled back to the scale's end."),
    "few": ("Too few to judge", "Fewer than ten test articles score 5 or more on this dimension, so its error says little."),
    "manifest": ("Manifest", "The file written last that lists a model's files with their hashes; without it nothing is loaded."),
    "lease": ("Lease", "A worker's hold on a run; when it runs out, another worker takes the run up."),
}


def explain(key: str) -> tuple[str, str]:
    """(name, one sentence); an unknown key raises KeyError, so that a test finds it."""
    return TERMS[key]
