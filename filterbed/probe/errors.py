"""Say whose fault a failed measurement is: the caller's, or the machine's."""

from __future__ import annotations


class ProbeError(Exception):
    """What a probe cannot measure; the message says where, what, what was expected, the cure."""


class TargetError(ProbeError):
    """The target object is not one of the contract's (section 3)."""


class MachineError(ProbeError):
    """This machine lacks something a measurement needs."""
