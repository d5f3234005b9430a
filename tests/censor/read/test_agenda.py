"""What flows are read for: shared, never changed, and less with every protocol given up."""

from __future__ import annotations

from censor.read.agenda import NOTHING, Agenda
from censor.rule.rules import App

ALL = Agenda({App.SIGNATURE: (), App.DNS: (), App.SIP: ()})


def apps(agenda: Agenda) -> list[App]:
    return [app for app, _ in agenda.items]


def test_a_protocol_given_up_leaves_the_others_in_their_order() -> None:
    left = ALL.without(App.DNS)
    assert apps(left) == [App.SIGNATURE, App.SIP]
    assert apps(ALL) == [App.SIGNATURE, App.DNS, App.SIP]
    assert App.DNS not in left
    assert left[App.SIP] == ()


def test_what_is_left_is_made_once() -> None:
    assert ALL.without(App.DNS) is ALL.without(App.DNS)
    assert ALL.without(App.DNS) is ALL.only((App.SIP, App.SIGNATURE))
    assert ALL.without(App.TLS) is ALL
    assert ALL.only(tuple(App)) is ALL


def test_nothing_left_is_nothing() -> None:
    assert ALL.only(()) is NOTHING
    assert ALL.only((App.SIP,)).without(App.SIP) is NOTHING
    assert not NOTHING
    assert ALL
