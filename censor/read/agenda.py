"""Say which protocols a flow is still read for, and the rules about each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from censor.rule.rules import App, Rule


class Agenda:
    """Rules, exceptions first, by the protocol whose messages they read; in that order.

    items: the same as pairs. Never changed, so that all flows that are alike share one, and what
    is left of it without a protocol is made once.
    Limits: at most one for each subset of its protocols.
    """

    __slots__ = ("_left", "_rules", "_without", "items")

    def __init__(self, rules: Mapping[App, tuple[Rule, ...]]) -> None:
        self._rules = dict(rules)
        self.items = tuple(self._rules.items())
        self._left: dict[tuple[App, ...], Agenda] = {}
        self._without: dict[App, Agenda] = {}

    def __bool__(self) -> bool:
        return bool(self.items)

    def __contains__(self, app: App) -> bool:
        return app in self._rules

    def __getitem__(self, app: App) -> tuple[Rule, ...]:
        return self._rules[app]

    def without(self, app: App) -> Agenda:
        """Return what is left when a protocol is not read any more."""
        left = self._without.get(app)
        if left is None:
            left = self._of(tuple([one for one in self._rules if one is not app]))
            self._without[app] = left
        return left

    def only(self, apps: Collection[App]) -> Agenda:
        """Return what is left when none but these are read."""
        return self._of(tuple([one for one in self._rules if one in apps]))

    def _of(self, apps: tuple[App, ...]) -> Agenda:
        if len(apps) == len(self._rules):
            return self
        left = self._left.get(apps)
        if left is None:
            left = Agenda({app: self._rules[app] for app in apps}) if apps else NOTHING
            self._left[apps] = left
        return left


NOTHING: Final = Agenda({})
