"""A steady stream of questions: `python -m workers.load --url http://gateway:8000 --per-s 5 --every 10`."""

from ha_rag.settings.environment import read_environment
from ha_rag.simulation.load import main

if __name__ == "__main__":
    keys = read_environment().api_keys
    main(api_key=keys[0].reveal() if keys else None)
