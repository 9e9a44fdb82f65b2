"""How far the work is: a bar on a terminal; elsewhere a line now and then, so that logs stay readable."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

_PLAIN_SECONDS = 5.0  # between two lines


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.2f}/s" if task.speed else "", style="progress.data.speed")


def _told() -> TextColumn:
    return TextColumn("{task.fields[told]}", markup=False, style="dim", table_column=Column(no_wrap=True, overflow="ellipsis"))


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[..., None]]:
    """Show `total` units of work on stderr; the block calls what it is given once per unit (from any thread), with a text or without.

    The latest text stands at the end of the line.
    """
    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(), _told())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(label, total=total, told="")
            yield lambda text="": bar.update(task, advance=1, **({"told": text} if text else {}))
        return
    begin = last = time.monotonic()
    done = 0

    def advance(text: str = "") -> None:
        nonlocal done, last
        done += 1
        now = time.monotonic()
        if now - last >= _PLAIN_SECONDS:
            last = now
            sys.stderr.write(f"{label}: {done}/{total} ({done / (now - begin):.2f}/s){text and ' ' + text}\n")
            sys.stderr.flush()

    yield advance
