"""Does the pipeline survive being killed? SIGKILLs `dvc repro` or its stage at random moments, then lets `make repro` finish.

    python tools/kill_test.py CLONE [--kills 20] [--longest 60] [--seed 0]

CLONE is a checkout whose dvc.lock is the committed one. Passes when no process outlives a kill by 3 s, every next `make repro` goes on by
itself, and the last one ends with the committed dvc.lock, byte for byte.
"""

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil


def start(clone: Path) -> subprocess.Popen[str]:
    """`make repro` in a session of its own, its output kept aside."""
    log = (clone / ".cache").resolve()
    log.mkdir(exist_ok=True)
    out = (log / "kill_test.log").open("a")
    return subprocess.Popen(["make", "repro"], cwd=clone, stdout=out, stderr=out, text=True, start_new_session=True)


def victims(make: subprocess.Popen[str]) -> dict[str, psutil.Process]:
    """The running dvc and stage processes below `make`."""
    found = {}
    for process in psutil.Process(make.pid).children(recursive=True):
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if "snn5.stages." in line and "python" in process.name():
            found.setdefault("stage", process)
        elif line.endswith("dvc repro") and process.name() not in ("make", "sh"):
            found.setdefault("dvc", process)
    return found


def main() -> int:
    """Kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--longest", type=float, default=60.0, help="seconds until a kill, at most")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    clone, draw = options.clone.resolve(), random.Random(options.seed)
    expected = subprocess.run(["git", "show", "HEAD:dvc.lock"], cwd=clone, capture_output=True, check=True).stdout
    kills = 0
    while kills < options.kills:
        make, wait = start(clone), draw.uniform(1.0, options.longest)
        end = time.monotonic() + wait
        while make.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        if make.poll() is not None:
            if make.returncode:
                sys.stdout.write(f"FAILED: make repro did not recover by itself after kill {kills} (see .cache/kill_test.log)\n")
                return 1
            # Everything is up to date: begin again, as `dvc repro --force` would, by throwing all results away.
            subprocess.run(["rm", "-rf", "data", "reports", ".dvc/cache"], cwd=clone, check=True)
            continue
        below = psutil.Process(make.pid).children(recursive=True)
        found = victims(make)
        if not found:
            os.killpg(make.pid, 9)
            make.wait()
            continue
        name = draw.choice(sorted(found))
        found[name].kill()
        kills += 1
        make.wait()
        _, alive = psutil.wait_procs(below, timeout=3)
        stray = [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        sys.stdout.write(f"kill {kills}: {name} after {wait:.1f} s, {len(stray)} processes left\n")
        sys.stdout.flush()
        if stray:
            return 1
    code = start(clone).wait()
    same = (clone / "dvc.lock").read_bytes() == expected
    sys.stdout.write(f"after {kills} kills: make repro exit {code}, dvc.lock {'is the committed one' if same else 'DIFFERS'}\n")
    return 0 if code == 0 and same else 1


if __name__ == "__main__":
    sys.exit(main())
