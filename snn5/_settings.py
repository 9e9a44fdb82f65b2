"""From YAML text to checked dataclasses: the machinery below snn5.config, which knows no setting by name."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml

from snn5.errors import UserError, unknown


def setting(default: Any = MISSING, *, low: float | None = None, high: float | None = None, among: tuple[str, ...] | None = None) -> Any:
    """A dataclass field with its allowed range (both ends included) or its allowed words."""
    return field(default=default, metadata={"low": low, "high": high, "among": among})


class _Loader(yaml.SafeLoader):
    """Where a key stands twice, YAML would take the second without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                if key_node.value in seen:
                    raise UserError(f"the key {key_node.value!r} stands twice, again in line {key_node.start_mark.line + 1}; remove one")
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[Any, Any]:
    """The mapping in the file at `path`.

    Raises:
        UserError: the file is missing, unreadable or no YAML, a key stands twice, or it holds no mapping.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # a SafeLoader
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run from the checkout's root, or restore it with `git checkout {path}`") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); it must be a readable file") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or a date such as 2024-13-01
        raise UserError(f"{path} is not valid YAML: {error}") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path} must be a mapping of settings; it holds {type(raw).__name__}")
    return raw


def parse(cls: type, raw: Any, where: str) -> Any:
    """Build the dataclass `cls` from the mapping `raw`; `where` is the dotted place that errors name."""
    if not isinstance(raw, Mapping):
        raise UserError(f"{where}={raw!r}: need a mapping of settings")
    hints, known = get_type_hints(cls), {f.name: f for f in fields(cls)}
    for key in raw:
        if key not in known:
            raise unknown("key", str(key), known, f"in {where}; remove it or correct its name")
    values = {}
    for name, spec in known.items():
        place = f"{where}: {name}" if where.endswith(".yaml") else f"{where}.{name}"
        if name in raw:
            values[name] = _check(hints[name], raw[name], place, spec.metadata)
        elif spec.default is MISSING and spec.default_factory is MISSING:
            raise UserError(f"{place} is missing; add it")
    try:
        return cls(**values)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _check(kind: Any, value: Any, place: str, limits: Mapping[str, Any]) -> Any:
    if is_dataclass(kind):
        return parse(kind, value, place)  # type: ignore[arg-type]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        kind = next(a for a in arguments if a is not NoneType)
        return _check(kind, value, place, limits)
    if origin is list:
        if not isinstance(value, list):
            raise UserError(f"{place}={value!r}: need a list")
        return [_check(arguments[0], item, f"{place}[{i}]", limits) for i, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise UserError(f"{place}={value!r}: need a mapping")
        _finite(value, place)
        return dict(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        hint = " (YAML reads 1e-3 as text: write 1.0e-3)" if kind is float and isinstance(value, str) else ""
        raise UserError(f"{place}={value!r}: need {kind.__name__}, got {type(value).__name__}{hint}")
    low, high, among = (limits.get(key) for key in ("low", "high", "among"))
    if kind in (int, float) and not ((low is None or value >= low) and (high is None or value <= high)):
        raise UserError(f"{place}={value}: need a value from {low} to {'any' if high is None else high}")
    _finite(value, place)
    if among and value not in among:
        raise UserError(f"{place}={value!r}: need one of {', '.join(among)}")
    return value


def _finite(value: Any, place: str) -> None:
    """Refuse NaN and infinity, also within free mappings and lists."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            _finite(item, f"{place}.{key}")
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _finite(item, f"{place}[{i}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{place}={value}: need a finite number")
