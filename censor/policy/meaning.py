"""Say what conditions mean: compile a `when`, and how the box reads each protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from censor.dissect import quic_habit, rtp
from censor.dissect.stun import Habit as RelayHabit
from censor.policy import clause, listing, vocabulary
from censor.policy.document import PolicyDocument
from censor.policy.enactment import tcp_flags
from censor.read.entropy import Rule as Entropy
from censor.rule.lexicon import SCANNED, Names, Pieces, Shaped, Texts, shape
from censor.rule.pattern import Patterns
from censor.rule.rules import REQUEST, App, Condition, HttpHabit, Prefixes, Reading, When, topic
from censor.rule.sight import METHODS, TLS_VERSIONS
from censor.wire.number import Protocol

PROTOCOLS: Final = {
    "tcp": frozenset({int(Protocol.TCP)}),
    "udp": frozenset({int(Protocol.UDP)}),
    "icmp": frozenset({int(Protocol.ICMP), int(Protocol.ICMP6)}),
}

_QUIC_VERSIONS: Final = {"v1": quic_habit.V1, "v2": quic_habit.V2}

#: Keys whose value is the one name a message has.
NAMED: Final = (
    *("dns.name", "http.host", "tls.sni", "quic.sni", "dtls.sni", "sip.host"),
    "socks.host",
)

#: Keys that ask for more than the name, the method or the query type; with what they list.
_LISTED: Final[Mapping[str, Mapping[Any, Any] | None]] = {
    "tls.alpn": None,
    "tls.version": TLS_VERSIONS,
    "tls.ja3": None,
    "tls.ja4": None,
    "quic.ja4": None,
    "quic.version": _QUIC_VERSIONS,
    "quic.alpn": None,
    "stun.method": METHODS,
    "stun.application": None,
    "first.like": None,
    "signature": None,
    "socks.version": None,
    "openvpn.kind": None,
    "wireguard.kind": None,
}
_TEXTS: Final = (
    *("http.path", "http.query", "http.keyword", "tls.issuer", "sip.uri", "sip.user_agent"),
    "ssh.software",
)
_PLAIN: Final = (
    *("tls.ech", "tls.esni", "quic.ech", "stun.turn"),
    *("rtp", "rtcp", "first.fully_encrypted"),
)


def compile_when(when: clause.When, *, responses: bool = False) -> When:
    """Compile the conditions of a rule; `responses` says that it is about those of SIP.

    Raises: ListError or PatternError, which `censor.policy.problem` has found before.
    """
    said = {
        field.alias or name: value
        for name, field in clause.When.model_fields.items()
        if (value := getattr(when, name)) is not None
    }
    app = next((found for key in said if (found := topic(key)) is not None), None)
    responses = responses or when.sip_status is not None
    no = when.negated
    negated = None if no is None else compile_when(no, responses=responses)
    cased = when.http_host is not None and when.http_host.case
    named = next((said[key] for key in NAMED if key in said), None)
    methods = when.sip_method if when.sip_method is not None else when.http_method
    asks = frozenset(key for key in said if topic(key) is not None)
    if when.sip_method is not None and not responses:
        asks |= {REQUEST}  # the method of a response is that of what it answers
    return When(
        client=_prefixes(when.client_address),
        server=_prefixes(when.server_address),
        client_ports=port_set(when.client_port) if isinstance(when.client_port, list) else None,
        server_ports=None if when.server_port is None else port_set(when.server_port),
        client_above=isinstance(when.client_port, str),
        protocols=None if when.protocol is None else PROTOCOLS[when.protocol],
        inside={"outbound": True, "inbound": False, "both": None}[when.direction],
        app=app,
        name=None if named is None or cased else compile_names(named),
        methods=None if methods is None else frozenset(_methods(methods, app)),
        qtypes=None
        if when.dns_qtype is None
        else frozenset(q if isinstance(q, int) else clause.QTYPES[q] for q in when.dns_qtype),
        more=tuple(_more(said, cased)),
        negated=negated,
        header_lengths=None
        if when.tcp_header_length is None
        else frozenset(when.tcp_header_length),
        flags=None if when.tcp_flags is None else frozenset(map(tcp_flags, when.tcp_flags)),
        asks=asks | (negated.asks if negated else frozenset()),
    )


def _methods(methods: Iterable[str], app: App | None) -> Iterable[str]:
    """Methods are case-sensitive in HTTP (RFC 9110 section 9.1); SIP's are compared in capitals."""
    return methods if app is App.HTTP else (method.upper() for method in methods)


def _more(said: Mapping[str, Any], cased: bool) -> Iterable[Condition]:
    if cased:
        yield Condition("http.host", compile_names(said["http.host"]))
    if "sip.status" in said:
        yield Condition("sip.status", frozenset(_statuses(said["sip.status"])))
    for key, table in _LISTED.items():
        if key in said:
            yield Condition(
                key, frozenset(table.get(one, one) if table else one for one in said[key])
            )
    if "tls.certificate" in said:
        yield Condition("tls.certificate", compile_names(said["tls.certificate"]))
    for key in _TEXTS:
        if key in said:
            yield Condition(key, compile_texts(said[key]))
    for key in _PLAIN:
        if key in said:
            yield Condition(key, said[key])
    for name, texts in (said.get("http.header") or {}).items():
        want = True if texts is True else compile_texts(texts)
        yield Condition("http.header", want, name.lower())


def _statuses(listed: Iterable[int | str]) -> Iterable[int]:
    for one in listed:
        first, count = (one, 1) if isinstance(one, int) else (100 * int(one[0]), 100)
        yield from range(first, first + count)


def words(listed: vocabulary.Words, *, lower: bool = False) -> Sequence[str]:
    """Return the entries of a list, from its file if it is in one. Raises: ListError."""
    if isinstance(listed, vocabulary.ListFile):
        return listing.read(listed.file, lower=lower)
    return [word.lower() for word in listed] if lower else listed


def compile_names(names: vocabulary.Names) -> Names:
    """Compile a set of names. Raises: ListError, PatternError."""

    def plain(listed: vocabulary.Words) -> frozenset[str]:
        if isinstance(listed, vocabulary.ListFile):
            return listing.names(listed.file, lower=not names.case)
        return frozenset(word.strip(".") for word in words(listed, lower=not names.case))

    parts = tuple(words(names.substring, lower=not names.case))
    exact, suffix = plain(names.exact), plain(names.suffix)
    shaped, exact, suffix, parts = _shaped(names, exact, suffix, parts)
    few = len(parts) <= SCANNED
    return Names(
        exact,
        suffix,
        parts if few else (),
        None if few else Pieces.of(parts),
        shaped,
        names.case,
    )


def _shaped(
    names: vocabulary.Names, exact: frozenset[str], suffix: frozenset[str], parts: tuple[str, ...]
) -> tuple[Shaped | None, frozenset[str], frozenset[str], tuple[str, ...]]:
    """Sort patterns by their shape: most are names, suffixes and parts in another dress."""
    texts = words(names.regex)
    if not texts:
        return None, exact, suffix, parts
    sorted_by: dict[tuple[str, bool], list[str]] = {}
    rest = []
    for text in texts:
        found = shape(text)
        if found is None:
            rest.append(text)
        else:
            begin, word, ends = found
            word = word if names.case else word.lower()
            sorted_by.setdefault((begin, ends), []).append(word)

    def pieces(begin: str, ends: bool) -> Pieces | None:
        found = sorted_by.get((begin, ends))
        return Pieces.of(found) if found else None

    shaped = Shaped(
        heads=pieces(".", False),
        tails=pieces("", True),
        starts=pieces("^", False),
        patterns=Patterns(rest, ignore_case=not names.case) if rest else None,
    )
    return (
        shaped,
        exact | frozenset(sorted_by.get(("^", True), ())),
        suffix | frozenset(sorted_by.get((".", True), ())),
        parts + tuple(sorted_by.get(("", False), ())),
    )


def compile_texts(texts: vocabulary.Texts) -> Texts:
    """Compile what a text may hold, in every encoding that is asked for.

    Raises: ListError, PatternError.
    """

    def spelled(listed: vocabulary.Words) -> list[str]:
        raw = {
            word.encode(encoding, "replace")
            for word in words(listed)
            for encoding in texts.encodings
        }
        return [(one if texts.case else one.lower()).decode("latin-1") for one in raw]

    def pieces(listed: vocabulary.Words) -> Pieces | None:
        found = spelled(listed)
        return Pieces.of(found) if found else None

    patterns = words(texts.regex)
    return Texts(
        frozenset(spelled(texts.exact)),
        pieces(texts.prefix),
        pieces(texts.suffix),
        pieces(texts.substring),
        Patterns(patterns, ignore_case=not texts.case) if patterns else None,
        texts.case,
        texts.decode,
    )


def _prefixes(networks: Iterable[str] | vocabulary.ListFile | None) -> Prefixes | None:
    if networks is None:
        return None
    if isinstance(networks, vocabulary.ListFile):
        return Prefixes.of(listing.prefixes(networks.file))
    return Prefixes.of(listing.prefix(text) for text in networks)


def port_set(ports: Sequence[int | str] | str) -> frozenset[int] | None:
    """Return the ports of a list with ranges; None for "any"."""
    if isinstance(ports, str):
        return None
    chosen: set[int] = set()
    for port in ports:
        low, _, high = str(port).partition("-")
        chosen.update(range(int(low), int(high or low) + 1))
    return frozenset(chosen)


def _certified(when: clause.When) -> bool:
    """Say whether a rule asks for a server's certificate."""
    own = when.tls_certificate is not None or when.tls_issuer is not None
    return own or (when.negated is not None and _certified(when.negated))


def readings(document: PolicyDocument) -> Mapping[App, Reading]:
    """Return how the box reads each protocol."""

    def over(words: Iterable[str]) -> frozenset[int]:
        return frozenset().union(*(PROTOCOLS[word] for word in words))

    http = document.http
    habit = HttpHabit(
        http.doubled_host == "last", http.absolute == "header", http.lf_only, http.any_spelling
    )
    dns, tls, sip = document.dns, document.tls, document.sip
    quic, stun, media, first = document.quic, document.stun, document.rtp, document.first
    relays = RelayHabit(stun.relayed, stun.channels == "rfc5766")
    return {
        App.FIRST: Reading(
            None,
            over(first.over),
            payloads=first.payloads,
            habit=Entropy(
                first.sparse, first.dense, first.prefix, first.fraction, first.run,
                tls_minor=first.tls_minor,
            ),
        ),
        App.SIGNATURE: Reading(
            port_set(document.signature.ports),
            over(["tcp", "udp"]),
            payloads=document.signature.payloads,
        ),
        App.DNS: Reading(port_set(dns.ports), over(dns.over), questions=dns.several_questions),
        App.HTTP: Reading(
            port_set(http.ports),
            over(["tcp"]),
            later=http.requests == "all",
            habit=None if habit == HttpHabit() else habit,
        ),
        App.TLS: Reading(
            port_set(tls.ports),
            over(["tcp"]),
            later=False,
            records=tls.join_records,
            habit=tls.skip_ccs,
            certificates=any(_certified(rule.when) for rule in document.rules),
        ),
        App.SIP: Reading(port_set(sip.ports), over(sip.over)),
        App.QUIC: Reading(
            port_set(quic.ports),
            over(["udp"]),
            habit=quic_habit.Habit(
                versions=frozenset(_QUIC_VERSIONS[version] for version in quic.versions),
                datagrams=quic.datagrams,
                reassemble=quic.join_datagrams,
                frames=quic.frames,
                overlap=quic.overlap,
            ),
        ),
        App.DTLS: Reading(port_set(document.dtls.ports), over(["udp"])),
        App.STUN: Reading(port_set(stun.ports), over(stun.over), habit=relays),
        App.SSH: Reading(port_set(document.ssh.ports), over(["tcp"])),
        App.SOCKS: Reading(port_set(document.socks.ports), over(["tcp"])),
        App.OPENVPN: Reading(port_set(document.openvpn.ports), over(document.openvpn.over)),
        App.WIREGUARD: Reading(port_set(document.wireguard.ports), over(["udp"])),
        App.RTP: Reading(
            port_set(media.ports),
            over(media.over),
            announced="sdp" in media.by,
            habit=rtp.Habit(
                media.need,
                media.window if "behaviour" in media.by else 0,
                media.consecutive,
                steady=media.steady,
            ),
        ),
    }  # fmt: skip
