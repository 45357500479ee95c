"""What was spent of the caps that runs share, for people to see."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from distillery_site.common.errors import BadInput
from labeling.models import Filter, LabelingRun, Purse
from labeling.oracles.base import ZERO
from labeling.running.budget import monthly_cap
from labeling.running.settling import month_of, purse_of


@dataclass(frozen=True)
class Spending:
    """`spent` is paid, lost or out at the moment; `cap` is None where there is none. `problem`: it can't be read."""

    spent: Decimal
    cap: Decimal | None
    problem: str = ""

    @property
    def share(self) -> float | None:
        return float(min(Decimal(1), self.spent / self.cap)) if self.cap else None


def of_filter(filter_: Filter) -> Spending:
    """All labelling by this filter, ever."""
    version = filter_.latest
    return Spending(_spent(purse_of(LabelingRun(version=version))) if version else ZERO, filter_.budget_usd)


def this_month() -> Spending:
    """All labelling since the first of the month (UTC)."""
    spent = _spent(month_of(timezone.now()))
    try:
        return Spending(spent, monthly_cap())
    except BadInput as error:
        return Spending(spent, None, str(error))


def _spent(name: str) -> Decimal:
    purse = Purse.objects.filter(name=name).first()
    return purse.spent_usd if purse else ZERO
