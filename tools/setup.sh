#!/bin/sh
# Makes .venv with everything from constraints.txt; starts at once when nothing changed.
# Needs Python 3.11, make and git. Looks for python3.11, python3, python, pyenv and uv, in that order.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
key=$(cat constraints.txt pyproject.toml tools/setup.sh | cksum | tr ' ' '-')
stamp=$venv/.installed-$key
[ -f "$stamp" ] && [ -x "$venv/bin/python" ] && exit 0

is_311() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; }
find_python() {
  for candidate in "${PYTHON:-}" python3.11 python3 python; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 && is_311 "$candidate" && { echo "$candidate"; return; }
  done
  for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.11*/bin/python /usr/local/bin/python3.11 /opt/*/bin/python3.11; do
    [ -x "$candidate" ] && is_311 "$candidate" && { echo "$candidate"; return; }
  done
  if command -v uv >/dev/null 2>&1; then
    candidate=$(uv python find 3.11 2>/dev/null) && is_311 "$candidate" && { echo "$candidate"; return; }
  fi
  return 1
}

python=$(find_python) || {
  echo "SNN5 needs Python 3.11 and found none (looked for python3.11, python3, python, pyenv, uv)." >&2
  echo "Install one of:  apt install python3.11 python3.11-venv  |  pyenv install 3.11  |  uv python install 3.11" >&2
  echo "or name it:      make PYTHON=/path/to/python3.11" >&2
  exit 1
}
if ! "$venv/bin/python" -c '' >/dev/null 2>&1; then
  rm -rf "$venv"
  "$python" -m venv "$venv" || { echo "Could not make $venv: install the venv module (Debian: apt install python3.11-venv)." >&2; exit 1; }
fi
echo "Installing SNN5's packages into $venv (2.5 GB, two minutes on a fast line) ..."
export PIP_DISABLE_PIP_VERSION_CHECK=1
pip="$venv/bin/python -m pip install --quiet --no-input"
{
  $pip -r constraints.txt
  # Declares Python <3.11 and pins an old numpy, yet runs here through snn5.hardware's import shim.
  $pip --no-deps --ignore-requires-python lava-nc==0.10.0
  $pip --no-deps --no-build-isolation --editable .
} 2>&1 | { grep -v '^WARNING: Location .* is ignored' || true; }
# The pipe hides pip's exit status, so ask the result itself.
"$venv/bin/python" -c 'import dvc, importlib.metadata as m, mlflow, numba, optuna, prefect, snn5, spikingjelly, torch; m.version("lava-nc")' || {
  echo "The installation is incomplete: see the messages above, then run make again." >&2; exit 1; }
rm -f "$venv"/.installed-*
: >"$stamp"
