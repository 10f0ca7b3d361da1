"""The stages of a drill: what breaks, what it should open, and how it comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ha_rag.drill.ground import Ground

Act = Callable[[Ground], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One outage. `opens`: the circuits that it should open. `dead`: the services that should be spared meanwhile.

    `recover`: ends it; None where it comes back by itself, since somebody watches over it.
    """

    name: str
    title: str
    strike: Act
    recover: Act | None
    opens: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()


async def _fail_embedder(ground: Ground) -> None:
    await ground.break_("embeddings", mode="error")


async def _slow_generator(ground: Ground) -> None:
    await ground.break_("chat", mode="slow", delay_s=0.6)


async def _throttle_generator(ground: Ground) -> None:
    await ground.break_("chat", mode="throttle", retry_after_s=2.0)


async def _take_out_retriever(ground: Ground) -> None:
    await ground.take_out("retriever.primary")


async def _give_back_retriever(ground: Ground) -> None:
    await ground.give_back("retriever.primary")


async def _fail_both(ground: Ground) -> None:
    await ground.break_("embeddings", mode="hang")
    await ground.break_("chat", mode="error")


async def _fail_everything_remote(ground: Ground) -> None:
    await ground.break_("embeddings", mode="reset")
    await ground.break_("chat", mode="reset")
    ground.freeze("redis")


async def _recover_everything_remote(ground: Ground) -> None:
    await ground.mend()
    ground.thaw("redis")


async def _kill_redis(ground: Ground) -> None:
    ground.kill("redis")


async def _kill_replica(ground: Ground) -> None:
    ground.kill("rag-2")


async def _freeze_replica(ground: Ground) -> None:
    ground.freeze("rag-3")


async def _thaw_replica(ground: Ground) -> None:
    ground.thaw("rag-3")


async def _mend(ground: Ground) -> None:
    await ground.mend()


EMBEDDER, RETRIEVER, GENERATOR = "embedder.primary", "retriever.primary", "generator.primary"

STAGES = (
    Stage(name="embedder", title="the primary embedder fails", strike=_fail_embedder, recover=_mend,
          opens=(EMBEDDER,), dead=("embeddings",)),
    Stage(name="slow", title="the generator is slow", strike=_slow_generator, recover=_mend,
          opens=(GENERATOR,), dead=("chat",)),
    Stage(name="throttled", title="the generator asks for a rest (429)", strike=_throttle_generator, recover=_mend,
          opens=(GENERATOR,), dead=("chat",)),
    Stage(name="retriever", title="the retriever is taken out", strike=_take_out_retriever,
          recover=_give_back_retriever, opens=(RETRIEVER,)),
    Stage(name="two", title="embedder hangs, generator fails", strike=_fail_both, recover=_mend,
          opens=(EMBEDDER, GENERATOR), dead=("embeddings", "chat")),
    Stage(name="remote", title="everything remote is down, Redis too", strike=_fail_everything_remote,
          recover=_recover_everything_remote, opens=(EMBEDDER, GENERATOR), dead=("embeddings", "chat")),
    Stage(name="redis", title="Redis is killed", strike=_kill_redis, recover=None),
    Stage(name="killed", title="a replica is killed", strike=_kill_replica, recover=None),
    Stage(name="frozen", title="a replica stands still", strike=_freeze_replica, recover=_thaw_replica),
)  # fmt: skip


def stages_named(name: str | None) -> tuple[Stage, ...]:
    """Those of that name; all of them for None. Raises ValueError, whose text names those that there are."""
    found = tuple(stage for stage in STAGES if name in (None, stage.name))
    if not found:
        raise ValueError(f"there is no stage {name!r}; there are {', '.join(stage.name for stage in STAGES)}")
    return found
