"""Make the JSON Schema of release files, and the reference in docs/releases.md, from `headgate.model.release`.

Each field's words are the comment behind it, its default is the one that the code uses: nothing is said twice.
"""

import ast
import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import inspect

from headgate.model import release as model
from headgate.model.release import DURATION_FORM, PERCENTAGE_FORM, Duration, Percentage

ROOT: Final = Path(__file__).parents[1]
SCHEMA: Final = ROOT / "src/headgate/release/schema.json"
GUIDE: Final = ROOT / "docs/releases.md"
BEGIN: Final = "<!-- reference: made by tools/make_release_schema.py -->"
END: Final = "<!-- end of reference -->"

_ORDER: Final = (
    "Release", "Change", "FunctionChange", "Require", "Step", "Approval", "Analysis", "Gates", "Gate", "HttpGate",
    "LoadGate", "Migrate", "Mirror", "Route", "Sticky", "Notify", "Wave", "Freeze",
)  # fmt: skip


def made_schema() -> str:
    """The schema as text. msgspec's own maker knows no defaults of custom types, so the types are walked here."""
    words = comments()
    parts = {name: _struct(getattr(model, name), words[name]) for name in _ORDER}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Headgate release file",
        "$ref": "#/$defs/Release",
        "$defs": parts,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _struct(kind: type[msgspec.Struct], words: dict[str, str]) -> dict[str, Any]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    properties: dict[str, Any] = {}
    for field, described in zip(msgspec.structs.fields(kind), info.fields, strict=True):
        shown = _schema_of(described.type)
        default = _default(field)
        if default is not None:
            shown["default"] = default
        if field.name in words:
            shown["description"] = words[field.name]
        properties[field.encode_name] = shown
    required = [field.encode_name for field in info.fields if field.required]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _schema_of(kind: inspect.Type) -> dict[str, Any]:
    match kind:
        case inspect.StructType(cls=cls):
            return {"$ref": f"#/$defs/{cls.__name__}"}
        case inspect.CustomType(cls=cls) if cls is Duration:
            return {"type": ["string", "integer"], "pattern": DURATION_FORM}
        case inspect.CustomType():
            return {"type": ["string", "number"], "pattern": PERCENTAGE_FORM}
        case inspect.VarTupleType(item_type=item):
            return {"type": "array", "items": _schema_of(item)}
        case inspect.DictType(value_type=value):
            return {"type": "object", "additionalProperties": _schema_of(value)}
        case inspect.LiteralType(values=values):
            return {"enum": list(values)}
        case inspect.UnionType(types=types):
            some = [_schema_of(each) for each in types if not isinstance(each, inspect.NoneType)]
            return some[0] if len(some) == 1 else {"anyOf": some}
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType() | inspect.FloatType():
            bounds = {"minimum": kind.ge, "maximum": kind.le, "exclusiveMinimum": kind.gt, "exclusiveMaximum": kind.lt}
            name = "integer" if isinstance(kind, inspect.IntType) else "number"
            return {"type": name, **{bound: value for bound, value in bounds.items() if value is not None}}
        case inspect.StrType(pattern=pattern):
            # What YAML reads as a number or as true is text here all the same, where a text is wanted.
            return {"type": "string", "pattern": pattern} if pattern else {"type": ["string", "number", "boolean"]}
        case _:
            raise TypeError(f"{kind} has no schema")


def made_reference() -> str:
    """The tables of the guide."""
    all_words = comments()
    lines = [BEGIN, ""]
    for name in _ORDER:
        kind = getattr(model, name)
        words = all_words[name]
        summary = " ".join((kind.__doc__ or "").split()) if "__doc__" in kind.__dict__ else ""
        title = "The file" if name == "Release" else f"`{_where(name)}`"
        lines += [f"### {title}", ""]
        if summary and not summary.startswith(f"{name}("):
            lines += [summary, ""]
        lines += ["| field | default | |", "|---|---|---|"]
        for field in msgspec.structs.fields(kind):
            default = _default(field)
            is_empty = default is None or (not default and default is not False)
            shown = "required" if field.required else "" if is_empty else f"`{_plain(default)}`"
            lines.append(f"| `{field.encode_name}` | {shown} | {_said(kind, field, words)} |")
        lines.append("")
    return "\n".join([*lines, END])


def comments() -> dict[str, dict[str, str]]:
    """The comment behind each field, by class and field."""
    source = Path(model.__file__).read_text(encoding="utf-8")
    behind = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    return {
        node.name: {
            each.target.id: _sentence(behind[each.end_lineno])
            for each in node.body
            if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.end_lineno in behind
        }
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name in _ORDER
    }


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        value = field.default
    elif field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    else:
        return None
    if isinstance(value, Duration | Percentage):
        return str(value)
    return msgspec.to_builtins(value, enc_hook=str)


def _plain(default: Any) -> str:
    return default if isinstance(default, str) else json.dumps(default)


def _said(kind: type[msgspec.Struct], field: msgspec.structs.FieldInfo, words: dict[str, str]) -> str:
    """What a field is, and which values it knows."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    described = next(each.type for each in info.fields if each.name == field.name)
    said = words.get(field.name, "")
    if isinstance(described, inspect.LiteralType):
        known = ", ".join(f"`{each}`" for each in described.values)
        return f"{said}: {known}" if said else f"One of {known}"
    return said


def _where(name: str) -> str:
    """Where a part stands in the file."""
    places = {
        "FunctionChange": "change.functions.NAME",
        "Step": "steps[]",
        "Approval": "steps[].approval",
        "Gate": "gates.before[], gates.step[], gates.after[]",
        "HttpGate": "http",
        "LoadGate": "load",
        "Notify": "notify[]",
        "Wave": "regions[]",
        "Freeze": "freeze[]",
    }
    return places.get(name, re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower())


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _parts(guide: str) -> tuple[str, str]:
    before, _, rest = guide.partition(BEGIN)
    return before, rest.partition(END)[2]


def made_guide(guide: str) -> str:
    before, behind = _parts(guide)
    return before + made_reference() + behind


def _outputs() -> Iterator[tuple[Path, str]]:
    yield SCHEMA, made_schema()
    yield GUIDE, made_guide(GUIDE.read_text(encoding="utf-8"))


def main() -> int:
    for path, text in _outputs():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
