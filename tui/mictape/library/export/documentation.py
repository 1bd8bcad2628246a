"""docs/json.md, made from the declarations of the shapes."""

import ast
import inspect
import re
from itertools import pairwise
from types import UnionType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from mictape.library.export.lists import HitObject, HitsObject, ListObject
from mictape.library.export.objects import (
    VERSION,
    EventObject,
    FinalObject,
    LineObject,
    PartialObject,
    RevisionObject,
    SessionObject,
    TrackObject,
    WordObject,
)

HEAD: Final = f"""\
# JSON

<!-- Made from the declarations of the shapes by scripts/generate_docs.py; do not edit. -->

What Mictape prints and exports for other programs. The shapes have one version, {VERSION}, which grows when one of them
changes its meaning; new fields may come at any time. Times are seconds of session time: since the session began,
pauses left out. Moments are ISO 8601 in UTC. Characters that a terminal would obey are escaped.

- `sessions show ID --json`, `sessions export ID --format json`, `transcribe --format json`: one [session](#session).
- `sessions list --json`: a list of [list entries](#list-entry).
- `listen --json`: a [final line](#final-line) on each line of the output, as it comes, and later perhaps a
  [revision](#revision) of it, with the same `id`; with `--partials` also [partial lines](#partial-line).
- `search WORDS --json`: the [hits](#hits) in one session on each line of the output.
"""

SHAPES: Final[tuple[tuple[str, type[msgspec.Struct]], ...]] = (
    ("Session", SessionObject),
    ("Track", TrackObject),
    ("Line", LineObject),
    ("Word", WordObject),
    ("Event", EventObject),
    ("List entry", ListObject),
    ("Final line", FinalObject),
    ("Revision", RevisionObject),
    ("Partial line", PartialObject),
    ("Hits", HitsObject),
    ("Hit", HitObject),
)
"""Every shape by its title, in the order of the page."""

_TITLES: Final = {shape: title for title, shape in SHAPES}
_PLAIN: Final = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def markdown() -> str:
    """docs/json.md."""
    return "\n".join([HEAD, *(_section(title, shape) for title, shape in SHAPES)])


def _section(title: str, shape: type[msgspec.Struct]) -> str:
    tag = shape.__struct_config__.tag
    rows = [f"| `type` | `{tag}` | Tells it from the others. |"] if tag is not None else []
    types, docs = get_type_hints(shape), field_docs(shape)
    for field in msgspec.structs.fields(shape):
        kind = _named(types[field.name])
        if not field.required and shape.__struct_config__.omit_defaults:
            kind = f"{kind.removesuffix(' or null')}; may be left out"
        rows.append(f"| `{field.name}` | {kind} | {docs.get(field.name, '')} |")
    about = " ".join((inspect.getdoc(shape) or "").split())
    return "\n".join([f"## {title}\n", f"{about}\n", "| field | type | what it is |", "|---|---|---|", *rows, ""])


def _named(kind: Any) -> str:  # noqa: ANN401  (types have no common type)
    """A type in words."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _TITLES:
        return f"[{_TITLES[kind].lower()}](#{_TITLES[kind].lower().replace(' ', '-')})"
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if isinstance(kind, UnionType):
        return " or ".join("null" if each is type(None) else _named(each) for each in arguments)
    if Ellipsis in arguments:
        return f"list of {_named(arguments[0])}"
    return f"list of {len(arguments)}: " + ", ".join(map(_named, arguments))


def field_docs(shape: type[msgspec.Struct]) -> dict[str, str]:
    """The texts below the fields of a shape and of those that it extends."""
    found: dict[str, str] = {}
    for each in reversed(shape.__mro__):
        if issubclass(each, msgspec.Struct) and each is not msgspec.Struct:
            [declared] = ast.parse(inspect.getsource(each)).body
            body = declared.body if isinstance(declared, ast.ClassDef) else []
            for field, below in pairwise(body):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    match below:
                        case ast.Expr(ast.Constant(str(text))):
                            found[field.target.id] = re.sub(r"\s+", " ", text)
                        case _:
                            pass
    return found
