"""The simulated provider: `python -m workers.provider --port 9100`."""

from ha_rag.simulation.__main__ import main

if __name__ == "__main__":
    main()
