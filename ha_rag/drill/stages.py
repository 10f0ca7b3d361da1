"""The stages of a drill: what breaks, which circuits should open, and how it is repaired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ha_rag.drill.configuration import GENERATOR_TIMEOUT_S
from ha_rag.drill.fleet import DrillFleet

Action = Callable[[DrillFleet], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One outage. Immutable.

    `start`, `end`: begin and end it; `end` is None if the supervisor repairs it. `opens`: the circuits that it should
    open. `targets`: the endpoints of the provider that it breaks. `steady`: a tier, such as "generator.primary", that
    gets steady traffic first: 100 good calls at each replica, and a window full of them. `at_least_s`: how long the
    outage lasts even in a fast drill.
    """

    name: str
    title: str
    start: Action
    end: Action | None
    opens: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    steady: str = ""
    at_least_s: float = 0.0


async def _fail_embedder(fleet: DrillFleet) -> None:
    await fleet.start_fault("embeddings", mode="error")


async def _slow_generator(fleet: DrillFleet) -> None:
    await fleet.start_fault("chat", mode="slow", delay_s=0.6)


async def _throttle_generator(fleet: DrillFleet) -> None:
    await fleet.start_fault("chat", mode="throttle", retry_after_s=2.0)


async def _fail_generator(fleet: DrillFleet) -> None:
    await fleet.start_fault("chat", mode="error")


async def _hang_generator(fleet: DrillFleet) -> None:
    await fleet.start_fault("chat", mode="hang")


async def _brown_out_generator(fleet: DrillFleet) -> None:
    await fleet.start_fault("chat", mode="slow", delay_s=2.0)


async def _open_retriever(fleet: DrillFleet) -> None:
    await fleet.override_open(RETRIEVER)


async def _release_retriever(fleet: DrillFleet) -> None:
    await fleet.remove_override(RETRIEVER)


async def _hang_embedder_fail_generator(fleet: DrillFleet) -> None:
    await fleet.start_fault("embeddings", mode="hang")
    await fleet.start_fault("chat", mode="error")


async def _lose_everything_remote(fleet: DrillFleet) -> None:
    await fleet.start_fault("embeddings", mode="reset")
    await fleet.start_fault("chat", mode="reset")
    fleet.suspend("redis")


async def _restore_everything_remote(fleet: DrillFleet) -> None:
    await fleet.end_faults()
    fleet.resume("redis")


async def _kill_redis(fleet: DrillFleet) -> None:
    fleet.kill("redis")


async def _kill_replica(fleet: DrillFleet) -> None:
    fleet.kill("rag-2")


async def _suspend_replica(fleet: DrillFleet) -> None:
    fleet.suspend("rag-3")


async def _resume_replica(fleet: DrillFleet) -> None:
    fleet.resume("rag-3")


async def _end_faults(fleet: DrillFleet) -> None:
    await fleet.end_faults()


EMBEDDER, RETRIEVER, GENERATOR = "embedder.primary", "retriever.primary", "generator.primary"
TIMED_OUT_S = GENERATOR_TIMEOUT_S + 1.5
"""Long enough for every call that was in flight when the circuit opened to run into its timeout: the end of a shorter
outage would let it succeed sooner."""

# The steady ones come early: slow answers of other stages would raise what the circuit takes for usual.
STAGES = (
    Stage(name="embedder", title="the primary embedder fails", start=_fail_embedder, end=_end_faults,
          opens=(EMBEDDER,), targets=("embeddings",)),
    Stage(name="steady-dead", title="steady traffic, generator dies", start=_fail_generator, end=_end_faults,
          opens=(GENERATOR,), targets=("chat",), steady=GENERATOR),
    Stage(name="steady-hanging", title="steady traffic, generator hangs", start=_hang_generator, end=_end_faults,
          opens=(GENERATOR,), targets=("chat",), steady=GENERATOR, at_least_s=TIMED_OUT_S),
    Stage(name="brownout", title="steady traffic, 2 s brownout", start=_brown_out_generator, end=_end_faults,
          opens=(GENERATOR,), targets=("chat",), steady=GENERATOR, at_least_s=TIMED_OUT_S),
    Stage(name="slow", title="the generator is slow", start=_slow_generator, end=_end_faults,
          opens=(GENERATOR,), targets=("chat",)),
    Stage(name="throttled", title="the generator is throttled (429)", start=_throttle_generator, end=_end_faults,
          opens=(GENERATOR,), targets=("chat",)),
    Stage(name="retriever", title="retriever opened by override", start=_open_retriever,
          end=_release_retriever, opens=(RETRIEVER,)),
    Stage(name="two", title="embedder hangs, generator fails", start=_hang_embedder_fail_generator, end=_end_faults,
          opens=(EMBEDDER, GENERATOR), targets=("embeddings", "chat")),
    Stage(name="remote", title="all remote down, Redis too", start=_lose_everything_remote,
          end=_restore_everything_remote, opens=(EMBEDDER, GENERATOR), targets=("embeddings", "chat")),
    Stage(name="redis", title="Redis is killed", start=_kill_redis, end=None),
    Stage(name="killed", title="a replica is killed", start=_kill_replica, end=None),
    Stage(name="frozen", title="a replica is suspended", start=_suspend_replica, end=_resume_replica),
)  # fmt: skip


def stages_named(name: str | None) -> tuple[Stage, ...]:
    """The stages of that name; all of them for None. Raises ValueError, whose text lists the names."""
    found = tuple(stage for stage in STAGES if name in (None, stage.name))
    if not found:
        raise ValueError(f"there is no stage {name!r}; there are {', '.join(stage.name for stage in STAGES)}")
    return found
