"""The project about itself: what must be there, who may import whom, and what pages promise."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("censor", "topologies", "scenarios", "filterbed")
LONGEST = 400  # lines of a module without a reason
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

REQUIRED = (
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "Vagrantfile",
    "pyproject.toml",
    "requirements.lock",
    "bin/bootstrap",
    "bin/packages.txt",
    ".ci/run",
    ".github/workflows/ci.yml",
    "docs/design.md",
    "docs/recipes.md",
    "docs/limits.md",
    "docs/scenarios.md",
    "docs/topologies.md",
    "docs/performance.md",
)

#: Modules without a test file of their own: why, and where they are tested instead. One that gets a
#: test file leaves this table.
_DATA = "declares data, which these make and read: "
_KERNEL = "does nothing without a kernel: "
UNMIRRORED = {
    "censor/rule/act.py": _DATA + "tests/censor/interfere/test_response.py",
    "censor/policy/action.py": "declares keys, each tried by tests/censor/policy/test_loader.py",
    "censor/policy/complaint.py": _DATA + "tests/censor/policy/test_problem.py",
    "censor/policy/clause.py": "declares keys, each tried by tests/censor/policy/test_meaning.py",
    "censor/dissect/quic_habit.py": "declares how to read: tests/censor/dissect/test_quic_hello.py",
    "censor/policy/provenance.py": _DATA + "tests/censor/policy/test_reference.py",
    "censor/read/found.py": _DATA + "tests/censor/read/test_reading.py",
    "censor/policy/document.py": "declares keys, each tried by tests/censor/policy/test_loader.py",
    "censor/drivers/queue.py": _KERNEL + "tests/live/test_censor_queue.py",
    "censor/drivers/sender.py": _KERNEL + "tests/live/test_censor_queue.py",
    "censor/policy/quantity.py": "each is tried by tests/censor/policy/test_loader.py",
    "filterbed/__main__.py": "one call: tests/live/test_run.py",
    "filterbed/order.py": _DATA + "tests/live/test_run.py",
    "filterbed/probe/errors.py": _DATA + "tests/filterbed/probe/test_target.py",
    "filterbed/sandbox/kernel.py": _KERNEL + "tests/live/test_sandbox.py",
    "filterbed/sandbox/launch.py": _KERNEL + "tests/live/test_sandbox.py",
    "filterbed/sandbox/netns.py": _KERNEL + "tests/live/test_sandbox.py",
    "filterbed/sandbox/place.py": _KERNEL + "tests/live/test_sandbox.py",
    "filterbed/stage/box.py": _KERNEL + "tests/live/test_run.py",
    "filterbed/stage/capture.py": _KERNEL + "tests/live/test_capture.py",
    "filterbed/stage/delay.py": _KERNEL + "tests/live/test_run.py",
    "filterbed/stage/ground.py": _KERNEL + "tests/live/test_run.py",
    "filterbed/stage/main.py": _KERNEL + "tests/live/test_run.py",
    "filterbed/stage/passes.py": _KERNEL + "tests/live/test_run.py",
    "filterbed/stage/phase.py": _KERNEL + "tests/live/test_timeline.py",
    "filterbed/stage/run.py": _KERNEL + "tests/live/test_run.py",
    "filterbed/stage/translator.py": _KERNEL + "tests/live/test_nat.py",
    "filterbed/stage/trouble.py": _KERNEL + "tests/live/test_run.py",
    "filterbed/stage/vantage.py": _KERNEL + "tests/live/test_run.py",
    "scenarios/model.py": _DATA + "tests/scenarios/test_loader.py",
    "topologies/errors.py": _DATA + "tests/topologies/test_catalogue.py",
    "topologies/network.py": _KERNEL + "tests/live/test_services.py",
    "topologies/place.py": _DATA + "tests/topologies/test_draft.py",
    "topologies/plan.py": _DATA + "tests/topologies/test_picture.py",
    "topologies/service.py": _DATA + "tests/topologies/services/test_services.py",
    "topologies/detour.py": "drawn by diamond: tests/topologies/test_diamond.py",
    "topologies/fork.py": "drawn by diamond: tests/topologies/test_diamond.py",
    "topologies/side.py": "part of what tests/topologies/test_line.py and its neighbours try",
    "filterbed/sandbox/tether.py": _KERNEL + "tests/live/test_trouble.py",
}

#: Third-party packages a source may import: module -> distribution.
THIRD_PARTY = {
    "aioquic": "aioquic",
    "mininet": "mininet",
    "netfilterqueue": "NetfilterQueue",
    "scapy": "scapy",
    "yaml": "PyYAML",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic",
    "dns": "dnspython",
    "cryptography": "cryptography",
    "rich": "rich",
    "click": "click",
}


def modules() -> list[Path]:
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def sources() -> list[Path]:
    more = [p for d in ("benchmarks", "fuzz", "tests") for p in (ROOT / d).rglob("*.py")]
    return modules() + sorted(more)


def text_files() -> list[Path]:
    """What a clone holds; runs, caches and environments are no part of it."""
    folders = (*ROOMS, "tests", "docs", "benchmarks", "fuzz", "bin", ".ci", ".github")
    inside = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    found = [path for path in (*ROOT.iterdir(), *inside) if path.is_file()]
    left_out = re.compile(r"__pycache__|latest\.json|\.(pyc|new|lock)$|^\.git$")
    return sorted(path for path in found if not left_out.search(name(path)))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# What must be there -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", REQUIRED)
def test_required_file(path: str) -> None:
    assert (ROOT / path).stat().st_size > 0


@pytest.mark.parametrize("path", ["bin/bootstrap", "bin/compiled-test", ".ci/run"])
def test_scripts_can_be_run(path: str) -> None:
    assert (ROOT / path).stat().st_mode & 0o111
    assert subprocess.run(["sh", "-n", ROOT / path], check=False).returncode == 0


def targets() -> dict[str, str]:
    """The Makefile's targets and what each does."""
    text = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"^([a-z]+):[^\n]*\n((?:\t[^\n]*\n)*)", text, flags=re.M))


def test_makefile_has_what_the_contract_names() -> None:
    assert {"demo", "test", "check", "bench"} <= set(targets())
    assert "china-2010/december" in targets()["demo"]
    assert "pytest" in targets()["test"]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_commands_on_a_page_are_there(page: str) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), flags=re.S)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    called = [line.split() for line in lines if line]
    assert called
    for words in called:
        if words[0] == "make":
            assert words[1] in targets(), words
        elif words[0] == ".venv/bin/filterbed":
            assert words[1] in commands(), words
        else:
            assert (ROOT / words[0]).exists(), words


def commands() -> set[str]:
    from filterbed.cli import cli

    return set(cli.commands)


def test_ci_runs_the_readmes_own_command() -> None:
    assert "make test" in (ROOT / "README.md").read_text()
    run = [line for line in (ROOT / ".ci/run").read_text().splitlines() if "make" in line]
    assert [line.split("<")[0].strip() for line in run if line[0] != "#"] == ["exec make test"]
    assert "bash .ci/run" in (ROOT / ".github/workflows/ci.yml").read_text()


def test_everything_installs_through_bootstrap() -> None:
    assert "bin/bootstrap" in (ROOT / "Vagrantfile").read_text()
    head = re.findall(r"^(demo|test|check|bench): install", (ROOT / "Makefile").read_text(), re.M)
    assert len(head) == 4
    assert "bin/bootstrap" in targets()["install"]


def test_changelog_has_unreleased_first() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    assert headings[0] == "[Unreleased]"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", sorted(p.name for p in (ROOT / "docs").glob("*.md")))
def test_links_of_docs_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / "docs" / page).read_text())
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_every_page_of_docs_can_be_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [p.name for p in (ROOT / "docs").glob("*.md") if f"docs/{p.name}" not in readme] == []


def test_recipes_name_files_and_things_that_are_there() -> None:
    spans = re.findall(r"`([^`]+)`", (ROOT / "docs/recipes.md").read_text())
    paths = [s for s in spans if re.fullmatch(r"[a-z/_0-9.-]+\.(py|yaml|json|txt|toml)", s)]
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []
    everything = "\n".join(path.read_text() for path in modules())
    words = {s for s in spans if re.fullmatch(r"[A-Z][A-Za-z_]+", s)}
    assert [w for w in words if not re.search(rf"\b{w}\b", everything)] == []


# How sources are ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sources(), ids=name)
def test_module_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not tree.body or ast.get_docstring(tree), "a module says what it is for"


@pytest.mark.parametrize("path", modules(), ids=name)
def test_module_is_short_or_says_why(path: Path) -> None:
    text = path.read_text()
    lines = text.count("\n")
    reason = ast.get_docstring(ast.parse(text)) or ""
    assert lines <= LONGEST or "Length:" in reason, (
        f"{lines} lines; split it, or say why: 'Length: ...'"
    )


@pytest.mark.parametrize("path", modules(), ids=name)
def test_module_is_no_drawer(path: Path) -> None:
    assert path.stem not in {
        "utils",
        "util",
        "helpers",
        "helper",
        "manager",
        "base",
        "common",
        "misc",
    }


@pytest.mark.parametrize("path", modules(), ids=name)
def test_nothing_is_unfinished(path: Path) -> None:
    marks = ("TODO", "FIXME", "XXX", "raise NotImplementedError")
    assert [mark for mark in marks if mark in path.read_text()] == []


def mirror(path: Path) -> Path:
    return ROOT / "tests" / path.relative_to(ROOT).with_name(f"test_{path.stem.strip('_')}.py")


def unmirrored() -> set[str]:
    own = [path for path in modules() if path.name != "__init__.py"]
    return {name(path) for path in own if not mirror(path).exists()}


def test_every_module_has_a_test_file_or_a_reason() -> None:
    assert sorted(unmirrored() - set(UNMIRRORED)) == [], "write the test file, or give the reason"


def test_no_reason_is_given_for_a_module_that_has_a_test_file_or_is_gone() -> None:
    assert sorted(set(UNMIRRORED) - unmirrored()) == []


def test_reasons_name_tests_that_are_there() -> None:
    named = {
        where for reason in UNMIRRORED.values() for where in re.findall(r"tests/\S+\.py", reason)
    }
    assert [where for where in sorted(named) if not (ROOT / where).exists()] == []
    assert [m for m, reason in UNMIRRORED.items() if "tests/" not in reason] == []


@pytest.mark.parametrize("path", text_files(), ids=name)
def test_nothing_names_a_machine_of_ours(path: Path) -> None:
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return
    places = r"(?<![\w.$}/])/(?:" + "work" + r"|home/(?!vagrant)\w+|root/\w+|Users)/"
    assert re.findall(places, text) == []


# Dependencies and contracts -----------------------------------------------------------------------


def locked() -> dict[str, str]:
    pins = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.M)
    return dict(pins)


def canonical(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;(\[]", requirement)[0]).lower()


def test_lock_covers_what_the_project_asks_for() -> None:
    project = PYPROJECT["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    asked += [w for w in (ROOT / "bin/build.txt").read_text().splitlines() if w and w[0] != "#"]
    assert [a for a in asked if canonical(a) not in locked()] == []


def test_lock_is_whole() -> None:
    """What a locked package needs is locked too, so that nothing else is ever fetched."""
    for package in locked():
        try:
            needs = metadata.requires(package) or []
        except metadata.PackageNotFoundError:
            continue  # for another platform
        plain = [canonical(need) for need in needs if ";" not in need]
        assert [need for need in plain if need not in locked()] == [], package


def test_lock_has_a_hash_for_every_package() -> None:
    entries = re.split(r"\n(?=[a-z])", (ROOT / "requirements.lock").read_text())
    pinned = [entry for entry in entries if re.match(r"[a-z0-9-]+==", entry)]
    assert [e.split()[0] for e in pinned if "--hash=sha256:" not in e] == []
    assert len(pinned) == len(locked())


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found - {"__future__"}


def test_every_import_is_declared() -> None:
    declared = {canonical(d) for d in PYPROJECT["project"]["dependencies"]}
    known = set(sys.stdlib_module_names) | set(ROOMS)
    for path in modules():
        foreign = imports(path) - known
        assert foreign <= set(THIRD_PARTY), name(path)
        assert {canonical(THIRD_PARTY[f]) for f in foreign} <= declared, name(path)


def test_every_import_of_a_test_is_declared() -> None:
    project = PYPROJECT["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    fuzzing = (ROOT / "fuzz/requirements.txt").read_text().splitlines()
    declared = {canonical(d) for d in [*asked, *fuzzing] if not d.startswith("#")}
    known = set(sys.stdlib_module_names) | set(ROOMS) | {"benchmarks", "fuzz", "tests"}
    for path in set(sources()) - set(modules()):
        foreign = imports(path) - known
        missing = {f for f in foreign if canonical(THIRD_PARTY.get(f, f)) not in declared}
        assert missing == set(), f"{name(path)}: add it to the dev extra and run `make lock`"


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_wheel_holds_the_data_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    copy = tmp_path / "source"
    for file in text_files():
        target = copy / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    done = subprocess.run(
        [*command, "-w", str(tmp_path), str(copy)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {name(p) for p in text_files() if name(p).split("/")[0] in ROOMS}
    assert sorted(wanted - inside) == []
    assert {n.split("/")[0] for n in inside if ".dist-info/" not in n} == set(ROOMS)


def test_tests_are_found_by_the_command_too() -> None:
    """`pytest` by itself, unlike `python -m pytest`, does not look where it was started."""
    done = subprocess.run(
        [Path(sys.executable).with_name("pytest"), "--collect-only", "-q", "tests/fuzz"],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
