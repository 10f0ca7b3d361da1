"""`python -m ha_rag.assembly.reference > docs/configuration.md`: the configuration reference, for all known kinds."""

from __future__ import annotations

from ha_rag.assembly.kinds import component_lists
from ha_rag.settings.reference import reference

if __name__ == "__main__":
    print(reference(component_lists()), end="")
