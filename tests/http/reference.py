"""Generates docs/http.md from a replica's OpenAPI document: `python -m tests.http.reference > docs/http.md`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ha_rag.http.access import Access
from tests.http.app_client import StubReplica

HEAD = """# The HTTP interface

The endpoints of a replica. Every replica serves them interactively at `/docs`, and as OpenAPI at `/openapi.json`. This
page is generated from that description by `python -m tests.http.reference > docs/http.md`, and a test checks that it is
current. Authorization and limits are described in [security.md](security.md).

```console
$ curl http://127.0.0.1:8000/v1/query --json '{"question": "How does a circuit recover?"}'
$ curl http://127.0.0.1:8000/v1/circuits
$ curl http://127.0.0.1:8000/v1/documents -F file=@handbook.docx -F file=@prices.xlsx
$ curl "http://127.0.0.1:8000/v1/documents?words=handbook"
$ curl -X DELETE http://127.0.0.1:8000/v1/documents/handbook.docx
```

**Keys.** If `HA_RAG_API_KEYS` is set, `/v1/` requires one of the keys as `Authorization: Bearer KEY`. Changes, and
reading documents, require the operator token, `HA_RAG_ADMIN_TOKEN`, in the same header; if none is set, they are
allowed from this machine only.

**Ids of documents** are percent-encoded as one part of a path: `/v1/documents/docs%2Fplan.md`. Plain slashes work as
well. Many clients remove `.` and `..` from paths even if they are encoded; `ha-rag forget` takes such ids as they are.

**Errors** have one form: `{"error": {"type", "message", "param"}}`. The failure of a service that has a fallback is not
an error: the answer has status 200, is marked `degraded`, and lists the attempts.

**Absent fields.** `null` for an optional field is the same as leaving it out.

**Clients that leave.** A question whose client closes the connection is cancelled at once, before the reply and in a
stream: it holds no place (`server.max_concurrent`), and its calls to services end. Other requests run to their end.

**OpenAI clients.** Set the base URL to `http://HOST:PORT/v1`, and any API key if no keys are set here. The last user
message is the question; earlier ones are ignored. System and developer messages are wishes about the language and form
of the answer: language models follow them, the tiers that need none (`extractive`, `plain`) cannot. Parameters without
an effect are listed below; they are accepted, and `ha_rag.ignored` in the reply names those that asked for something.
With `strict`, in the request or in the file (`server.strict_parameters`), they are refused by name. `usage` is what the
language model's service reported; in a stream many services report it only if asked, as by
`extra_body = { stream_options = { include_usage = true } }` in the generator's table.

**Ids.** `X-Request-Id` is taken from the request or generated; it is returned, logged and passed on to services.
`traceparent` is passed on too.
"""
BY_FASTAPI = {"Validation Error": "invalid parameter"}
ACCESS = {
    "key": "an API key, if keys are set",
    "operator": "the operator token; if none is set, a request from this machine",
}


async def description() -> dict[str, Any]:
    """The OpenAPI document of a replica with keys and a token."""
    replica = StubReplica(options={"access": Access(api_keys=("k-1",), admin_token="t-1")})
    document: dict[str, Any] = (await replica.client().call("GET", "/openapi.json")).json
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
    parts.append("## Schemas\n")
    parts += [_schema_section(document, name) for name in _schema_names(document)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _operation(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"## `{method} {path}`\n\n{operation['summary']}. {_line(operation.get('description'))}".rstrip()
    for scheme in operation.get("security", [{}])[0]:
        yield f"\nRequires {ACCESS[scheme]}."
    parameters = [each for each in operation.get("parameters", []) if each["in"] != "path"]
    if parameters:
        yield "\n| parameter | in | meaning |\n|---|---|---|"
        yield from (f"| `{each['name']}` | {each['in']} | {_line(each.get('description'))} |" for each in parameters)
    if "requestBody" in operation:
        bodies = operation["requestBody"]["content"]
        schema = _schema(bodies["application/json"]["schema"], document)
        yield f"\nThe body, as JSON:\n\n{_fields(schema)}"
        if form := bodies.get("multipart/form-data"):
            yield f"\nOr as a form (`multipart/form-data`):\n\n{_fields(form['schema'])}"
    for status, reply in operation["responses"].items():
        schema = reply.get("content", {}).get("application/json", {}).get("schema", {})
        kinds = [each["$ref"].rpartition("/")[2] for each in schema.get("anyOf", [schema]) if "$ref" in each]
        if status == "200" and kinds:
            yield f"\nReturns {' or '.join(map(_link, kinds))}."
    failures = {status: each["description"] for status, each in operation["responses"].items() if status != "200"}
    if failures:
        yield "\n" + "\n".join(f"- {status}: {BY_FASTAPI.get(why, _line(why))}" for status, why in failures.items())


def _schema_names(document: Mapping[str, Any]) -> list[str]:
    """The reply schemas, without FastAPI's own two, which this server never sends."""
    return [
        name for name in document["components"]["schemas"] if name not in ("HTTPValidationError", "ValidationError")
    ]


def _schema_section(document: Mapping[str, Any], name: str) -> str:
    schema = document["components"]["schemas"][name]
    text = " ".join(schema.get("description", "").split())
    return f"### {name}\n\n" + (f"{text}\n\n" if text else "") + _fields(schema)


def _fields(schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_type(field)} | {'required' if name in required else _default(field)} | {_meaning(field)} |"
        for name, field in schema.get("properties", {}).items()
    ]
    return "\n".join(["| field | type | default | meaning |", "|---|---|---|---|", *rows])


def _type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return _link(field["$ref"].rpartition("/")[2])
    if field.get("format") == "binary":
        return "file"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in field:
            return " or ".join(dict.fromkeys(_type(each) for each in field[several]))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if isinstance(field.get("additionalProperties"), Mapping):
        return f"object of {_type(field['additionalProperties'])}"
    return str(field.get("type", "any"))


def _meaning(field: Mapping[str, Any]) -> str:
    text = (each.get("description") for each in (field, *field.get("anyOf", ())))
    return _line(next(filter(None, text), None))


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
