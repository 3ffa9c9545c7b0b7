"""What a line of the table says."""

from collections.abc import Callable
from dataclasses import dataclass

from account import Account

#: The plan shows it as drift, apply mends it, and all is as it was.
REPAIRED = "repaired"
#: The plan shows nothing at all, and apply leaves it alone.
IGNORED = "ignored"
#: The plan says what it waits for, and apply leaves it alone.
BLOCKED = "blocked"
#: The manifest says `drift: report`: the plan shows it, apply leaves it alone.
REPORTED = "reported"


@dataclass(frozen=True)
class Case:
    """One thing that somebody does to the account behind the program's back.

    `path` is the attribute that it concerns, `tags`, or `WHOLE` for an object
    that is taken away. `along` are the addresses that drift with it, perhaps with
    `*` in them; what only follows another change need not be named. `undo` puts back
    what the program must not, after it has done what it must. A case that nobody can put back comes `last`.
    What is blocked waits for a consent, unless none could be carried out: `for_good`.
    """

    address: str
    path: str
    did: str
    mutate: Callable[[Account], object]
    expect: str = REPAIRED
    action: str = "update"
    reason: str = "drift"
    along: tuple[str, ...] = ()
    undo: Callable[[Account], object] | None = None
    last: bool = False
    for_good: bool = False

    @property
    def kind(self):
        return self.address.split("/")[1]

    @property
    def name(self):
        return f"{self.address} {self.path}: {self.did}"


#: The path of an object that is taken away.
WHOLE = "(whole)"


def gone(address, did, mutate, along=(), last=False):
    """An object that is taken away and comes back."""
    return Case(address, WHOLE, did, mutate, action="create", along=along, last=last)
