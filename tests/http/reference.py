"""docs/http.md, written from a replica's own OpenAPI document: `python -m tests.http.reference > docs/http.md`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ha_rag.http.access import Access
from tests.http.street import House

HEAD = """# The HTTP interface

What a replica answers. The same, to try out, is at `/docs` of every replica, and as OpenAPI at `/openapi.json`; this
page is written from that description by `python -m tests.http.reference > docs/http.md`, and a test holds it to the
code. Who may do what, and the limits, stand in [security.md](security.md).

```console
$ curl http://127.0.0.1:8000/v1/query --json '{"question": "How does a circuit recover?"}'
$ curl http://127.0.0.1:8000/v1/circuits
```

**Keys.** Where `HA_RAG_API_KEYS` is set, `/v1/` wants one of them as `Authorization: Bearer KEY`. What changes
something wants the operator's token, `HA_RAG_ADMIN_TOKEN`, in the same header; without one it is allowed from this
machine only.

**Errors** are for the asker's own mistakes, and have one form: `{"error": {"type", "message", "param"}}`. What goes
wrong with a service behind the tiers is no error: the answer is 200, `degraded`, and says how it came to be.

**Ids.** `X-Request-Id` is taken from the request or made up, is returned, stands in the log and goes on to services;
so does `traceparent`.
"""
BY_FASTAPI = {"Validation Error": "a parameter breaks its rule"}
ACCESS = {"key": "an API key, where keys are set", "operator": "the operator's token, or this machine"}


async def description() -> dict[str, Any]:
    """The OpenAPI document of a replica that knows keys and a token."""
    house = House(options={"access": Access(api_keys=("k-1",), admin_token="t-1")})
    document: dict[str, Any] = (await house.street().call("GET", "/openapi.json")).json
    return document


def reference(document: Mapping[str, Any]) -> str:
    """The page, as Markdown."""
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    parts = [HEAD, "| | | |\n|---|---|---|"]
    parts[-1] += "".join(f"\n| `{method}` | `{path}` | {each['summary']} |" for method, path, each in operations)
    parts += ["\n".join(_operation(document, *each)) for each in operations]
    parts.append("## The forms\n")
    parts += [_form(document, name) for name in _named(document)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"## `{method} {path}`\n\n{operation['summary']}. {_line(operation.get('description'))}".rstrip()
    for scheme in operation.get("security", [{}])[0]:
        yield f"\nWants {ACCESS[scheme]}."
    parameters = [each for each in operation.get("parameters", []) if each["in"] != "path"]
    if parameters:
        yield "\n| parameter | in | meaning |\n|---|---|---|"
        yield from (f"| `{each['name']}` | {each['in']} | {_line(each.get('description'))} |" for each in parameters)
    if "requestBody" in operation:
        schema = _schema(operation["requestBody"]["content"]["application/json"]["schema"], document)
        yield f"\nThe body, as JSON:\n\n{_fields(schema)}"
    for status, reply in operation["responses"].items():
        form = reply.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref")
        if status == "200" and form:
            yield f"\nAnswers {_link(form.rpartition('/')[2])}."
    refusals = {status: each["description"] for status, each in operation["responses"].items() if status != "200"}
    if refusals:
        yield "\n" + "\n".join(f"- {status}: {BY_FASTAPI.get(why, _line(why))}" for status, why in refusals.items())


def _named(document: Mapping[str, Any]) -> list[str]:
    """The forms of answers, but FastAPI's own two, which this server never sends."""
    return [
        name for name in document["components"]["schemas"] if name not in ("HTTPValidationError", "ValidationError")
    ]


def _form(document: Mapping[str, Any], name: str) -> str:
    schema = document["components"]["schemas"][name]
    said = " ".join(schema.get("description", "").split())
    return f"### {name}\n\n" + (f"{said}\n\n" if said else "") + _fields(schema)


def _fields(schema: Mapping[str, Any]) -> str:
    wanted = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_kind(field)} | {'required' if name in wanted else _default(field)} | {_meaning(field)} |"
        for name, field in schema.get("properties", {}).items()
    ]
    return "\n".join(["| field | kind | default | meaning |", "|---|---|---|---|", *rows])


def _kind(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return _link(field["$ref"].rpartition("/")[2])
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in field:
            return " or ".join(dict.fromkeys(_kind(each) for each in field[several]))
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}))}"
    if isinstance(field.get("additionalProperties"), Mapping):
        return f"object of {_kind(field['additionalProperties'])}"
    return str(field.get("type", "any"))


def _meaning(field: Mapping[str, Any]) -> str:
    said = (each.get("description") for each in (field, *field.get("anyOf", ())))
    return _line(next(filter(None, said), None))


def _default(field: Mapping[str, Any]) -> str:
    return f"`{json.dumps(field['default'])}`" if "default" in field else "absent"


def _schema(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    return document["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(asyncio.run(description())), end="")
