"""What `.gitignore` and `.haragignore` leave out, with the rules of gitignore."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

NAMES = (".gitignore", ".haragignore")


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The rules that apply in a folder: its own, and those of the folders above it, from the folder given downwards."""

    files: tuple[tuple[Path, GitIgnoreSpec], ...] = ()

    def within(self, folder: Path) -> IgnoreRules:
        """These rules and those that `folder` has itself."""
        lines = [line for name in NAMES for line in _lines(folder / name)]
        if not lines:
            return self
        # Imported here because a replica that only answers questions starts faster without it.
        from pathspec import GitIgnoreSpec

        return IgnoreRules((*self.files, (folder, GitIgnoreSpec.from_lines(lines))))

    def leave_out(self, path: Path, *, folder: bool) -> bool:
        """Whether a file or folder is left out. The nearest rule that matches decides."""
        for place, spec in reversed(self.files):
            include = spec.check_file(path.relative_to(place).as_posix() + "/" * folder).include
            if include is not None:
                return include
        return False


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
