"""Mirrors a folder into the index, or the samples if it is empty: `python -m workers.index ./documents`."""

import sys
from pathlib import Path

from ha_rag.cli import main
from ha_rag.local_fleet.samples import sample_documents

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    filled = any(not file.name.startswith(".") for file in folder.iterdir()) if folder.is_dir() else False
    sys.argv[1:] = ["ingest", "--mirror", *map(str, [folder] if filled else sample_documents())]
    main()
