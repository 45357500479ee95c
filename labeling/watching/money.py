"""A run's money as people see it: paid, lost, reserved, what all of it will come to, and the cap that binds first."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from distillery_site.common.errors import BadInput
from labeling.figures import RunCounts
from labeling.models import LabelingRun, Purse
from labeling.oracles.base import ZERO
from labeling.running.budget import Cap, caps
from labeling.running.settling import month_of, purse_of


@dataclass(frozen=True)
class Part:
    """One stretch of a bar, and the number it stands for."""

    name: str
    value: int | Decimal
    whole: int | Decimal

    @property
    def percent(self) -> str:
        return f"{min(100.0, 100 * float(self.value) / float(self.whole)) if self.whole else 0:.2f}"


@dataclass(frozen=True)
class Money:
    """A run's money in USD; `priced` articles were paid for, `waiting` ones were not.

    projected: what all of it will have cost, None before the first answer or plan, or when nothing more is to come.
    caps: every limit that holds for it now, its own first.
    """

    paid: Decimal
    lost: Decimal
    reserved: Decimal
    priced: int
    waiting: int
    projected: Decimal | None
    caps: tuple[Cap, ...]

    @property
    def spent(self) -> Decimal:
        return self.paid + self.lost + self.reserved

    @property
    def tight(self) -> Cap | None:
        """The cap with the least room."""
        limited = [cap for cap in self.caps if cap.room is not None]
        return min(limited, key=lambda cap: cap.room or ZERO, default=None)

    @property
    def most(self) -> Decimal | None:
        """What this run can come to before the tightest cap stops it."""
        return None if self.tight is None else self.spent + max(ZERO, self.tight.room or ZERO)

    @property
    def is_free(self) -> bool:
        """No paid oracle runs without a cap of its own."""
        return not self.spent and self.caps[0].limit is None

    @property
    def in_the_end(self) -> Decimal:
        """As far as it is known now."""
        return self.projected if self.projected is not None else self.paid + self.lost

    @property
    def reach(self) -> int | None:
        """How many more articles the cap has room for, where it hasn't for all."""
        if self.most is None or self.projected is None or self.projected <= self.most or not self.priced or not self.paid:
            return None
        return max(0, int((self.most - self.paid - self.lost) * self.priced / self.paid))

    @property
    def parts(self) -> list[Part]:
        """The stretches of a bar that is as long as the cap, or as what it will come to."""
        to_come = max(ZERO, self.in_the_end - self.spent)
        found = {"paid": self.paid, "lost": self.lost, "reserved": self.reserved, "to-come": to_come}
        return [Part(name, value, self._whole) for name, value in found.items()]

    @property
    def mark(self) -> str:
        """Where on that bar the cap is, in percent; empty where there is none."""
        return Part("cap", self.most, self._whole).percent if self.most is not None else ""

    @property
    def _whole(self) -> Decimal:
        return max(self.most or ZERO, self.in_the_end, self.spent)


def money_of(run: LabelingRun, counts: RunCounts) -> Money:
    priced = counts.labelled + counts.failed
    projected = None if run.is_final else _projected(run, priced, counts.waiting)
    return Money(run.cost_usd, run.lost_usd, run.reserved_usd, priced, counts.waiting, projected, tuple(_caps(run)))


def _projected(run: LabelingRun, priced: int, waiting: int) -> Decimal | None:
    """What is paid and lost, and for all that wait what the others cost; the plan's sum before the first is done."""
    if priced and run.cost_usd:
        return run.cost_usd + run.lost_usd + run.cost_usd / priced * waiting
    planned = run.plan.get("usd")
    return Decimal(str(planned)) if planned is not None and not priced else None


def _caps(run: LabelingRun) -> list[Cap]:
    """The filter's and the month's caps hold for what is still to be spent, so a run that is over has only its own."""
    own = Cap("this run", run.budget_usd, run.spent_usd, run.reserved_usd)
    if run.is_final:
        return [own]
    month = month_of(timezone.now())
    names = (month, purse_of(run))
    purses = {name: Purse(name=name) for name in names}
    purses |= {purse.name: purse for purse in Purse.objects.filter(name__in=names)}
    try:
        return caps(run, purses, month)
    except BadInput:  # the month's can't be read; the overview says so
        return [own]
