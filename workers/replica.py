"""One replica: `python -m workers.replica --host 0.0.0.0 --port 8000`; the same as `ha-rag serve`."""

import sys

from ha_rag.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "serve")
    main()
