"""LoRA in one piece: what peft computes, forwards and backwards, and peft itself wherever one piece can't."""

from typing import Any

import peft
import pytest
import torch
from peft.tuners import lora
from torch import Tensor, nn

from training.student.lora import fused


def layer(**options: Any) -> nn.Module:
    torch.manual_seed(0)
    model = peft.get_peft_model(
        nn.Sequential(nn.Linear(12, 20)), peft.LoraConfig(r=4, lora_alpha=8, target_modules=["0"], **options)
    )
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_() if "lora_" in name else None
    return model


def results(model: nn.Module, x: Tensor) -> list[Tensor]:
    """The output, and the gradients of the input, of A and of B."""
    x = x.clone().requires_grad_()
    found = model(x)
    learnt = [weight for weight in model.parameters() if weight.requires_grad]
    return [found, *torch.autograd.grad((found * torch.arange(20.0)).sum(), [x, *learnt])]


def test_it_computes_what_peft_computes() -> None:
    plain, ours, x = layer(), layer(), torch.randn(2, 3, 12)
    fused.fuse(ours)
    assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-4) for a, b in zip(results(plain, x), results(ours, x), strict=True))


def test_gradients_fit_the_outputs_under_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = torch.rand(6, 12) > 0.5
    monkeypatch.setattr(fused, "keep", lambda rows, share: mask)
    ours, x = layer(lora_dropout=0.5), torch.randn(2, 3, 12)
    fused.fuse(ours)
    adapted = next(part for part in ours.modules() if isinstance(part, fused.FusedLinear))
    down, up = adapted.lora_A["default"].weight, adapted.lora_B["default"].weight

    def by_hand(x: Tensor) -> Tensor:
        dropped = x * mask.view(2, 3, 12) * 2
        return nn.functional.linear(x, adapted.base_layer.weight, adapted.base_layer.bias) + 2 * (dropped @ down.T @ up.T)

    x.requires_grad_()
    found, wanted = ours(x), by_hand(x)
    grads = (torch.autograd.grad(value.pow(2).sum(), [x, down, up]) for value in (found, wanted))
    assert torch.allclose(found, wanted, atol=1e-4)
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-2) for a, b in zip(*grads, strict=True))


def test_a_mask_drops_its_share_and_follows_the_seed() -> None:
    torch.manual_seed(1)
    mask = fused.keep(torch.empty(999, 401), 0.05)
    torch.manual_seed(1)
    assert torch.equal(mask, fused.keep(torch.empty(999, 401), 0.05))
    assert mask.shape == (999, 401)
    assert (~mask).float().mean().item() == pytest.approx(0.05, abs=0.002)
    columns, rows = (~mask).float().mean(0), (~mask).float().mean(1)
    assert columns.std().item() == pytest.approx((0.05 * 0.95 / 999) ** 0.5, rel=0.2)
    assert rows.std().item() == pytest.approx((0.05 * 0.95 / 401) ** 0.5, rel=0.2)


def test_nothing_is_dropped_outside_training() -> None:
    ours, x = layer(lora_dropout=0.5).eval(), torch.randn(3, 12)
    fused.fuse(ours)
    assert torch.equal(ours(x), ours(x))
    assert torch.allclose(ours(x), layer(lora_dropout=0.5).eval()(x), atol=1e-4)


def test_names_on_disk_stay() -> None:
    ours = layer()
    fused.fuse(ours)
    assert peft.get_peft_model_state_dict(ours).keys() == peft.get_peft_model_state_dict(layer()).keys()


@pytest.mark.parametrize("options", [{"use_dora": True}, {"lora_bias": True}])
def test_layers_that_are_more_than_lora_stay_as_they_are(options: dict[str, Any]) -> None:
    model = layer(**options)
    fused.fuse(model)
    assert not any(isinstance(part, fused.FusedLinear) for part in model.modules())


def test_bf16_switched_off_and_merged_adapters_are_left_to_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = layer(), torch.randn(3, 12)
    fused.fuse(model)
    asked: list[bool] = []
    adapted = next(part for part in model.modules() if isinstance(part, fused.FusedLinear))
    whole = lora.Linear.forward
    monkeypatch.setattr(lora.Linear, "forward", lambda *args, **kwargs: asked.append(True) or whole(*args, **kwargs))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(x).dtype == torch.bfloat16
    with model.disable_adapter():  # type: ignore[operator]
        assert torch.allclose(model(x), adapted.base_layer(x))
    before = model(x)
    model.merge_adapter()  # type: ignore[operator]
    assert torch.allclose(model(x), before, atol=1e-4)
    assert len(asked) == 3
