"""Read off a censor's log which flows the kernel forwarded by itself, and when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from filterbed.header import Flow, dissect, flow_of_event
from filterbed.pcapng import Frame

#: Later than anything, in nanoseconds since 1970.
_END: Final = 1 << 63


def spans(
    frames: Sequence[Frame], events: Sequence[Mapping[str, Any]], begun: int
) -> dict[Flow, list[tuple[int, int]]]:
    """Return when each flow was settled, from and until, in nanoseconds since 1970.

    A change of policy ends them all, `unsettled` its packet's flow's, or those of all flows
    between its two addresses, or of the flow that it names.
    """
    resting: dict[Flow, int] = {}
    rests: dict[Flow, list[tuple[int, int]]] = defaultdict(list)

    def wake(flows: Iterable[Flow], at: int) -> None:
        for flow in list(flows):
            rests[flow].append((resting.pop(flow), at))

    for event in events:
        word, n = event.get("event"), event.get("n")
        at = begun + round(float(event.get("t", 0)) * 1e9)
        if word == "policy":
            wake(resting, at)
        if word not in ("settled", "unsettled") or not isinstance(n, int):
            continue
        header = dissect(frames[n - 1].data) if 1 <= n <= len(frames) else None
        if header is None:
            continue
        if word == "settled":
            resting.setdefault(header.flow, at)
        elif event.get("what") == "evicted":
            named = flow_of_event(event.get("flow"))
            wake((flow for flow in resting if flow == named), at)
        elif event.get("what") == "flow":
            wake({header.flow} & resting.keys(), at)
        else:
            pair = {header.src, header.dst}
            wake((flow for flow in resting if {flow[1][0], flow[2][0]} == pair), at)
    wake(resting, _END)
    return rests
