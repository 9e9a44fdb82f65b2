"""`snn5 gate check|move|selftest`: the regression gates. What a command needs it imports itself."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from snn5.errors import UserError
from snn5.files import find_root

gate = typer.Typer(no_args_is_help=True, help="Figures that must not get worse: check, move, selftest.")
_NAMES = "networks (frozen ones, measured now) or roadmap (the published report)"


@gate.command()
def check(names: Annotated[list[str] | None, typer.Argument(metavar="GATE", help=f"{_NAMES}; default: both.")] = None) -> None:
    """Compare figures with their baselines in docs/baselines; exit status 1 where one is worse, missing or no number."""
    from snn5 import gates

    wrong = []
    for name in names or list(gates.GATES):
        try:
            better = gates.hold(name, find_root())
        except UserError as error:
            wrong.append(str(error))
            continue
        typer.echo(f"{name}: holds, {len(gates.GATES[name].baseline(find_root()).metrics)} figures")
        for found in better:
            typer.echo(f"  {found.metric} {found.text}")
    if wrong:
        raise UserError("\n".join(wrong))


@gate.command()
def move(
    name: Annotated[str, typer.Argument(metavar="GATE", help=f"{_NAMES}.")],
    pattern: Annotated[str, typer.Argument(metavar="METRIC", help="Its name, or several: 'sew/rate/*', '*'.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the file.")],
) -> None:
    """Make what is measured now the baseline; old and new values, the reason and what measured are written down. Then commit the file."""
    from snn5 import gates

    count = gates.move(name, find_root(), pattern=pattern, reason=reason)
    typer.echo(f"{count} metrics moved in {gates.FOLDER / gates.GATES[name].file}; look at `git diff`, then commit it")


@gate.command()
def selftest() -> None:
    """Break networks, labels and figures on purpose; exit status 1 if a gate lets one of the faults pass, or fails without a fault."""
    from snn5 import gates

    outcomes = gates.selftest(find_root())
    table = Table("gate", "fault", "must fail", "failed", "", box=None, header_style="bold", pad_edge=False)
    for o in outcomes:
        verdict = Text("caught" if o.expected else "passes", "green") if o.caught else Text("NOT CAUGHT" if o.expected else "FAILS", "red")
        table.add_row(o.gate, o.fault, o.expected or "nothing", f"{len(o.failed)} metrics", verdict)
    Console().print(table)
    if any(not o.caught for o in outcomes):
        raise UserError("a gate does not do what it is for; see the table")
