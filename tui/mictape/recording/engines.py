"""The engines of one recording: the one in use, and how another is used instead."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from msgspec import structs

from mictape.credentials import engine_with_key, log_in
from mictape.engines.base import Engine, Lost, Request
from mictape.engines.readiness import in_thread
from mictape.failure import ExitCode, Failure, MictapeError, unexpected
from mictape.paths import Places
from mictape.recognition.live import Plan
from mictape.recording.track_tasks import TrackTasks
from mictape.session.session import Session
from mictape.settings import Settings, remember

LOCAL: Final = "local"
"""The engine that runs models on this machine."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine that the person has chosen."""

    name: str
    model: str = ""
    """A model of the local engine; empty: the one that the settings name."""
    language: str | None = None
    """What is spoken; None: what the settings say."""


class Engines:
    """Makes engines by name, closes those that it made, and lets sessions go on with another."""

    def __init__(
        self,
        where: Places,
        settings: Settings,
        running: TrackTasks,
        make: Callable[[str], Engine] | None = None,
        *,
        give_up_s: float | None = None,
    ) -> None:
        """Make the engine that the settings name.

        Args:
            where: Where choices and the log are kept.
            settings: The values in force.
            running: What follows the session that is recorded.
            make: Makes the engine of a name, which may take long; None: with its settings and its key.
            give_up_s: How long to go on without a connection; None: for as long as it takes.

        Raises:
            MictapeError: There is no such engine, a setting does not fit, or the keyring cannot be read.
        """
        self.settings = settings
        """The values in force: choosing a model or a language changes them."""
        self.users: list[Session] = []
        """The sessions that go on with another engine when one is chosen."""
        self._where = where
        self._running = running
        self._make = make or self._with_key
        self._give_up_s = give_up_s
        self._made: dict[str, Engine] = {}
        self.in_use = self._get(settings.engine)

    @property
    def request(self) -> Request:
        """What every connection is asked for."""
        return _request(self.settings)

    @property
    def failure(self) -> Failure | None:
        """Why the engine in use has stopped for good; None when it has not."""
        followers = (track.follower for track in self._running.tracks)
        return next((each.failure for each in followers if each and each.state == "stopped" and each.failure), None)

    def plan(self) -> Plan:
        """How tapes are followed: what fills in behind the engine, and when a billed connection rests."""
        fill = {"same": lambda: self.in_use, "local": lambda: self._get(LOCAL)}.get(self.settings.backfill)
        return Plan(
            fill=fill() if fill else None,
            idle_s=self.settings.idle_close_min * 60.0 if self.settings.idle_close_min else None,
            send_all=self.settings.send == "all",
            give_up_s=self._give_up_s,
        )

    async def check(self) -> None:
        """Raise MictapeError when the engine in use cannot work here."""
        await _check(self.in_use, self.request)

    async def use(self, name: str) -> None:
        """Go on with another engine, or with one that has stopped, and start with it next time.

        Raises MictapeError when it cannot be made.
        """
        if name == self.in_use.name and self.failure is None:
            return
        await self._go_on_with(await in_thread(partial(self._get, name)))
        remember(self._where.state_file, engine=name)

    async def use_model(self, name: str, language: str | None = None) -> None:
        """Go on with the local engine and another model of it, and start with it next time.

        Args:
            name: The model; empty: the best installed one for the language.
            language: What is spoken from now on, and next time; None: what was spoken before.

        Raises:
            MictapeError: it cannot work, or cannot be remembered.
        """
        settings = self._settings_for(name, language)
        engine = await in_thread(partial(engine_with_key, LOCAL, settings, self._where.log))
        await _check(engine, _request(settings))
        self.settings = settings
        self._renew(LOCAL)
        self._made[LOCAL] = engine
        await self._go_on_with(engine)
        remember(self._where.state_file, engine=LOCAL, language=language, model=name)

    async def log_in(self, name: str, key: str) -> Lost | None:
        """Take a key for an engine, which is made again with it; the rest is that of `credentials.log_in`."""
        untried = await log_in(name, key, self.settings, self._where.log)
        self._renew(name)
        return untried

    def make_for(self, choice: EngineChoice) -> Engine:
        """An engine of its own, for its caller to close. May take long, and raise MictapeError."""
        if not choice.model:
            return self._make(choice.name)
        return engine_with_key(LOCAL, self._settings_for(choice.model, choice.language), self._where.log)

    def request_for(self, choice: EngineChoice) -> Request:
        """What such an engine is asked for."""
        return replace(self.request, language=choice.language or self.settings.language)

    async def close(self, *, except_for: Iterable[Engine | None] = ()) -> None:
        """Close all engines but these. One that cannot be closed is logged."""
        kept = {id(engine) for engine in except_for}
        closing = {name: engine for name, engine in self._made.items() if id(engine) not in kept}
        for name in closing:
            del self._made[name]
        await asyncio.gather(*map(_close, closing.values()))

    async def _go_on_with(self, engine: Engine) -> None:
        self.in_use = engine
        plan = self.plan()
        for session in self.users:
            await session.use(engine, plan, language=self.settings.language)
        for track in self._running.tracks:
            if not track.following:
                self._running.follow(track)
        await self.close(except_for=[engine, plan.fill])

    def _get(self, name: str) -> Engine:
        """The engine of this name, made at the first call. Raises MictapeError."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _renew(self, name: str) -> None:
        """Make the engine of this name again when it is asked for; the one before is closed by `close`."""
        if (before := self._made.pop(name, None)) is not None:
            self._made[f"{name}, before {id(before)}"] = before

    def _with_key(self, name: str) -> Engine:
        return engine_with_key(name, self.settings, self._where.log)

    def _settings_for(self, model: str, language: str | None) -> Settings:
        """The settings with a model of the local engine, and a language unless it is None."""
        local = {**self.settings.engines.get(LOCAL, {}), "model": model}
        engines = {**self.settings.engines, LOCAL: local}
        return structs.replace(self.settings, language=language or self.settings.language, engines=engines)


def _request(settings: Settings) -> Request:
    return Request(settings.language, settings.key_terms)


async def _check(engine: Engine, request: Request) -> None:
    if (failure := await engine.check(request)) is not None:
        raise MictapeError(failure)


async def _close(engine: Engine) -> None:
    try:
        await engine.close()
    except Exception as error:
        unexpected(error, f"Closing {engine.title}", code=ExitCode.ENGINE)
