"""The web dashboard: `python -m workers.dashboard --host 0.0.0.0 --port 8000`; the same as `ha-rag dashboard`."""

import sys

from ha_rag.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "dashboard")
    main()
