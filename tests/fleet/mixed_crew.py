"""A crew of replicas of 0.1.0 and of this version, on one Redis, in which a deploy replaces one by another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.fleet.crew import SLACK_S, Crew, Member, Pool, Yard
from tests.fleet.processes import Process

Version = Literal["old", "new"]

SHARED_POLICY = {"blip_s": None}
"""What 0.1.0 takes, too: a policy without the fields that are new."""


@dataclass(eq=False)
class MixedCrew:
    """Replicas of both versions. `versions`: of each member, in order; what left is not in it."""

    crew: Crew
    yard: Yard
    pools: dict[Version, Pool]
    versions: list[Version]
    gone: list[dict[str, Any]] = field(default_factory=list)
    """Events of the replicas that were replaced."""

    def all_of(self, version: Version) -> list[Member]:
        """The members of that version."""
        return [m for m, its in zip(self.crew.members, self.versions, strict=True) if its == version]

    def first(self, version: Version) -> Member:
        """One member of that version."""
        return self.all_of(version)[0]

    async def deploy(self, *versions: Version) -> None:
        """Replaces, one after another, the replicas whose version is to be another one."""
        for n, version in enumerate(versions):
            if self.versions[n] != version:
                await self._replace(n, version)
        await self.crew.until_shared(within_s=SLACK_S)

    async def _replace(self, n: int, version: Version) -> None:
        leaving = self.crew.members[n]
        self.gone += await leaving.ask("events")
        await leaving.ask.aclose()
        self.pools[self.versions[n]].give_back([leaving.process])
        (process,) = self.pools[version].take(1)
        joining = self.crew.members[n] = Member(leaving.name, process, await process.remote())
        self.versions[n] = version
        await self.yard.join(self.crew, joining, self.crew.redis.url, {})

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """All events of that kind that anybody has told of, those that have left included."""
        now = [event for member in self.crew for event in await member.events(kind)]
        return [event for event in self.gone if event["kind"] == kind] + now

    async def open_by(self, member: Member) -> None:
        """Breaks the service, and lets that member open the circuit for all."""
        members = self.crew.members
        self.crew.members = [member, *(other for other in members if other is not member)]
        try:
            await self.crew.open()
        finally:
            self.crew.members = members

    def said(self) -> list[str]:
        """What all processes have written so far: a replica that meets nothing unforeseen writes nothing."""
        said = [process.said() for pool in self.pools.values() for process in pool.started]
        return [text for text in said if text]


@asynccontextmanager
async def mixed_crew(
    yard: Yard,
    pools: dict[Version, Pool],
    versions: Sequence[Version],
    policy: dict[str, Any] | None = None,
    names: Sequence[str] | None = None,
    *,
    wires: bool = False,
) -> AsyncIterator[MixedCrew]:
    """A crew of those versions. Afterwards nobody has gone back an epoch or written an error."""
    processes: list[Process] = []
    for version in versions:
        processes += pools[version].take(1)
    policy = {**SHARED_POLICY, **(policy or {})}
    crew_of = yard.crew(len(versions), processes=processes, names=names, policy=policy, wires=wires)
    async with crew_of as crew:
        mixed = MixedCrew(crew, yard, pools, list(versions))
        said_before = mixed.said()
        try:
            yield mixed
            await crew.never_went_back()
            assert mixed.said() == said_before
        finally:
            for member, version in zip(crew.members, mixed.versions, strict=True):
                await member.ask.aclose()
                pools[version].give_back([member.process])


def copy_worker(folder: Path) -> None:
    """Puts the program of the replicas beside the worker of another version."""
    name = "operator_worker.py"
    (folder / "tests" / "fleet" / name).write_text(Path(__file__).with_name(name).read_text())
