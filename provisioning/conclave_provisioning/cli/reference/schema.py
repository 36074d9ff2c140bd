"""From the shapes of `answers` to JSON Schema (draft 7, which every validator knows)."""

import dataclasses
import json
from typing import Any

from conclave_provisioning.cli.output import SCHEMA
from conclave_provisioning.cli.reference.answers import ANSWERS, ERROR, Either, Maybe, Shape, Whatever
from conclave_provisioning.cli.reference.commands import leaves

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def schemas() -> dict[str, str]:
    """Each schema's text by its file name; `error.json` is of the errors of all commands."""
    commands = leaves()
    found = {
        file_name(words): _text(f"conclavectl {words}", commands[words].get_short_help_str(200), shape)
        for words, shape in ANSWERS.items()
    }
    return {**found, "error.json": _text("an error of conclavectl", "Of any command.", ERROR)}


def file_name(words: str) -> str:
    """The name of the schema of the command of these words."""
    return f"{words.replace(' ', '-')}.json"


def answer_schema(shape: Shape) -> dict[str, Any]:
    """The schema of a whole answer, which always has the version of its keys."""
    if isinstance(shape, Either):
        return {"anyOf": [answer_schema(each) for each in shape.shapes]}
    return _object({"schema": {"const": SCHEMA}, **{key: _schema(value) for key, value in shape.items()}})


def _text(title: str, description: str, shape: Shape) -> str:
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"{title} --json" if title.startswith("conclavectl") else title,
        "description": description,
    }
    return json.dumps({**head, **answer_schema(shape)}, indent=2) + "\n"


def _schema(shape: Shape) -> dict[str, Any]:
    if isinstance(shape, Whatever):
        return {}
    if isinstance(shape, Maybe):
        return {"anyOf": [_schema(shape.shape), {"type": "null"}]}
    if isinstance(shape, list):
        return {"type": "array", "items": _schema(shape[0])}
    if isinstance(shape, dict):
        return _object({key: _schema(value) for key, value in shape.items()})
    if isinstance(shape, tuple):
        # A dataclass, and keys beside its fields.
        of, more = shape
        return _object({**_fields(of), **{key: _schema(value) for key, value in more.items()}})
    return _object(_fields(shape)) if dataclasses.is_dataclass(shape) else {"type": _TYPES[shape]}


def _fields(of: Any) -> dict[str, Any]:
    return {field.name: _field(field) for field in dataclasses.fields(of)}


def _field(field: "dataclasses.Field[Any]") -> dict[str, Any]:
    """By what the field holds in JSON: nested dataclasses, texts, certificates (as PEM) or free objects."""
    inner = field.metadata.get("of")
    if inner is not None:
        return {"type": "array", "items": _object(_fields(inner))}
    named = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
    if named.startswith("tuple"):
        return {"type": "array", "items": {"type": "string"}}
    if named.startswith("dict"):
        return {"type": "object"}
    return {"type": _TYPES[{"str": str, "int": int, "float": float, "bool": bool}[named]]}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    """Every key is there; more may come with later versions."""
    return {"type": "object", "required": list(properties), "properties": properties}
