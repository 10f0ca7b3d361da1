"""Mirrors a folder into the index, or samples into one that never held anything: `python -m workers.index FOLDER`."""

import sys

from ha_rag.cli import main

if __name__ == "__main__":
    sys.argv[1:] = ["ingest", "--mirror", "--samples", *sys.argv[1:]]
    main()
