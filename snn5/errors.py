"""What the user can cause, and how it is said: what is wrong, the value, what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """A mistake or a missing thing that the user can mend; the command line prints it without a traceback."""


class NotPortable(UserError):
    """A network that has no form in whole numbers, or none that a chip can hold; the message says which part, why, and what to do."""


def unknown(kind: str, name: str, known: Iterable[str], remedy: str = "") -> UserError:
    """The error for a name that nobody registered, with the closest known ones.

    >>> str(unknown("model", "sew_resnet21", ["sew_resnet20", "sew_resnet56"]))
    "unknown model 'sew_resnet21'; did you mean sew_resnet20, sew_resnet56?"
    """
    names = sorted(known)
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(close)}?" if close else f"known: {', '.join(names) or 'none'}"
    return UserError(f"unknown {kind} {name!r}; {hint}{' ' + remedy if remedy else ''}")
