"""Runs one command and takes its whole process group down when the parent is gone, however the parent went.

`python _guard.py FD COMMAND...` leads the session that its parent started it in. FD is the read end of a pipe whose write end only the
parent holds: the end of the file means that the parent died, also by SIGKILL. Standard library only; it runs as a plain script.
"""

import os
import signal
import subprocess
import sys
import threading
import time

GRACE_S = 5.0


def _watch(lifeline: int) -> None:
    while os.read(lifeline, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_S)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    lifeline, command = int(sys.argv[1]), sys.argv[2:]
    # A handler, not SIG_IGN: an ignored signal would stay ignored in the command.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: None)
    child = subprocess.Popen(command)
    threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()
    code = child.wait()
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
