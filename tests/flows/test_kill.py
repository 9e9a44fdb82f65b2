"""`python -m flows p5` and SIGTERM in the middle of a stage."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from toy_pipeline import dvc

from snn5.recover import recover


@pytest.mark.slow
def test_sigterm_leaves_no_process_and_a_pipeline_that_runs_again(toy: Path) -> None:
    command = [sys.executable, "-m", "flows", "p5"]
    env = {**os.environ, "PREFECT_HOME": str(toy / ".prefect")}
    with subprocess.Popen(command, cwd=toy, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as flow:
        try:
            assert flow.stdout
            printed = []
            for line in flow.stdout:
                printed.append(line)
                if "slow begins" in line:
                    break
            time.sleep(0.5)  # for the stage to start its own child, in a session of its own
            family = psutil.Process(flow.pid).children(recursive=True)
            words = [" ".join(process.cmdline()) for process in family]
            assert all(any(part in line for line in words) for part in ("server start", "dvc repro", "slow.py", "time.sleep(300)")), printed
            flow.send_signal(signal.SIGTERM)
            rest = flow.stdout.read()
            assert flow.wait(timeout=90) == 128 + signal.SIGTERM, rest
            assert "Finished in state Crashed" in rest  # the server was still there to be told
        finally:
            flow.kill()
    left = [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    for process in left:
        process.kill()
    assert left == []
    assert not list((toy / ".prefect" / "logs").iterdir())
    (toy / "slow.py").write_text("import os; os.makedirs('data/p5_slow', exist_ok=True); open('data/p5_slow/x', 'w').close()")
    recover(toy)  # as `make repro` and every flow do: a killed dvc's lock may name a number that another process has by now
    dvc(toy, "repro", "p5_slow")
