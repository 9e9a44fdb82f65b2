"""A pipeline with the roadmap's shape that takes seconds: its files, made in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

# Two sets, two networks on one of them, two stages of one phase in the wrong order, a slow one, a broken one, one of no phase.
DVC_YAML = """
stages:
  p7_data:
    foreach: [frames, events]
    do:
      cmd: python work.py data/p7_data/${item}/x params.yaml
      deps: [work.py]
      params: [a]
      outs: ["data/p7_data/${item}/x"]
  p1_train:
    matrix: {model: [net, twin], data: [frames]}
    cmd: python work.py data/p1_train/${item.model}-${item.data}/x data/p7_data/${item.data}/x
    deps: [work.py, "data/p7_data/${item.data}/x"]
    outs: ["data/p1_train/${item.model}-${item.data}/x", "data/p1_train/${item.model}-${item.data}/metrics.json"]
  p4_late:
    cmd: python work.py data/p4_late/x data/p4_early/x
    deps: [work.py, data/p4_early/x]
    outs: [data/p4_late/x, data/p4_late/metrics.json]
  p4_early:
    cmd: python work.py data/p4_early/x data/p1_train/net-frames/x
    deps: [work.py, data/p1_train/net-frames/x]
    outs: [data/p4_early/x, data/p4_early/metrics.json]
  p5_slow:
    cmd: python slow.py
    deps: [slow.py]
    outs: [data/p5_slow/x]
  p6_broken:
    cmd: python broken.py
    deps: [broken.py]
    outs: [data/p6_broken/x]
  last:
    cmd: python work.py reports/x data/p4_late/x
    deps: [work.py, data/p4_late/x]
    outs: [reports/x]
"""

WORK = """
import json, os, pathlib, sys
out = pathlib.Path(sys.argv[1])
out.parent.mkdir(parents=True, exist_ok=True)
out.write_text("".join(pathlib.Path(p).read_text() for p in sys.argv[2:]) + str(out))
if out.parts[1] != "p7_data" and out.parts[0] == "data":
    (out.parent / "metrics.json").write_text(json.dumps({"summary": {"test/acc": 0.96, "test/acc_sd": 0.01}, "runs": {}, "details": {}}))
print("trigger", os.environ.get("SNN5_TRIGGER"))
"""

SLOW = """
import subprocess, sys
print("slow begins", flush=True)
subprocess.run([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
"""

BROKEN = """
with open("attempts", "a") as file:
    file.write("x")
for number in range(30):
    print("line", number)
raise SystemExit(3)
"""


def dvc(root: Path, *arguments: str) -> str:
    """Run DVC in `root`; its output."""
    command = [sys.executable, "-m", "dvc", *arguments]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(command, cwd=root, env={**os.environ, "PATH": path}, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make(root: Path) -> Path:
    """Write the project into the folder `root`, and bring p7_data@frames, p1_train@net-frames, p4 and last up to date."""
    for name, text in {"dvc.yaml": DVC_YAML, "work.py": WORK, "slow.py": SLOW, "broken.py": BROKEN, "params.yaml": "a: 1\n"}.items():
        (root / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    dvc(root, "init", "-q")
    dvc(root, "repro", "-q", "last")
    return root


def one_stage_a_phase(root: Path) -> None:
    """Another dvc.yaml for `root`: p1_x ... p8_x, each but p8_x reading from p7_x, and one stage of no phase that reads from all."""
    stage = "  {0}:\n    cmd: mkdir -p data/{0} && echo {0} > data/{0}/x\n    deps: [{1}]\n    outs: [data/{0}/x]\n"
    phases = [f"p{number}_x" for number in range(1, 9)]
    text = [stage.format(name, "params.yaml" if name in ("p7_x", "p8_x") else "data/p7_x/x") for name in phases]
    text.append(stage.format("last", ", ".join(f"data/{name}/x" for name in phases)))
    (root / "dvc.yaml").write_text("stages:\n" + "".join(text))
