"""What a forked child process makes anew, and what a process does before it exits.

Threads do not survive a fork, locks may be held by threads that are gone, and sockets are shared with the parent. So an
object that has any of these renews itself in the child, before the child's first own step.
"""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from typing import Protocol


class Renewed(Protocol):
    """Has threads, locks or connections."""

    def renew_in_child(self) -> None:
        """Called in a forked child, before its first own step: makes them anew."""


class Leaves(Protocol):
    """Has something to do before its process exits."""

    def leave_at_exit(self) -> None:
        """Called when the process exits, perhaps twice."""


_renewed: weakref.WeakSet[Renewed] = weakref.WeakSet()
_members: weakref.WeakSet[Leaves] = weakref.WeakSet()
_of_parents: list[object] = []

_FINALIZERS = ("multiprocessing.util", "billiard.util")
"""Modules whose child processes end without `atexit`, but run the finalizers of the module."""


def left_to_parent(*held: object) -> None:
    """In a forked child: keeps loops, threads, tasks and connections of its parent.

    Closing such a loop would unregister the parent's own sockets, and a task that was destroyed would end here.
    """
    _of_parents.append(held)


def renewed_in_child(renewed: Renewed) -> None:
    """Renews an object in every child that is forked from now on, while the object lives."""
    _renewed.add(renewed)


def leaves_at_exit(member: Leaves) -> None:
    """Lets an object leave before this process exits, while it lives; also in children of `multiprocessing`, Celery."""
    _members.add(member)
    for name in _FINALIZERS:
        module = sys.modules.get(name)
        if module is not None:
            module.Finalize(None, _leave_all, exitpriority=0)
    celery_signals = sys.modules.get("celery.signals")
    if celery_signals is not None:  # the processes of its pool end at once, after this signal
        celery_signals.worker_process_shutdown.connect(_leave_all, dispatch_uid=__name__, weak=False)


def _renew_all() -> None:
    for renewed in list(_renewed):
        renewed.renew_in_child()


def _leave_all(**_: object) -> None:
    for member in list(_members):
        member.leave_at_exit()


atexit.register(_leave_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
