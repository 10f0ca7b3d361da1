"""A steady stream of questions: `python -m workers.load --url http://gateway:8000 --per-s 5 --for 3600`."""

from ha_rag.simulation.load import main

if __name__ == "__main__":
    main()
