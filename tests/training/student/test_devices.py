"""Moving a student: everything it is made of goes along, however deep it is wrapped."""

import torch
from torch import nn

from training.student import devices


class Part:
    """Stands for a student, a member, a reader: an object of that package."""

    def __init__(self, **parts: object):
        self.__dict__.update(parts)


Part.__module__ = "training.student.anything"


class Stranger(Part):
    """An object of somebody else."""


Stranger.__module__ = "elsewhere"


def test_members_wrapped_in_members_move_with_their_modules() -> None:
    core, inner = nn.Linear(2, 2), nn.Linear(2, 2)
    reader = Part(model=inner, device=torch.device("cpu"))
    student = Part(own=Part(members=[Part(scorer=core), Part(reader=reader)], manifest={"config": {}}), weights=[1.0])
    devices.place(student, "meta")
    assert core.weight.device.type == inner.weight.device.type == "meta"
    assert reader.device == torch.device("meta")


def test_what_is_not_of_this_package_stays() -> None:
    module = nn.Linear(2, 2)
    devices.place(Part(tokenizer=Stranger(module=module)), "meta")
    assert module.weight.device.type == "cpu"
