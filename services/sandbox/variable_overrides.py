"""Changes the app's variables for a while; several faults may change one, and each is taken back alone."""

from __future__ import annotations

from services.sandbox.hosting import Hosting
from services.sandbox.hosting_push import push, settle
from services.sandbox.twin_definition import Twin


class VariableOverrides:
    """Values held by an id. Of several for one variable the one of the last id in the alphabet holds.

    Nothing is remembered over a restart of the world: the platform then has its first variables again, and what is
    broken is broken again.
    """

    def __init__(self, hosting: Hosting, twin: Twin) -> None:
        self._hosting = hosting
        self._twin = twin
        self._held: dict[str, tuple[str, str | None]] = {}
        self._before: dict[str, str | None] = {}
        self._seen: set[str] = set()

    async def add(self, name: str, variable: str, value: str | None) -> None:
        """Give the variable a value, or take it away (None), and deploy the build that reads it once more."""
        if name in self._held:
            return
        self._before.setdefault(variable, self._hosting.variables.get(variable))
        self._held[name] = (variable, value)
        self._seen.add(variable)
        await self._settle(variable)

    async def remove(self, name: str) -> None:
        """Put back what was there before, where nothing else is held for the variable; deployed as well."""
        held = self._held.pop(name, None)
        if held is not None:
            await self._settle(held[0])

    def clear(self) -> None:
        """Forget what is held without putting anything back."""
        self._held.clear()
        self._before.clear()
        self._seen.clear()

    async def _settle(self, variable: str) -> None:
        values = [value for _, (changed, value) in sorted(self._held.items()) if changed == variable]
        wanted = values[-1] if values else self._before.pop(variable)
        if self._hosting.variables.get(variable) == wanted:
            return
        if wanted is None:
            del self._hosting.variables[variable]
        else:
            self._hosting.variables[variable] = wanted
        await self._deploy()

    async def catch_up(self) -> None:
        """Deploy once more where what serves was started with other values: something was in the way."""
        active = self._hosting.active
        if active is not None and any(active.variables.get(name) != self._now(name) for name in self._seen):
            await self._deploy()

    def _now(self, variable: str) -> str | None:
        return self._hosting.variables.get(variable)

    async def _deploy(self) -> None:
        """What is pushed reads its variables at its start: where it serves it is deployed again, else it will be."""
        hosting, twin = self._hosting, self._twin
        active = hosting.active
        if active is not None and active.build.commit != twin.serving_before:
            await hosting.rest()
            await push(hosting, twin)
        else:
            await settle(hosting, twin)
