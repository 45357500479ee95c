"""LoRA layers that compute in one piece what peft computes in six, for training in fp32 on a processor.

There a step is half matrix products and half memory traffic. peft's `W·x + b + s·B·A·dropout(x)` writes the wide result three
times and draws its dropout a number at a time; here B·(A·x) is added where W·x already lies, forwards and backwards, and
one random 64-bit number decides over four inputs. Mathematics, parameters and names on disk are peft's; whatever a layer
here can't do (bf16, a GPU, DoRA, several or switched-off adapters) is left to peft.
"""

from typing import Any, cast

import torch
from peft.tuners import lora
from torch import Tensor, nn

_ADAPTER = "default"
_DRAWS = 2**16  # a draw of 16 bits: dropout's share is exact to 1 / 65,536


def fuse(model: nn.Module) -> None:
    """Let every plain LoRA layer of a model compute in one piece where it can."""
    for part in model.modules():
        if type(part) is lora.Linear and _is_plain(part):
            part.__class__ = FusedLinear


def _is_plain(layer: lora.Linear) -> bool:
    base, adapter = layer.get_base_layer(), dict(layer.lora_B).get(_ADAPTER)
    plain = type(base) is nn.Linear and isinstance(adapter, nn.Linear) and adapter.bias is None
    return plain and not layer.fan_in_fan_out and not layer.lora_variant


class FusedLinear(lora.Linear):
    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if not self._can(x, args, kwargs):
            return super().forward(x, *args, **kwargs)
        base, dropout = self.base_layer, self.lora_dropout[_ADAPTER]
        share = dropout.p if self.training and isinstance(dropout, nn.Dropout) else 0.0
        down, up = self.lora_A[_ADAPTER].weight, self.lora_B[_ADAPTER].weight
        found = _Adapted.apply(x, base.weight, base.bias, down, up, self.scaling[_ADAPTER], share)  # type: ignore[no-untyped-call]
        return cast(Tensor, found)

    def _can(self, x: Tensor, args: Any, kwargs: Any) -> bool:
        ours = not (args or kwargs or self.merged or self.disable_adapters) and self.active_adapters == [_ADAPTER]
        tensors = (x, self.base_layer.weight, self.lora_A[_ADAPTER].weight)
        plain = all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
        return ours and plain and not self.base_layer.weight.requires_grad and not torch.is_autocast_enabled("cpu")


class _Adapted(torch.autograd.Function):
    """x [..., in] → x·Wᵀ + b + s·(dropout(x)·Aᵀ)·Bᵀ [..., out]; W [out, in] is frozen, A [r, in] and B [out, r] learn."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scaling: float, share: float
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        mask = keep(rows, share) if share else None
        dropped = rows if mask is None else rows * mask
        ctx.scale = scaling / (1 - share)
        thin = (dropped @ down.T).mul_(ctx.scale)
        found = rows @ weight.T if bias is None else torch.addmm(bias, rows, weight.T)
        found.addmm_(thin, up.T)
        ctx.save_for_backward(weight, down, up, dropped, thin, mask)
        return found.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        weight, down, up, dropped, thin, mask = ctx.saved_tensors
        wide = grads[0].reshape(-1, grads[0].shape[-1])
        narrow = (wide @ up).mul_(ctx.scale)
        found = None
        if ctx.needs_input_grad[0]:
            found = wide @ weight
            if mask is None:
                found.addmm_(narrow, down)
            else:
                found.add_((narrow @ down).mul_(mask))
            found = found.view(*grads[0].shape[:-1], -1)
        return found, None, None, narrow.T @ dropped, wide.T @ thin, None, None


def keep(rows: Tensor, share: float) -> Tensor:
    """A random mask of the rows' shape, False in `share` of its places, from PyTorch's own generator."""
    words = torch.empty(-(-rows.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    return (words.view(torch.int16)[: rows.numel()] >= round(share * _DRAWS) - _DRAWS // 2).view(rows.shape)
