"""The profile beside the index: one file, replaced in one step, so that readers see the old one or the new one."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from ha_rag.disk_space import reason
from ha_rag.errors import ConfigurationError
from ha_rag.private_folder import make_private_folder, private_mode
from ha_rag.profiles.profile import QualityProfile, profile_from, profile_json

PROFILE = "quality.json"
MOST_BYTES = 16_000_000

Stamp = tuple[int, int, int]


def profile_file(folder: Path) -> Path:
    """Where the profile of the index in `folder` is."""
    return folder / PROFILE


def stamp_of(folder: Path) -> Stamp | None:
    """Changes when the profile does; None without one."""
    try:
        status = profile_file(folder).stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def stored_profile(folder: Path) -> QualityProfile | None:
    """The profile of the index in `folder`; None without one. Raises ConfigurationError if it cannot be read."""
    file = profile_file(folder)
    try:
        if not file.is_file():
            return None
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ConfigurationError(f"is larger than {MOST_BYTES:,} bytes")
        return profile_from(content)
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror})") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error}; run `ha-rag evaluate` again, or delete it") from None


def store_profile(folder: Path, profile: QualityProfile) -> Path:
    """Puts a profile beside the index in `folder`, in place of an earlier one. Raises ConfigurationError."""
    file = profile_file(folder)
    try:
        make_private_folder(folder)
        handle, name = tempfile.mkstemp(prefix="quality-", suffix=".tmp", dir=folder)
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(profile_json(profile))
                opened.flush()
                os.fchmod(opened.fileno(), private_mode(folder))
                os.fsync(opened.fileno())
            Path(name).replace(file)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be written ({reason(error)})") from None
    return file
