"""The reference of the HTTP API, made of openapi.yaml, which is made of the application."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from docsite.markdown import code, plain, table
from docsite.pages import ROOT

TAGS = {
    "trajsim": "Routes of its own",
    "compat": "Routes of other servers",
    "operation": "Operation",
}
_REFERENCE = "#/components/schemas/"

Schema = Mapping[str, Any]


def http_page() -> str:
    """Return the page: each route with its body and answer, then each object with its fields."""
    api = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    parts = [
        "# HTTP",
        "A running service shows the same at `/docs`, where requests can be tried. "
        "[The guide](../guides/serve.md) has examples, limits and "
        "[errors](../guides/serve.md#errors).",
    ]
    for tag, heading in TAGS.items():
        parts.append(f"## {heading}")
        for path, methods in api["paths"].items():
            for method, operation in methods.items():
                if tag in operation["tags"]:
                    parts += _operation(f"{method.upper()} {path}", operation)
    parts.append("## Objects")
    for name, schema in api["components"]["schemas"].items():
        parts += _object(name, schema)
    return "\n\n".join(parts) + "\n"


def _operation(route: str, operation: Schema) -> Iterator[str]:
    yield f"### {route}"
    yield f"{operation['summary']}. {operation.get('description', '')}"
    if "requestBody" in operation:
        (content,) = operation["requestBody"]["content"].values()
        yield f"Body: {_type(content['schema'])}."
    content = operation["responses"]["200"].get("content", {})
    answers = [_type(one["schema"]) for one in content.values() if one.get("schema")]
    refused = [status for status in operation["responses"] if status != "200"]
    yield (
        f"Answer: {' or '.join(answers) or 'see the description'}."
        + (f" Errors: {', '.join(refused)}." if refused else "")
    )


def _object(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name} {{#{_anchor(name)}}}"
    if "description" in schema:
        yield _said(schema)
    if "enum" in schema:
        yield f"One of {', '.join(code(str(value)) for value in schema['enum'])}."
    required = schema.get("required", ())
    rows = [
        (code(field), _type(found), _default(field, found, required), _said(found))
        for field, found in schema.get("properties", {}).items()
    ]
    if rows:
        yield table(("field", "type", "default", ""), rows)


def _said(schema: Schema) -> str:
    return plain(str(schema.get("description", "")))


def _default(field: str, schema: Schema, required: object) -> str:
    if isinstance(required, list) and field in required:
        return "required"
    return code(str(schema["default"])) if schema.get("default") is not None else ""


def _type(schema: Schema) -> str:
    """Return a schema's type in words, with links to objects."""
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(_REFERENCE)
        return f"[{name}](#{_anchor(name)})"
    for joined in ("anyOf", "oneOf", "allOf"):
        if joined in schema:
            found = [_type(one) for one in schema[joined] if one.get("type") != "null"]
            return " or ".join(dict.fromkeys(found))
    if "enum" in schema:
        return "one of " + ", ".join(code(str(value)) for value in schema["enum"])
    if schema.get("type") == "array":
        items = schema.get("items") or {}
        return f"list of {_type(items)}" if items.get("type") or "$ref" in items else "list"
    return str(schema.get("type", "any"))


def _anchor(name: str) -> str:
    return f"object-{name.lower()}"
