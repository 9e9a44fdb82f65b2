"""An IntegerNetwork in one file: arrays by number, and a JSON text that says what they are. Loading executes no code and needs no torch."""

import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from snn5.errors import UserError
from snn5.hardware._integer_network import IntegerNetwork, Population, Readout, Synapses

FORMAT = 1


def save_integer(network: IntegerNetwork, file: Path) -> None:
    """Write `file` (.npz), the same bytes for the same network; synapses that share an array share it again when loaded.

    Raises:
        UserError: the file cannot be written.
    """
    arrays: list[Any] = []
    numbers: dict[int, int] = {}

    def keep(array: Any) -> int:
        if id(array) not in numbers:
            numbers[id(array)] = len(arrays)
            arrays.append(array)
        return numbers[id(array)]

    def synapses(found: tuple[Synapses, ...]) -> list[dict[str, Any]]:
        return [{**_plain(one), "weight": keep(one.weight)} for one in found]

    card = {
        **_plain(network),
        "format": FORMAT,
        "populations": [
            {**_plain(p), "synapses": synapses(p.synapses), "bias": keep(p.bias), "threshold": keep(p.threshold)}
            for p in network.populations
        ],
        "readout": {
            **_plain(network.readout),
            "synapses": synapses(network.readout.synapses),
            "bias": keep(network.readout.bias),
        },
    }
    text = np.frombuffer(json.dumps(card).encode(), np.uint8)
    try:
        with file.open("wb") as out:
            np.savez_compressed(out, card=text, **{f"a{i}": array for i, array in enumerate(arrays)})
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}; name a file in a folder that exists") from error


def load_integer(file: Path) -> IntegerNetwork:
    """The network in a file of `save_integer`.

    Raises:
        UserError: no such file, or none of ours.
    """
    try:
        with np.load(file, allow_pickle=False) as found:
            card = json.loads(found["card"].tobytes())
            if card.pop("format") != FORMAT:
                raise UserError(f"{file} has another format than {FORMAT}, which this version reads; write it anew with save_integer")
            arrays = [found[f"a{i}"] for i in range(len(found.files) - 1)]
        return _network(card, arrays)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}; give a file of save_integer") from error
    except (KeyError, ValueError, TypeError, IndexError, EOFError, BadZipFile) as error:
        raise UserError(f"{file} holds no network in whole numbers ({error}); give a file of save_integer") from error


def _plain(item: Any) -> dict[str, Any]:
    """The fields that JSON holds as they are."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in vars(item).items()
        if value is None or isinstance(value, (str, int, float, bool)) or (isinstance(value, tuple) and all(type(v) is int for v in value))
    }


def _network(card: dict[str, Any], arrays: list[Any]) -> IntegerNetwork:
    def synapses(found: list[dict[str, Any]]) -> tuple[Synapses, ...]:
        return tuple(Synapses(**{**one, "weight": arrays[one["weight"]]}) for one in found)

    def population(p: dict[str, Any]) -> Population:
        own = {"shape": tuple(p["shape"]), "synapses": synapses(p["synapses"])}
        return Population(**{**p, **own, "bias": arrays[p["bias"]], "threshold": arrays[p["threshold"]]})

    out = card["readout"]
    own = {
        "populations": tuple(population(p) for p in card["populations"]),
        "readout": Readout(**{**out, "synapses": synapses(out["synapses"]), "bias": arrays[out["bias"]]}),
        "input_shape": tuple(card["input_shape"]),
        "cutoff": None if card["cutoff"] is None else tuple(card["cutoff"]),
    }
    return IntegerNetwork(**{**card, **own})
