"""The published JSON schema of a graph."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from netspec.ir import SCHEMA_VERSION, Graph
from netspec.ops import Op, all_ops


def graph_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of `Graph.to_json`: every op with its fields, told apart by `kind`."""
    ops = list(all_ops())
    models: list[tuple[type[BaseModel], Literal["serialization"]]] = [(Graph, "serialization")]
    _, content = models_json_schema([*models, *((op, "serialization") for op in ops)])
    definitions = content["$defs"]
    definitions.pop(Op.__name__, None)
    for op in ops:
        definitions[op.__name__] = _with_kind(op)
    choices = [{"$ref": f"#/$defs/{op.__name__}"} for op in ops]
    definitions["Node"]["properties"]["op"] = {"oneOf": choices}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"netspec graph, version {SCHEMA_VERSION}",
        **definitions.pop("Graph"),
        "$defs": dict(sorted(definitions.items())),
    }


def _with_kind(op: type[Op]) -> dict[str, Any]:
    fields = op.model_json_schema(mode="validation")
    properties = {"kind": {"const": op.kind}, **fields.get("properties", {})}
    return {
        "type": "object",
        "description": op.__doc__,
        "properties": properties,
        "required": ["kind", *fields.get("required", [])],
        "additionalProperties": False,
    }


def graph_schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(graph_schema(), indent=2) + "\n"
