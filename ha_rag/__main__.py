"""`python -m ha_rag`: the same as `ha-rag`."""

from ha_rag.cli import main

if __name__ == "__main__":
    main()
