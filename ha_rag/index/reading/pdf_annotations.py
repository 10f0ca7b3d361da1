"""What stands on a PDF page beside its own text: values of form fields, remarks and typed notes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from pypdfium2 import raw

MOST_ANNOTATIONS = 5000
LONGEST = 20_000
"""Bytes of a value."""
_WITH_TEXT = frozenset(
    {raw.FPDF_ANNOT_TEXT, raw.FPDF_ANNOT_FREETEXT, raw.FPDF_ANNOT_HIGHLIGHT, raw.FPDF_ANNOT_UNDERLINE,
     raw.FPDF_ANNOT_STRIKEOUT, raw.FPDF_ANNOT_SQUIGGLY, raw.FPDF_ANNOT_CARET, raw.FPDF_ANNOT_STAMP}
)  # fmt: skip
_FIELDS_WITH_TEXT = frozenset({raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX})


def annotation_lines(document: Any, page: Any) -> Iterator[str]:
    """Each remark, and each field of a form that has a value: "Surname: Smith". A PdfDocument and a PdfPage."""
    for at in range(min(MOST_ANNOTATIONS, raw.FPDFPage_GetAnnotCount(page.raw))):
        annotation = raw.FPDFPage_GetAnnot(page.raw, at)
        if not annotation:
            continue
        try:
            line = _line(document, annotation)
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
        if line:
            yield line


def _line(document: Any, annotation: Any) -> str:
    kind = raw.FPDFAnnot_GetSubtype(annotation)
    if kind in _WITH_TEXT:
        return _string(raw.FPDFAnnot_GetStringValue, annotation, b"Contents")
    if kind != raw.FPDF_ANNOT_WIDGET or document.formenv is None:
        return ""
    form = document.formenv.raw
    if raw.FPDFAnnot_GetFormFieldType(form, annotation) not in _FIELDS_WITH_TEXT:
        return ""
    name = _string(raw.FPDFAnnot_GetFormFieldAlternateName, form, annotation)
    name = name or _string(raw.FPDFAnnot_GetFormFieldName, form, annotation)
    value = _string(raw.FPDFAnnot_GetFormFieldValue, form, annotation)
    return f"{name}: {value}" if name and value else value


def _string(function: Any, *arguments: object) -> str:
    """What a function of PDFium writes: UTF-16 with a zero at its end, after telling its size in bytes."""
    size = min(LONGEST, int(function(*arguments, None, 0)))
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), size)
    return " ".join(buffer.raw.decode("utf-16-le", errors="replace").rstrip("\0").split())
