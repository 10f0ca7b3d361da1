"""What is used without its extra says which one to install."""

from __future__ import annotations

import sys

import pytest
import typer

import ha_rag
from ha_rag.alerting.delivery import AppriseDelivery
from ha_rag.cli import main
from ha_rag.cli.trouble import honest
from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.errors import ConfigurationError
from ha_rag.extras import MODULES, MissingExtraError, missing_extra, require


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch):
    """Makes modules as absent as if their extra were not installed."""

    def hide(*modules: str) -> None:
        for module in modules:
            monkeypatch.setitem(sys.modules, module, None)

    return hide


def test_what_is_installed_is_not_missing() -> None:
    require("anything", *MODULES)


def test_all_that_is_missing_is_named_at_once(without) -> None:
    without("uvicorn", "wordllama")
    with pytest.raises(MissingExtraError, match=r"pip install 'ha-rag\[local,server\]'$") as raised:
        require("`up`", "server", "local")
    assert raised.value.extras == ("local", "server")


def test_a_module_of_no_extra_is_nobodys() -> None:
    assert missing_extra("it", ModuleNotFoundError("No module named 'surely'", name="surely")) is None


def test_a_submodule_belongs_to_the_extra_of_its_package() -> None:
    error = missing_extra("it", ModuleNotFoundError(name="opentelemetry.sdk.trace"))
    assert str(error) == "it needs opentelemetry, which is not installed: pip install 'ha-rag[otel]'"


def test_a_public_name_says_what_to_install(without, monkeypatch: pytest.MonkeyPatch) -> None:
    without("numpy")
    monkeypatch.delitem(sys.modules, "ha_rag.components.embedders.cached", raising=False)
    monkeypatch.delitem(sys.modules, "ha_rag.components.embedders.scripted", raising=False)
    monkeypatch.delitem(sys.modules, "ha_rag.components.embedders.hashing", raising=False)
    monkeypatch.delitem(vars(ha_rag), "PrimaryEmbedder", raising=False)
    with pytest.raises(ImportError, match=r"^ha_rag\.PrimaryEmbedder needs numpy, .*'ha-rag\[rag\]'$"):
        _ = ha_rag.PrimaryEmbedder


def test_the_command_says_what_to_install(without, monkeypatch: pytest.MonkeyPatch) -> None:
    without("typer")
    monkeypatch.delitem(sys.modules, "ha_rag.cli.app", raising=False)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == (
        "ha-rag: the command needs typer, which is not installed: pip install 'ha-rag[cli]'"
    )  # which also is exit code 1


@pytest.mark.parametrize("needs", [("server",), ()], ids=["before it runs", "while it runs"])
def test_a_command_without_its_extra_fails_with_one_line(without, capsys, needs: tuple[str, ...]) -> None:
    without("fastapi")

    def serve() -> None:
        import fastapi  # noqa: F401 - it is missing

    with pytest.raises(typer.Exit) as ended:
        honest(serve, *needs)()
    assert ended.value.exit_code == 1
    said = "ha-rag: `serve` needs fastapi, which is not installed: pip install 'ha-rag[server]'\n"
    assert capsys.readouterr().err == said


def test_alerts_without_their_extra_say_what_to_install(without) -> None:
    without("apprise")
    with pytest.raises(ConfigurationError, match=r"pip install 'ha-rag\[alerts\]'$"):
        AppriseDelivery(["json://localhost"])


def test_the_local_embedder_without_its_extra_says_what_to_install(without) -> None:
    without("wordllama")
    with pytest.raises(ConfigurationError, match=r'^kind = "local" needs wordllama, .*\[local\]'):
        LocalEmbedder()
