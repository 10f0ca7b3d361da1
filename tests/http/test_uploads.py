"""Files that are sent as a form: received whole and unchanged, or refused with the reason."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ha_rag.errors import IndexBusyError, IndexDiskFullError, IndexReadOnlyError
from ha_rag.http import multipart
from ha_rag.http.body_limit import MAX_BODY_BYTES
from tests.http.app_client import AppClient, Reply, StubReplica

FORM = {"content-type": "multipart/form-data; boundary=x"}
DISPOSITION = b'Content-Disposition: form-data; name="file"; filename="%s"'


def part(name: bytes = b"a.md", content: bytes = b"Bees hum.", headers: bytes = b"") -> bytes:
    return b"--x\r\n" + DISPOSITION % name + b"\r\n" + headers + b"\r\n" + content + b"\r\n"


def with_header(header: bytes) -> bytes:
    return b"--x\r\n" + header + b"\r\n\r\ntext\r\n--x--\r\n"


END = b"--x--\r\n"


async def post(client: AppClient, body: bytes, headers: Mapping[str, str] = FORM, piece: int = 0) -> Reply:
    chunks = [body[at : at + piece] for at in range(0, len(body), piece)] if piece else None
    return await client.call("POST", "/v1/documents", None if chunks else body, headers=headers, chunks=chunks)


async def test_files_are_received_under_their_names(replica, client):
    reply = await post(client, part(b"a.md", b"one") + part(b"b.pdf", b"\0\r\n--y\r\n\xff") + END)

    assert reply.status == 200
    assert replica.documents.files == [[("a.md", b"one"), ("b.pdf", b"\0\r\n--y\r\n\xff")]]
    document = {"document": "a.md", "passages": 1, "replaced": False, "missing": {}}
    unread = [{"part": "p", "reason": "why"}]
    assert reply.json["files"][0] == {
        "file": "a.md", "documents": [document], "notes": [], "unread": unread, "error": None,
    }  # fmt: skip


async def test_a_file_that_cannot_be_read_is_named_beside_the_others(replica, client):
    reply = await post(client, part(b"a.md") + part(b"bad.pdf") + END)

    assert [(one["file"], one["error"]) for one in reply.json["files"]] == [
        ("a.md", None),
        ("bad.pdf", "contains no text"),
    ]


async def test_if_no_file_can_be_read_the_request_has_failed(replica, client):
    reply = await post(client, b"".join(part(b"bad%d" % n) for n in range(7)) + END)

    assert (reply.status, reply.error[0], reply.error[2]) == (422, "unreadable_document", "file")
    assert reply.error[1].startswith("bad0: contains no text; bad1: ")


async def test_nothing_is_left_of_the_received_files(replica, client):
    await post(client, part() + END)
    replica.documents.error = IndexBusyError("busy")
    assert (await post(client, part() + END)).status == 409

    assert [folder for folder in replica.documents.folders if folder.exists()] == []


CONTENTS = st.binary(max_size=300) | st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", b"--x", b"\r\n--", b"\r\n--y", b"x", b"\0"]), max_size=40
).map(b"".join)


@given(
    st.lists(CONTENTS.filter(lambda content: b"\r\n--x" not in b"\r\n" + content), min_size=1, max_size=4),
    st.integers(1, 100),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
async def test_any_content_arrives_unchanged_in_pieces_of_any_size(contents: list[bytes], piece: int):
    replica = StubReplica()
    body = b"".join(part(b"%d" % n, content) for n, content in enumerate(contents)) + END

    assert (await post(replica.client(), body, piece=piece)).status == 200
    assert [content for _, content in replica.documents.files[0]] == contents


@pytest.mark.parametrize(
    "name",
    ["a.md", "Grüße.docx", "日本語.pdf", "a b.txt", ".env", "...", "a;b.md", "x=y.md", "100%.md", "%2e%2e%2fx",
     "C:x.md", "CON", "-rf", "a'b", "\u202egnp.exe", "x" * 512],
)  # fmt: skip
async def test_any_other_name_on_one_line_is_taken_as_it_is(replica, client, name):
    assert (await post(client, part(name.encode()) + END)).status == 200
    assert replica.documents.files[0][0][0] == name


@pytest.mark.parametrize("name", [b'a \\"b\\".md', b"a %22b%22.md"])
async def test_a_quote_in_a_name_may_be_escaped(replica, client, name):
    await post(client, part(name) + END)

    assert replica.documents.files[0][0][0] == 'a "b".md'


REFUSED = {
    "no name": (with_header(b'Content-Disposition: form-data; name="file"'), "has no file name"),
    "an empty name": (part(b"") + END, "has no file name"),
    "a blank name": (part(b"  ") + END, "cannot be an id"),
    "blanks around a name": (part(b" a.md ") + END, "cannot be an id"),
    "a folder": (part(b"docs/a.md") + END, "has a path as its file name"),
    "an absolute path": (part(b"/etc/passwd") + END, "has a path as its file name"),
    "a path upwards": (part(b"../../a.md") + END, "has a path as its file name"),
    "the folder above": (part(b"..") + END, "has a path as its file name"),
    "the folder itself": (part(b".") + END, "has a path as its file name"),
    "a path of Windows": (part(b"docs\\a.md") + END, "has a path as its file name"),
    "a zero byte": (part(b"a.md\0.png") + END, "cannot be an id"),
    "a control character": (part(b"a\x1b[2J.md") + END, "cannot be an id"),
    "a line separator": (part("a\u2028b.md".encode()) + END, "cannot be an id"),
    "a line feed": (part(b"a\nb.md") + END, "cannot be an id"),
    "an escaped line feed": (part(b"a%0Ab.md") + END, "cannot be an id"),
    "a carriage return": (part(b"a\rb.md") + END, "not valid multipart/form-data"),
    "a name that is not UTF-8": (part(b"a\xff.md") + END, "not UTF-8"),
    "a very long name": (part(b"x" * 513) + END, "cannot be an id"),
    "an endless header": (part(b"x" * 10_000) + END, "not valid multipart/form-data"),
    "an extended name": (
        with_header(b"Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''a%2F.md"), 'as filename="..."',
    ),
    "both names": (
        with_header(b"Content-Disposition: form-data; name=\"file\"; filename=a.md; filename*=UTF-8''..%2Fb"),
        'as filename="..."',
    ),
    "a continued name": (
        with_header(b'Content-Disposition: form-data; name="file"; filename*0="a"; filename*1=".md"'),
        'as filename="..."',
    ),
    "two names": (
        with_header(b'Content-Disposition: form-data; name="file"; filename="a.md"; filename="../b"'), "its name once",
    ),
    "another field": (with_header(b'Content-Disposition: form-data; name="title"'), "must be called 'file'"),
    "no field": (with_header(b'Content-Disposition: form-data; filename="a.md"'), "must be called 'file'"),
    "an attachment": (with_header(b'Content-Disposition: attachment; name="file"; filename="a"'), "form-data"),
    "no disposition": (with_header(b"Content-Type: text/plain"), "form-data"),
    "no headers": (b"--x\r\n\r\ntext\r\n--x--\r\n", "form-data"),
    "two dispositions": (
        with_header(DISPOSITION % b"a.md" + b"\r\n" + DISPOSITION % b"b.md"), "has two headers 'content-disposition'",
    ),
    "many headers": (part(headers=b"".join(b"X-%d: 1\r\n" % n for n in range(20))) + END, "not valid multipart"),
    "base64": (part(headers=b"Content-Transfer-Encoding: base64\r\n") + END, "Content-Transfer-Encoding"),
    "a second part without a name": (part() + with_header(b"X: 1"), "part 2 has no Content-Disposition"),
    "no files": (END, "has no file"),
    "no end": (part(), "ends before its last boundary"),
    "no parts": (b"text", "not valid multipart/form-data"),
    "nothing": (b"", "ends before its last boundary"),
    "another boundary": (part().replace(b"--x", b"--y") + b"--y--\r\n", "not valid multipart/form-data"),
    "no colon": (with_header(b"Content-Disposition"), "not valid multipart/form-data"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "why"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("piece", [0, 1])
async def test_a_malformed_form_is_refused_as_a_whole_with_the_reason(replica, client, body, why, piece):
    reply = await post(client, body, piece=piece if body else 0)

    assert (reply.status, reply.error[0]) == (400, "invalid_multipart")
    assert why in reply.error[1]
    assert (replica.documents.files, replica.documents.texts) == ([], {})


@pytest.mark.parametrize(
    "kind",
    ["", "; boundary=", '; boundary=""', "; boundary=x;boundary=", "; boundary=" + "x" * 71, "; boundary=a\x01b",
     "; boundary*=UTF-8''x", "; boundary=\xff", '; boundary="x "', "; charset=utf-16"],
)  # fmt: skip
async def test_a_boundary_that_is_none_is_refused(replica, client, kind):
    reply = await post(client, part() + END, {"content-type": f"multipart/form-data{kind}"})

    assert (reply.status, replica.documents.files) == (400, [])
    assert "boundary" in reply.error[1]


@pytest.mark.parametrize("kind", ["multipart/mixed", "multipart/form-data-x", "multipart", "text/multipart/form-data"])
async def test_only_forms_are_read_as_forms(client, kind):
    assert (await post(client, part() + END, {"content-type": f"{kind}; boundary=x"})).status == 415


async def test_a_compressed_form_is_refused(client):
    assert (await post(client, part() + END, {**FORM, "content-encoding": "gzip"})).status == 415


async def test_more_files_than_allowed_are_refused_before_they_are_read(replica, client):
    whole = b"".join(part(b"%d" % n) for n in range(multipart.MOST_FILES))

    assert (await post(client, whole + END)).status == 200
    reply = await post(client, whole + part(b"one more") + END)

    assert (reply.status, reply.error[0]) == (422, "invalid_request")
    assert "at most 20 files" in reply.error[1]
    assert len(replica.documents.files) == 1


async def test_a_form_may_be_as_large_as_a_document(replica, client):
    frame = len(part(content=b"") + END)

    assert (await post(client, part(content=b"a" * (MAX_BODY_BYTES - frame)) + END)).status == 200
    assert (await post(client, part(content=b"a" * (MAX_BODY_BYTES - frame + 1)) + END)).status == 413


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (IndexReadOnlyError("here"), 409, "index_read_only"),
        (IndexBusyError("busy"), 409, "index_busy"),
        (IndexDiskFullError("full"), 507, "disk_full"),
    ],
)
async def test_an_index_that_cannot_be_written_is_said(replica, client, error, status, kind):
    replica.documents.error = error

    reply = await post(client, part() + END)

    assert (reply.status, reply.error[0], reply.error[1]) == (status, kind, str(error))


async def test_a_disk_without_room_for_the_files_is_said(client, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(multipart._Form, "_add_data", full)

    reply = await post(client, part() + END)

    assert (reply.status, reply.error[0]) == (507, "disk_full")
    assert "free space" in reply.error[1]


async def test_a_folder_that_cannot_be_written_is_said(client, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    reply = await post(client, part() + END)

    assert (reply.status, reply.error[0]) == (503, "index_unavailable")
    assert str(tmp_path / "missing") in reply.error[1]


async def test_a_document_says_of_what_type_it_is(replica, client):
    for kind in ("text/plain", "text/markdown", "text/html", None):
        assert (await client.call("POST", "/v1/documents", {"text": "x", "media_type": kind})).status == 200
    reply = await client.call("POST", "/v1/documents", {"text": "x", "media_type": "application/pdf"})

    assert replica.documents.media_types == ["text/plain", "text/markdown", "text/html", None]
    assert (reply.status, reply.error[2]) == (422, "media_type")
