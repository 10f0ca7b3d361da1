"""The figures that ha_rag ships: what answers carry of quality where `ha-rag evaluate` has measured nothing.

    python -m benchmarks.shipped_quality [--questions 200] [--write ha_rag/profiles/shipped.json]

Every kind of component that needs no service is measured with XQuAD's English questions, which are read from
HA_RAG_XQUAD (default ../shared/data/xquad), each under the name of its kind. The extra `models` must be installed. The
corpus's sketch is left out: these figures are of no index.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from ha_rag.assembly.configuration import settings_of
from ha_rag.evaluation.datasets import read_dataset
from ha_rag.evaluation.run import evaluate_into
from ha_rag.profiles.corpus import CorpusVersion
from ha_rag.profiles.profile import profile_json
from ha_rag.settings import read_environment

XQUAD = Path(os.environ.get("HA_RAG_XQUAD", "../shared/data/xquad")) / "en"
KINDS = {
    "embedders": ("onnx", "local", "hashing"),
    "retrievers": ("local", "reduced", "lexical"),
    "rerankers": ("local",),
    "generators": ("extractive",),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    if not XQUAD.is_dir():
        sys.exit(f"XQuAD is not at {XQUAD} (HA_RAG_XQUAD)")
    data = replace(read_dataset(XQUAD).sample(options.questions), name="XQuAD (en)")
    with tempfile.TemporaryDirectory() as folder:
        lists = {key: [{"name": kind, "kind": kind} for kind in kinds] for key, kinds in KINDS.items()}
        settings = settings_of({**lists, "index": {"path": folder}}, read_environment({}))
        evaluation = asyncio.run(evaluate_into(settings, data, _show))
    print(file=sys.stderr)
    made = profile_json(replace(evaluation.profile, corpus=CorpusVersion(evaluation.profile.corpus.documents, ())))
    if options.write:
        options.write.write_bytes(made + b"\n")
    else:
        print(made.decode())


def _show(what: str, done: int, total: int) -> None:
    print(f"\r{what} {done} of {total}  ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
