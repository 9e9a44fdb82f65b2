"""The harness of every stage script: what it is called, where it writes, what it may read, and what happens to its record."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from snn5 import config, record, tracking
from snn5.config import Config
from snn5.errors import UserError
from snn5.files import find_root
from snn5.record import Record
from snn5.reproducible import keep_memory, one_thread, seed_of
from snn5.stages import _watchdog


@dataclass(kw_only=True)
class Stage:
    """One run of one DVC stage.

    Attributes:
        script: the module's name, e.g. `p1_train`.
        args: the words after it, e.g. `("sew_resnet", "frames")`.
        config: params.yaml, checked. root: the checkout, which is the working directory.
        alias: from `--from-mlflow ALIAS`: ingredients are what the registry's alias points to, not what lies at their paths.
        parents: what `input` has handed out.
        ingredients: what `ingredient` has resolved.
    """

    script: str
    args: tuple[str, ...]
    config: Config
    root: Path
    alias: str | None = None
    parents: list[Path] = field(default_factory=list)
    ingredients: list[tracking.Ingredient] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The stage as DVC calls it: `p1_train@sew_resnet-frames`, or `p8_lsm` without arguments."""
        return f"{self.script}@{'-'.join(self.args)}" if self.args else self.script

    @property
    def out(self) -> Path:
        """The folder for its outputs, relative to `root`: `data/p1_train/sew_resnet-frames`."""
        return Path("data", self.script, "-".join(self.args))

    def seed(self, *parts: object) -> int:
        """A 32 bit seed of its own for every stage and every `parts` (see `seed_of`)."""
        return seed_of(self.name, *parts)

    def resume(self, *parts: object) -> Path:
        """Where a training of this stage keeps its state between interruptions: outside the outputs, which DVC empties before each run."""
        return Path(".cache", "resume", self.name, "-".join(map(str, parts)) + ".pt")

    def input(self, path: str | Path) -> Path:
        """`path` (relative to the root), which an earlier stage made; noted as a parent of this run.

        Raises:
            UserError: it is missing; names the command that makes it.
        """
        path = Path(path)
        if not path.exists():
            raise UserError(f"{self.name} needs {path}, which is missing; make it with `dvc repro {_maker(path)}`")
        if path not in self.parents:
            self.parents.append(path)
        return path

    def ingredient(self, path: str | Path) -> tracking.Ingredient:
        """`path` with the MLflow run that made its bytes; the lineage is logged on this stage's run.

        Raises:
            UserError: it is missing, differs from dvc.lock, or no run accounts for it.
        """
        if self.alias:
            found = tracking.from_alias(self.alias, Path(path).as_posix(), root=self.root)
        else:
            found = tracking.resolve(self.input(path), root=self.root)
        if found not in self.ingredients:
            self.ingredients.append(found)
        return found


def main(run: Callable[[Stage], Record]) -> None:
    """Run the stage whose script is `__main__`: check, run, write its record, log it (see `leave_or_log`); a user's mistake is one line."""
    _watchdog.install()
    try:
        with one_thread():
            keep_memory()
            _run(run)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run the same command to start this stage again\n")
        _watchdog.end(130)


def _run(run: Callable[[Stage], Record]) -> None:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None or not spec.name:
        raise UserError(f"{sys.argv[0]} was started as a file; start it as `python -m snn5.stages.{Path(sys.argv[0]).stem}`")
    root = find_root()
    os.chdir(root)
    args, alias = _words(sys.argv[1:])
    stage = Stage(script=spec.name.rpartition(".")[2], args=args, config=config.load(), root=root, alias=alias)
    begin = time.time()
    tracking.check(root)  # before hours of work, not after
    stage.out.mkdir(parents=True, exist_ok=True)
    result = run(stage)
    if stage.ingredients:
        result.details["ingredients"] = {item.path: item.md5 for item in stage.ingredients}  # md5s only: run ids differ every time
    record.save(result, stage.out)
    if os.environ.get("RANK", "0") == "0":  # under torchrun every process runs the stage and writes the same bytes; one of them logs
        tracking.leave_or_log(stage.name, stage.out, root=root, started=begin)
    shutil.rmtree(Path(".cache", "resume", stage.name), ignore_errors=True)


def _words(words: list[str]) -> tuple[tuple[str, ...], str | None]:
    """The stage's arguments, and the alias of `--from-mlflow ALIAS`."""
    if "--from-mlflow" not in words:
        return tuple(words), None
    place = words.index("--from-mlflow")
    if place + 1 == len(words):
        raise UserError("--from-mlflow needs an alias of the model registry, e.g. --from-mlflow champion")
    return (*words[:place], *words[place + 2 :]), words[place + 1]


def _maker(path: Path) -> str:
    """The DVC target that makes data/<target>/…; a target without its `@…` stands for the whole group."""
    return path.parts[1] if len(path.parts) > 1 and path.parts[0] == "data" else ""
