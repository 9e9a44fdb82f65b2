"""The harness: names, seeds, inputs, errors, and that no stage outlives the dvc that started it."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from snn5 import config, lockfile, tracking
from snn5.errors import UserError
from snn5.files import md5
from snn5.record import Record, Run
from snn5.stages import _stage, _watchdog
from snn5.stages._stage import Stage

PARAMS = Path(__file__).parents[2] / "params.yaml"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow", "ignore::ResourceWarning")  # MLflow's own


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copyfile(PARAMS, tmp_path / "params.yaml")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.setenv("SNN5_TRACKING", "off")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stage(root: Path, *args: str, script: str = "p1_train") -> Stage:
    return Stage(script=script, args=args, config=config.load(PARAMS), root=root)


def call(monkeypatch: pytest.MonkeyPatch, run: Any, *words: str) -> None:
    """`python -m snn5.stages.p1_toy WORDS` in this process."""
    monkeypatch.setattr(_watchdog, "install", lambda: None)
    monkeypatch.setattr(_stage, "keep_memory", lambda: None)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", ModuleSpec("snn5.stages.p1_toy", None))
    monkeypatch.setattr(sys, "argv", ["p1_toy.py", *words])
    _stage.main(run)


def test_names_and_places(root: Path) -> None:
    one = stage(root, "sew_resnet", "frames")
    assert (one.name, one.out) == ("p1_train@sew_resnet-frames", Path("data/p1_train/sew_resnet-frames"))
    none = stage(root, script="p8_lsm")
    assert (none.name, none.out) == ("p8_lsm", Path("data/p8_lsm"))


def test_seed_is_the_head_of_a_sha256(root: Path) -> None:
    one = stage(root, "a", "b")
    assert one.seed(3, "x") == int(hashlib.sha256(b"p1_train@a-b/3/x").hexdigest()[:8], 16)
    assert len({one.seed(), one.seed(0), one.seed(1), one.seed(1, 0), stage(root, "a", "c").seed(1)}) == 5


def test_input_is_noted_or_its_maker_named(root: Path) -> None:
    one = stage(root)
    (root / "data/p7_data/frames").mkdir(parents=True)
    (root / "data/p7_data/frames/train.safetensors").touch()
    path = one.input("data/p7_data/frames/train.safetensors")
    one.input(path)
    assert one.parents == [path] == [Path("data/p7_data/frames/train.safetensors")]
    with pytest.raises(
        UserError, match=r"p1_train needs data/p4_sparsify/metrics.json, which is missing; make it with `dvc repro p4_sparsify`"
    ):
        one.input("data/p4_sparsify/metrics.json")


def test_main_writes_the_record(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def run(one: Stage) -> Record:
        seen.append((one.name, one.alias, one.root, Path.cwd()))
        return Record(summary={"test/acc": 0.5}, runs={"seed0": Run(curves={"train/loss": [(0, 0.1)]})})

    (root / "below").mkdir()
    monkeypatch.chdir(root / "below")
    call(monkeypatch, run, "a", "--from-mlflow", "champion", "frames")
    assert seen == [("p1_toy@a-frames", "champion", root, root)]
    out = root / "data/p1_toy/a-frames"
    assert (out / "metrics.json").is_file()
    assert (out / "curves.csv").read_text() == "run,name,step,value\nseed0,train/loss,0,0.1\n"


def test_a_mistake_is_one_line_and_leaves_no_result(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(one: Stage) -> Record:
        raise UserError("epochs=0; need at least 1")

    with pytest.raises(SystemExit) as left:
        call(monkeypatch, run)
    assert left.value.code == 1
    assert capsys.readouterr().err == "error: epochs=0; need at least 1\n"
    assert list((root / "data/p1_toy").iterdir()) == []
    with pytest.raises(SystemExit):
        call(monkeypatch, run, "--from-mlflow")
    assert capsys.readouterr().err == "error: --from-mlflow needs an alias of the model registry, e.g. --from-mlflow champion\n"


def test_tracking_is_tried_before_the_work(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SNN5_TRACKING", "on")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(SystemExit):
        call(monkeypatch, lambda one: pytest.fail("hours of work"))
    assert capsys.readouterr().err.startswith("error: the tracking server http://127.0.0.1:9 does not answer")


@pytest.mark.parametrize(("rank", "left"), [("0", True), ("1", False)])
def test_make_repro_finds_a_note_of_the_first_process_only(root: Path, monkeypatch: pytest.MonkeyPatch, rank: str, left: bool) -> None:
    for name, value in (("SNN5_TRACKING", "on"), (tracking.LATER, "1"), ("RANK", rank)):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    call(monkeypatch, lambda one: Record(summary={"test/acc": 0.5}), "a")
    assert (root / ".cache/unlogged/p1_toy@a.json").exists() == left
    assert not (root / ".mlflow/mlflow.db").exists()  # nor is MLflow opened


def test_a_script_that_was_started_as_a_file_is_told(root: Path) -> None:
    script = root / "p1_toy.py"
    script.write_text("from snn5.stages._stage import main\nmain(lambda stage: None)\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: {script} was started as a file; start it as `python -m snn5.stages.p1_toy`\n"


BUSY = """
import os
from pathlib import Path
from snn5.parallel import run_jobs
from snn5.stages._stage import main
def run(stage):
    def job(number, tick):
        Path(f"worker{number}").write_text(str(os.getpid()))
        while True: sum(range(1000))
    Path("stage").write_text(str(os.getpid()))
    return run_jobs(job, [0, 1], label=stage.name, total=1, workers=2)
if __name__ == "__main__":
    main(run)
"""
# A shell that stays between the two, as bash does for `a; b`.
FAKE_DVC = "import subprocess, sys\nsubprocess.run(['/bin/sh', '-c', sys.executable + ' -m p1_busy 2>stderr; true'])\n"


@pytest.mark.parametrize("how", ["dvc killed", "SIGTERM", "SIGINT"])
def test_a_stage_ends_with_dvc_and_on_signals(root: Path, how: str) -> None:
    (root / "p1_busy.py").write_text(BUSY)
    (root / "dvc").write_text(FAKE_DVC)
    # A shell starts background jobs with SIGINT ignored, and children inherit that; here it must count.
    dvc = subprocess.Popen([sys.executable, "dvc"], cwd=root, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None)
    try:
        files = [root / name for name in ("stage", "worker0", "worker1")]
        deadline = time.monotonic() + 60
        while not all(f.exists() and f.read_text() for f in files) and time.monotonic() < deadline:
            time.sleep(0.02)
        family = [psutil.Process(int(f.read_text())) for f in files]
        if how == "dvc killed":
            dvc.kill()
        else:
            family[0].send_signal(signal.Signals[how])
        _, left = psutil.wait_procs(family, timeout=2)
        assert [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []  # the system may be slow to bury the dead
    finally:
        dvc.kill()
        dvc.wait()
    assert not list((root / "data").rglob("metrics.json"))
    said = (root / "stderr").read_text()
    assert said == ("interrupted; run the same command to start this stage again\n" if how == "SIGINT" else "")


MAKE = """
from snn5.files import write_bytes
from snn5.parallel import run_jobs
from snn5.record import Record, Run
from snn5.stages._stage import main
def run(stage):
    def job(seed, tick):
        return Run(params={"seed": seed}, metrics={"test/acc": 0.5 + seed / 10}, curves={"val/acc": [(0, 0.25), (1, 0.5)]})
    runs = run_jobs(job, [0, 1], label=stage.name, total=1, workers=2)
    for seed in (0, 1):
        write_bytes(stage.out / "checkpoints" / f"seed{seed}.safetensors", stage.seed(seed).to_bytes(4, "big"))
    for name in ("sub.a", "sub/z", "\u00e9"):  # names whose order or spelling could differ from DVC's
        write_bytes(stage.out / "checkpoints" / name, b"x")
    return Record(summary={"test/acc": 0.55}, runs={f"seed{seed}": run for seed, run in enumerate(runs)})
if __name__ == "__main__":
    main(run)
"""
USE = """
from snn5.record import Record
from snn5.stages._stage import main
def run(stage):
    item = stage.ingredient("data/p1_make/a-frames/checkpoints/seed1.safetensors")
    return Record(summary={"bytes": float(len(item.file.read_bytes()))})
if __name__ == "__main__":
    main(run)
"""
DVC_YAML = """
stages:
  p1_make:
    matrix: {model: [a], data: [frames]}
    cmd: python -m p1_make ${item.model} ${item.data}
    params: ["p1.${item.data}", seeds, profile, "profiles.${profile}"]
    outs:
      - data/p1_make/${item.model}-${item.data}/checkpoints
      - data/p1_make/${item.model}-${item.data}/metrics.json
      - data/p1_make/${item.model}-${item.data}/curves.csv
  p6_use:
    cmd: python -m p6_use
    deps: [data/p1_make/a-frames/checkpoints]
    outs: [data/p6_use/metrics.json, data/p6_use/curves.csv]
"""


@pytest.mark.slow
def test_with_dvc_itself(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SNN5_TRACKING", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")

    def sh(*words: str) -> str:
        done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for name, text in {"p1_make.py": MAKE, "p6_use.py": USE, "dvc.yaml": DVC_YAML, ".gitignore": "/data/\n/.mlflow/\n"}.items():
        (root / name).write_text(text)
    sh("git", "init", "-q")
    sh("dvc", "init", "-q")
    sh("git", "add", ".")
    sh("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one")
    sh("dvc", "repro")
    assert "didn't change" in sh("dvc", "repro") and "up to date" in sh("dvc", "status")

    locked = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
    made, used = (lockfile.read(root).stage(name) for name in ("p1_make@a-frames", "p6_use"))
    for one in (made, used):
        assert one.outs == {path: md5(root / path) for path in one.outs} and len(one.outs) == len(locked[one.name]["outs"])

    live = _runs(root)
    assert sorted(live) == ["p1_make@a-frames", "p6_use", "seed0", "seed1"]
    tags, params = live[made.name]
    assert {k: v for k, v in tags.items() if k.startswith("out.")} == {f"out.{path}": digest for path, digest in made.outs.items()}
    assert params["profile"] == "default" and params["p1.frames.epochs"].isdigit() and tags["git.dirty"] == "false"
    seed1 = "data/p1_make/a-frames/checkpoints/seed1.safetensors"
    assert live["p6_use"][0][f"ingredient.{seed1}"] == tracking.resolve(seed1, root=root).run_id
    assert live["p6_use"][0]["in.data/p1_make/a-frames/checkpoints"] == made.outs["data/p1_make/a-frames/checkpoints"]

    api = tracking.client(root)
    for run in api.search_runs([api.get_experiment_by_name("snn5").experiment_id]):
        api.delete_run(run.info.run_id)
    assert tracking.backfill(root).made == [made.name, "p6_use"]
    own = ("ingredient.", "snn5.backfill", "snn5.process", "mlflow.", "git.")  # run ids and circumstances differ

    def kept(runs: dict[str, Any]) -> dict[str, Any]:
        return {name: ({k: v for k, v in tags.items() if not k.startswith(own)}, params) for name, (tags, params) in runs.items()}

    again = _runs(root)
    assert kept(again) == kept(live)
    assert again["p6_use"][0][f"ingredient.{seed1}"] == tracking.resolve(seed1, root=root).run_id


def _runs(root: Path) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    api = tracking.client(root)
    runs = api.search_runs([api.get_experiment_by_name("snn5").experiment_id])
    return {run.info.run_name: (run.data.tags, run.data.params) for run in runs}
