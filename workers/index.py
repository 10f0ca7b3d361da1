"""Mirrors a folder into the index, or the samples where it is empty: `python -m workers.index ./documents`."""

import sys
from pathlib import Path

from ha_rag.cli import main
from ha_rag.index.index import Index
from ha_rag.local_fleet.samples import sample_documents
from ha_rag.settings import load_settings

# A file that cannot be read is said, and is no reason to keep replicas from answering out of the others.
ALL_BUT_SOME_READ = 1

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    filled = any(not file.name.startswith(".") for file in folder.iterdir()) if folder.is_dir() else False
    sys.argv[1:] = ["ingest", "--mirror", str(folder if filled else sample_documents())]
    try:
        main()
    except SystemExit as end:
        held = Index(load_settings().index_folder)
        sys.exit(0 if end.code == ALL_BUT_SOME_READ and held.exists and held.passages else end.code)
