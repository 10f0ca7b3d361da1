"""Errors become sentences and exit codes, once, for all commands."""

from __future__ import annotations

import functools
import os
import sys
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
        except OSError as error:
            say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
            raise typer.Exit(FAILED) from None

    return told


def _say_all(problems: tuple[str, ...]) -> None:
    for problem in problems:
        say(problem)


def say(sentence: str) -> None:
    """One line on standard error, under the program's name."""
    typer.echo(f"ha-rag: {sentence}", err=True)


def _let_the_reader_go() -> None:
    # Whoever read our output has seen enough, as `head` does; Python would complain once more when it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
