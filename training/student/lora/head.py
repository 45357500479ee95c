"""Where a head begins: near the mean of each output, so that training needn't spend its steps on getting there."""

import torch
from torch import Tensor

from .. import history, tokens
from ..config import LoraConfig
from . import model
from .rows import Rows

_DIRECTION_TEXTS = 64


@torch.no_grad()
def start(scorer: model.Scorer, rows: Rows, config: LoraConfig) -> None:
    """Set the scale, and the head so that every first prediction is (nearly) its output's mean; raw recipes begin at zero.

    An own head has a bias for that. The stock head has none: there the mean rides on the direction u of the base's
    vectors in which all articles agree (least squares of u · h = 1), so its weights begin as mean ⊗ u.
    """
    device = scorer.scale.device
    scorer.scale.copy_(torch.tensor(rows.scale, dtype=torch.float32))
    scorer.final.weight.zero_()
    if scorer.final.bias is not None:
        scorer.final.bias.zero_()
    if not config.standardise:
        return
    mean = torch.tensor(rows.mean / rows.scale, dtype=torch.float32, device=device)
    if scorer.final.bias is not None:
        scorer.final.bias.copy_(mean)
    else:
        scorer.final.weight.copy_(torch.outer(mean, _common_direction(scorer, rows, config.seed)))


def _common_direction(scorer: model.Scorer, rows: Rows, seed: int) -> Tensor:
    """u with u · h ≈ 1 for the last token's vector h of a sample of articles; ridge keeps it from memorising them."""
    found, device = [], scorer.scale.device
    with model.evaluating(scorer):
        for i in history.sample(_DIRECTION_TEXTS, range(len(rows)), seed):
            inputs = {name: value.to(device) for name, value in tokens.pad([rows.tokens[i]], rows.pad_token).items()}
            found.append(scorer.backbone(**inputs)[0, -1].float())
    vectors = torch.stack(found)
    gram = vectors @ vectors.T
    gram += 0.01 * gram.diagonal().mean() * torch.eye(len(found), device=device)
    direction = vectors.T @ torch.linalg.solve(gram, torch.ones(len(found), device=device))
    return (direction / (vectors @ direction).mean()).clone()
