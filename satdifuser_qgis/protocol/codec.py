"""Requests as JSON: dataclasses written out and read back strictly.

Unknown keys, missing keys and values of another type are `ValueError`s that name the key, so that a typing
error in a request file is told and not ignored. Supported field types: bool, int, float, str, Optional,
``tuple[X, ...]``, ``tuple[X, Y]``, dict[str, X], Any and nested dataclasses.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Dict, Type, TypeVar, Union, get_args, get_origin, get_type_hints

PROTOCOL = 1
T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Dataclasses and tuples as dicts and lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return value


def from_plain(kind: Type[T], data: Any, where: str = "request") -> T:
    """An instance of the dataclass ``kind`` from a dict. Raises ValueError that names the key."""
    return _read(kind, data, where)  # type: ignore[no-any-return]


def dump_request(request: Any) -> str:
    """The text of a request file. ``request`` is a dataclass with a class attribute TASK."""
    body = {"protocol": PROTOCOL, "task": request.TASK, "request": to_plain(request)}
    return json.dumps(body, ensure_ascii=False, indent=1)


def load_request(text: str, kinds: Dict[str, Type[Any]]) -> Any:
    """The request in a file's text; ``kinds`` maps task names to dataclasses."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the request is no JSON: {error}") from None
    if not isinstance(body, dict) or set(body) != {"protocol", "task", "request"}:
        raise ValueError(
            f'a request file holds exactly the keys "protocol", "task" and "request", like {{"protocol": {PROTOCOL}, '
            '"task": "segment", "request": {"input": "image.tif", "model": "fields.safetensors", "output": "map.tif"}}'
        )
    if body["protocol"] != PROTOCOL:
        raise ValueError(f"the request speaks protocol {body['protocol']!r}, this engine speaks {PROTOCOL}")
    if not isinstance(body["task"], str) or body["task"] not in kinds:
        raise ValueError(f"there is no task {body['task']!r}; the tasks are {', '.join(sorted(kinds))}")
    return from_plain(kinds[body["task"]], body["request"])


def _read(kind: Any, data: Any, where: str) -> Any:
    if kind is Any:
        return data
    origin = get_origin(kind)
    if origin is Union:
        inner = [part for part in get_args(kind) if part is not type(None)]
        return None if data is None else _read(inner[0], data, where)
    if origin is tuple:
        return _read_tuple(get_args(kind), data, where)
    if origin is dict:
        if not isinstance(data, dict):
            raise ValueError(f"{where} must be an object, not {data!r}")
        return {str(key): _read(get_args(kind)[1], item, f"{where}.{key}") for key, item in data.items()}
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, data, where)
    if kind is float and type(data) in (int, float):
        return _read_float(data, where)
    if type(data) is not kind:
        raise ValueError(f"{where} must be {_name(kind)}, not {data!r}")
    if kind is str:
        _check_text(data, where)
    return data


def _read_float(data: Union[int, float], where: str) -> float:
    """JSON of Python has NaN and infinities, and whole numbers of any length."""
    try:
        number = float(data)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{where} must be a finite number, not {str(data)[:30]}")
    return number


def _check_text(data: str, where: str) -> None:
    """No file name holds these, and the functions that meet them fail one by one."""
    if "\0" in data or any("\ud800" <= letter <= "\udfff" for letter in data):
        raise ValueError(f"{where} holds a character that no file name can have: {data!r}")


def _read_tuple(parts: Any, data: Any, where: str) -> Any:
    if not isinstance(data, list):
        raise ValueError(f"{where} must be a list, not {data!r}")
    if len(parts) == 2 and parts[1] is Ellipsis:
        return tuple(_read(parts[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if len(data) != len(parts):
        raise ValueError(f"{where} must have {len(parts)} items, not {len(data)}")
    return tuple(_read(part, item, f"{where}[{i}]") for i, (part, item) in enumerate(zip(parts, data)))


def _read_dataclass(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, dict):
        raise ValueError(f"{where} must be an object, not {data!r}")
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise ValueError(f"{where} has no key {unknown[0]!r}; the keys are {', '.join(fields)}")
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _read(hints[name], data[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{where} lacks the key {name!r}")
    return kind(**values)


def _name(kind: Any) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}.get(kind, str(kind))
