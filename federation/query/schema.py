"""The query language as JSON Schema (draft 2020-12), made from the same declarations that parse it.

The schema describes shape and names. It does not know cut-points or formulas' meaning: a document
that it accepts may still be refused by `parse_query`, never the other way round but for spellings
that `parse_query` forgives (one variable for a list of one, a level's code as a number).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from federation.query.codebook import Codebook
from federation.query.cohort import EQUALITY, MAX_IN, MAX_LEAVES, OPS, ORDERING
from federation.query.model import MAX_PURPOSE, MAX_SITES, MAX_TITLE, SLUG, VERSION
from federation.query.parameters import Kind

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kinds: Mapping[str, Kind], codebook: Codebook | None = None) -> Schema:
    """Return the schema of a query; with a codebook it lists the variables and levels."""
    slug = {"type": "string", "pattern": f"^{SLUG.pattern}$"}
    return {
        "$schema": DRAFT,
        "title": "Oncokring query",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "codebook", "analysis"],
        "properties": {
            "version": {"const": VERSION},
            "study": {"anyOf": [slug, {"const": ""}]},
            "title": {"type": "string", "maxLength": MAX_TITLE},
            "purpose": {"type": "string", "maxLength": MAX_PURPOSE},
            "codebook": {"type": "string"} if codebook is None else {"const": codebook.id},
            "unit": {"type": "string"} if codebook is None else {"enum": list(codebook.units)},
            "sites": {
                "anyOf": [
                    {"const": "all"},
                    {"type": "array", "items": slug, "minItems": 1, "maxItems": MAX_SITES},
                ],
                "default": "all",
            },
            "cohort": {
                "anyOf": [
                    {"type": "object", "maxProperties": 0},
                    _group("all", 0),
                    {"$ref": "#/$defs/node"},
                ],
                "default": {},
            },
            "analysis": {"oneOf": [_analysis(kind, codebook) for kind in kinds.values()]},
            "output": {"enum": ["pooled", "by_site"], "default": "pooled"},
        },
        "$defs": {
            "node": {
                "anyOf": [
                    _group("all", 1),
                    _group("any", 1),
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["not"],
                        "properties": {"not": {"$ref": "#/$defs/node"}},
                    },
                    {"$ref": "#/$defs/leaf"},
                ]
            },
            "leaf": _leaf() if codebook is None else _leaves_of(codebook),
        },
    }


def _group(key: str, least: int) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [key],
        "properties": {
            key: {
                "type": "array",
                "items": {"$ref": "#/$defs/node"},
                "minItems": least,
                "maxItems": MAX_LEAVES,
            }
        },
    }


def _comparison(var: Schema, one: Schema, ops: tuple[str, ...]) -> list[Schema]:
    """Return a schema per shape of `value`: one value, a list for `in`, a pair for `between`."""
    shapes = [(tuple(op for op in ops if op not in ("in", "between")), one)]
    if "in" in ops:
        shapes.append((("in",), {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_IN}))
    if "between" in ops:
        shapes.append((("between",), {"type": "array", "items": one, "minItems": 2, "maxItems": 2}))
    return [
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["var", "op", "value"],
            "properties": {"var": var, "op": {"enum": list(names)}, "value": value},
        }
        for names, value in shapes
    ]


def _leaf() -> Schema:
    one = {"type": ["string", "number", "boolean"]}
    return {"anyOf": _comparison({"type": "string"}, one, OPS)}


def _leaves_of(codebook: Codebook) -> Schema:
    found: list[Schema] = []
    for variable in codebook.variables.values():
        ops: tuple[str, ...] = OPS
        one: Schema
        if variable.type == "category":
            ops, one = EQUALITY, {"enum": [level.code for level in variable.levels]}
        elif variable.type == "boolean":
            ops, one = EQUALITY, {"type": "boolean"}
        elif variable.type == "date":
            one = {"type": "string"}
        else:
            one = {"type": "integer" if variable.type == "integer" else "number"}
            if not variable.is_small_integer:
                ops = ORDERING
                if variable.edges is not None:
                    one = {"enum": list(variable.edges)}
        found += _comparison({"const": variable.name}, one, ops)
    return {"anyOf": found}


def _analysis(kind: Kind, codebook: Codebook | None) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["kind", *(p.name for p in kind.parameters if p.required)],
        "properties": {
            "kind": {"const": kind.kind},
            **{p.name: p.json_schema(codebook) for p in kind.parameters},
        },
    }
