"""The state of a training in a file, so that it goes on where it was killed and ends as if it had not been, to the last bit.

The file is written beside its place and renamed, so it is whole or absent, and begins with a sha256 of what follows: tensors and plain
values that torch.load reads without executing code. It names what made it; another training starts anew and says so.
"""

import hashlib
import io
import json
import logging
import pickle
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from snn5.config import Train
from snn5.errors import UserError
from snn5.files import write_bytes
from snn5.training._batches import Samples
from snn5.training._precision import computes_bf16

_CODE = ("training", "models", "neurons")  # what a training runs
_DIGEST = hashlib.sha256().digest_size

_log = logging.getLogger(__name__)


class Resume:
    """The state of one training in the file `path`.

    Args:
        path: the file; None keeps nothing.
        made_by: see `fingerprint`.
        every_s: least time between two writes by `maybe`.
    """

    def __init__(self, path: Path | None, made_by: dict[str, str], every_s: float = 60.0) -> None:
        self.path, self.made_by, self.every_s, self._last = path, made_by, every_s, time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The state that `save` wrote; None where there is none, or another training's.

        Raises:
            UserError: the file is corrupt.
        """
        if self.path is None:
            return None
        for half in self.path.parent.glob(f".{self.path.name}.*.part"):  # of a process that was killed while it wrote
            half.unlink(missing_ok=True)
        if not self.path.is_file():
            return None
        data = self.path.read_bytes()
        try:
            if hashlib.sha256(data[_DIGEST:]).digest() != data[:_DIGEST]:
                raise ValueError("its checksum is wrong")
            found = torch.load(io.BytesIO(data[_DIGEST:]), map_location="cpu", weights_only=True)
            made_by, state = found["made_by"], found["state"]
        except (ValueError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
            raise UserError(f"{self.path}, the state of an interrupted training, is corrupt ({error}); delete it and run again") from error
        other = sorted(name for name in made_by.keys() | self.made_by.keys() if made_by.get(name) != self.made_by.get(name))
        if other:
            _log.warning("%s is of a training with other %s; this one starts from the beginning", self.path, ", ".join(other))
            return None
        return dict(state)

    def maybe(self, state: Callable[[], dict[str, Any]]) -> None:
        """Save, unless `every_s` seconds have not passed since the last time."""
        if time.monotonic() - self._last >= self.every_s:
            self.save(state)

    def save(self, state: Callable[[], dict[str, Any]]) -> None:
        """Write what `state` answers."""
        if self.path is None:
            return
        payload = io.BytesIO()
        torch.save({"made_by": self.made_by, "state": state()}, payload)
        data = payload.getvalue()
        write_bytes(self.path, hashlib.sha256(data).digest() + data)
        self._last = time.monotonic()

    def remove(self) -> None:
        """The training is over."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def fingerprint(
    model: nn.Module, train: Samples, val: Samples, settings: Train, generator: torch.Generator, ranks: int = 1, plan: str = ""
) -> dict[str, str]:
    """What a training's result depends on, part by part, before its first step."""
    device = train.y_N.device
    machine = [
        torch.__version__,
        torch.backends.cpu.get_cpu_capability(),
        torch.get_num_threads(),
        device.type,
        ranks,
        computes_bf16(device),
    ]
    return {
        "settings": _hash(json.dumps(asdict(settings), sort_keys=True, default=str).encode(), *([plan.encode()] if plan else [])),
        "model": _hash(_description(model).encode(), *_named(model.state_dict())),
        "data": _hash(
            *(part for data in (train, val) for part in (*_named({"x": data.x_NTCHW, "y": data.y_N}), repr(data.scale).encode()))
        ),
        "seed": _hash(generator.get_state().numpy().tobytes()),
        "code": _hash(*(part for file in _sources() for part in (file.name.encode(), file.read_bytes()))),
        "machine": " ".join(map(str, machine)),
    }


def _description(model: nn.Module) -> str:
    """Its structure, without the addresses of functions, which differ from process to process."""
    return re.sub(r" at 0x[0-9a-f]+", "", f"{model!r} {getattr(model, 'arguments', {})}")


def _named(tensors: dict[str, Tensor]) -> list[bytes | memoryview]:
    parts: list[bytes | memoryview] = []
    for name, value in tensors.items():
        raw = value.detach().cpu().contiguous()
        parts += [f"{name} {raw.dtype} {list(raw.shape)}".encode(), memoryview(raw.reshape(-1).view(torch.uint8).numpy())]
    return parts


def _sources() -> list[Path]:
    return [file for package in _CODE for file in sorted((Path(__file__).parents[1] / package).rglob("*.py"))]


def _hash(*parts: bytes | memoryview) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()
