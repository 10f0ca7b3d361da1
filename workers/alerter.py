"""Sends alerts about incidents: `python -m workers.alerter`; the same as `ha-rag alerter`."""

import sys

from ha_rag.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "alerter")
    main()
