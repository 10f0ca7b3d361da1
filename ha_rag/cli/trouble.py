"""Errors become sentences and exit codes, once, for all commands."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import ParamSpec

import typer

from ha_rag.errors import ConfigurationError, HaRagError

P = ParamSpec("P")
FAILED = 1
ASKED_WRONGLY = 2
INTERRUPTED = 130


class CommandError(HaRagError):
    """A command could not do what it was asked."""


def honest(command: Callable[P, None]) -> Callable[P, None]:
    """`command`, with every error told as a sentence on standard error, and the exit code that goes with it."""

    @functools.wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            say("stopped")
            raise typer.Exit(INTERRUPTED) from None
        except ConfigurationError as error:
            _say_all(error.problems)
            raise typer.Exit(ASKED_WRONGLY) from None
        except HaRagError as error:
            say(str(error))
            raise typer.Exit(FAILED) from None
        except BrokenPipeError:
            _let_the_reader_go()
            raise typer.Exit(0) from None
        except typer.Exit:
            raise
        except OSError as error:
            say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
            raise typer.Exit(FAILED) from None
        except Exception as error:
            say(f"this should not happen: {type(error).__name__}: {error}; {_kept(error)}")
            raise typer.Exit(FAILED) from None

    return told


def _say_all(problems: tuple[str, ...]) -> None:
    for problem in problems:
        say(problem)


def say(sentence: str) -> None:
    """One line on standard error, under the program's name."""
    typer.echo(f"ha-rag: {sentence}", err=True)


def _kept(error: Exception) -> str:
    """Where the traceback of an error that nobody foresaw is kept: it helps whoever mends it, not who reads it here."""
    with tempfile.NamedTemporaryFile("w", prefix="ha-rag-", suffix=".txt", delete=False, encoding="utf-8") as file:
        traceback.print_exception(error, file=file)
    return f"please report it with what is in {file.name}"


def _let_the_reader_go() -> None:
    # Whoever read our output has seen enough, as `head` does; Python would complain once more when it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
