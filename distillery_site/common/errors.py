"""The two kinds of failure that matter to a run: try again later, or stop and tell a person."""


class DistilleryError(Exception):
    """Base of every error whose message is written for a person to read."""


class Permanent(DistilleryError):
    """Trying the same thing again cannot help."""


class Transient(DistilleryError):
    """The same thing may work later; `retry_after` is in seconds where the other side told."""

    def __init__(self, message: str, retry_after: float | None = None):
        super().__init__(message)
        self.retry_after = retry_after


class BadInput(Permanent):
    """What a person or a client sent cannot be used; `problems` lists everything wrong with it."""

    def __init__(self, *problems: str):
        super().__init__(" ".join(problems))
        self.problems = list(problems)


class Cancelled(DistilleryError):
    """A person asked the run to stop."""


class LeaseLost(DistilleryError):
    """Another worker owns the run now; whoever sees this must stop without writing."""
