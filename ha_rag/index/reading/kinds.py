"""The kinds of files that are read, and those that are passed over, by the ending of their names."""

from __future__ import annotations

from pathlib import PurePath

FORMS = {
    ".txt": "text", ".text": "text", ".log": "text",
    ".md": "markdown", ".markdown": "markdown", ".mkd": "markdown", ".mdown": "markdown", ".mkdn": "markdown",
    ".mdx": "markdown", ".qmd": "markdown", ".rmd": "markdown",
    ".html": "html", ".htm": "html", ".xhtml": "html", ".xht": "html", ".shtml": "html",
    ".pdf": "pdf",
    ".docx": "word", ".docm": "word", ".dotx": "word", ".dotm": "word",
    ".pptx": "slides", ".pptm": "slides", ".ppsx": "slides", ".ppsm": "slides", ".potx": "slides", ".potm": "slides",
    ".xlsx": "sheets", ".xlsm": "sheets", ".xlsb": "sheets", ".xls": "sheets", ".xltx": "sheets", ".xltm": "sheets",
    ".ods": "sheets", ".ots": "sheets",
    ".odt": "opendocument", ".ott": "opendocument", ".odp": "opendocument", ".otp": "opendocument",
    ".odg": "opendocument", ".fodt": "opendocument", ".fodp": "opendocument", ".fods": "opendocument",
    ".fodg": "opendocument",
    ".rtf": "rich_text",
    ".epub": "epub",
    ".csv": "delimited", ".tsv": "delimited", ".tab": "delimited", ".psv": "delimited",
    ".json": "json", ".ipynb": "notebook",
    ".xml": "xml", ".rss": "xml", ".atom": "xml", ".opml": "xml", ".plist": "xml", ".dita": "xml", ".docbook": "xml",
    ".rst": "restructured", ".rest": "restructured",
    ".adoc": "asciidoc", ".asciidoc": "asciidoc", ".asc": "asciidoc", ".org": "org",
    ".eml": "mail", ".mht": "mail", ".mhtml": "mail", ".mbox": "mail_folder",
    ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip
"""Ending -> form. Any other file is read as text if it is text."""

PASSED_OVER = {
    "image": ".png .jpg .jpeg .gif .bmp .tif .tiff .webp .heic .avif .ico .svg .psd .ai .eps .raw .dng .xcf",
    "audio or video": ".mp3 .wav .flac .ogg .m4a .aac .mp4 .m4v .mov .avi .mkv .webm .wmv",
    "archive": ".zip .tar .gz .tgz .bz2 .xz .7z .rar .zst .jar .war .whl .iso .dmg .deb .rpm .apk",
    "program": ".exe .dll .so .dylib .bin .o .a .class .pyc .pyo .wasm .msi",
    "font": ".ttf .otf .woff .woff2 .eot",
    "database": ".sqlite .sqlite3 .db .mdb .accdb .parquet .feather .pkl .npy .npz .h5",
    "old Office file": ".doc .ppt .pps .dot .pub .wpd .wps",
    "mail folder": ".msg .pst .ost",
    "key or certificate": ".pem .key .crt .cer .der .p12 .pfx .gpg .kdbx",
}
BY_CONTENT = frozenset(PASSED_OVER["old Office file"].split())
"""Endings of files that are passed over only if they are what they say: RTF and web pages have them, too."""
_PASSED_OVER = {ending: kind for kind, endings in PASSED_OVER.items() for ending in endings.split()}
LEFT_OUT_FOLDERS = frozenset({"node_modules", "bower_components", "__pycache__", "site-packages", "__MACOSX"})
LEFT_OUT_FILES = frozenset({"thumbs.db", "desktop.ini"})


def form_of(name: str) -> str | None:
    """The form of a file, by its name; None if the ending is unknown."""
    return FORMS.get(PurePath(name).suffix.lower())


def passed_over(name: str) -> str | None:
    """The kind of a file that is never read, by its name; None if the name does not tell."""
    return _PASSED_OVER.get(PurePath(name).suffix.lower())


def is_left_out(name: str, *, folder: bool) -> bool:
    """Whether a file or folder is hidden, a cache, a dependency or the lock of an open Office file."""
    if name.startswith((".", "~$")):
        return True
    return name in LEFT_OUT_FOLDERS if folder else name.lower() in LEFT_OUT_FILES
