"""The command line, as the contract fixes it."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import click

from filterbed import __version__

USAGE, LACKS, OWN_FAILURE, INTERRUPTED = 2, 3, 125, 130
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Seconds(click.ParamType):  # type: ignore[type-arg]
    """A time with its unit: "30 s", "2 min"; a bare number is seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds, or fail with what was expected."""
        if isinstance(value, int | float):
            return float(value)
        units = {"": 1.0, "s": 1.0, "ms": 0.001, "min": 60.0, "m": 60.0, "h": 3600.0}
        text = str(value).strip()
        number = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
        unit = text[len(number) :].strip()
        try:
            seconds = float(number) * units[unit]
        except (ValueError, KeyError):
            self.fail(f"{value!r} is no time; expected such as 30 s, 500 ms or 2 min", param, ctx)
        if not 0 < seconds < 86_400:
            self.fail(f"{value!r}: expected more than 0 and less than a day", param, ctx)
        return seconds


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="filterbed")
def cli() -> None:
    """Stand up a small internet, censor it as documented, and score detection tools.

    Exit status: 0 every row correct, 1 some row is not, 2 bad usage or scenario, 3 the machine
    lacks something, 4 a run is invalid, 130 interrupted.
    """


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def doctor(as_json: bool) -> None:
    """Say what this machine has and lacks, and how to cure each lack."""
    from filterbed import doctor as diagnosis

    sys.exit(diagnosis.main(json=as_json))


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def list_(as_json: bool) -> None:
    """List the library."""
    from filterbed import catalogue

    catalogue.show_list(as_json)


@cli.command()
@click.argument("scenario")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def show(scenario: str, as_json: bool) -> None:
    """Show a scenario: story, sources, network, hosts, vantages, targets, truth."""
    from filterbed import catalogue

    catalogue.show_one(_load(scenario)[0], as_json)


@cli.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
def check(paths: tuple[str, ...]) -> None:
    """Validate scenarios: files, directories, library names or packs. Needs no privilege."""
    from scenarios.error import ScenarioError
    from scenarios.library import find
    from scenarios.loader import load

    wrong = 0
    files = 0
    for path in paths:
        try:
            directory = Path(path).is_dir()
            found = sorted(Path(path).rglob("*.yaml")) if directory else find(path)
        except ScenarioError as error:
            click.echo(str(error), err=True)
            wrong += 1
            continue
        for file in found:
            files += 1
            try:
                load(file)
            except ScenarioError as error:
                click.echo(str(error), err=True)
                wrong += 1
    click.echo(f"{files} scenario{'s' * (files != 1)} checked, {wrong} wrong" if wrong else
               f"{files} scenario{'s' * (files != 1)} checked, all well")  # fmt: skip
    sys.exit(USAGE if wrong else 0)


@cli.command()
@click.option(
    "--probe", "probes", multiple=True, metavar="NAME", help="A built-in tool; repeatable."
)
@click.option("--name", help="What COMMAND is called in the results.")
@click.option(
    "--out",
    default="runs",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where run directories go.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**63 - 1),
              help="Of every choice a censor leaves to chance.")  # fmt: skip
@click.option("--clock-rate", default=1.0, show_default=True, type=click.FloatRange(0.001, 10_000),
              help="Divides the durations a scenario states.")  # fmt: skip
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 64),
              help="Scenarios run at a time.")  # fmt: skip
@click.option("--timeout", default="120 s", show_default=True, type=_Seconds(), help="Per vantage.")
@click.option("--vantage", "vantages", multiple=True, help="Only this vantage; repeatable.")
@click.option("--target", "targets", multiple=True, help="Only this target; repeatable.")
@click.option("--idle", is_flag=True, help="The placebo: the same scenario, nobody interferes.")
@click.option("--keep", is_flag=True, help="Keep the working files of the run beside its results.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the results as JUnit XML too.")  # fmt: skip
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO... [-- COMMAND...]")
@click.pass_obj
def run(command: list[str] | None, /, scenarios: tuple[str, ...], **options: Any) -> None:
    """Run scenarios and score a tool on them (without COMMAND the built-in webcheck)."""
    from filterbed import runner

    if command == []:
        raise click.UsageError("expected a COMMAND after --")
    _leave(runner.main(list(scenarios), command or [], **options))


def _leave(status: int) -> NoReturn:
    """Exit, after an interrupt at once.

    Where that came within an `exec()`, as dataclasses have while modules are imported, Python
    would end itself by SIGINT whatever status is asked for (3.11, `run_eval_code_obj`).
    """
    if status == INTERRUPTED:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)
    sys.exit(status)


@cli.command("exec")
@click.option("--at", "host", required=True, metavar="HOST", help="Any host that `show` lists.")
@click.option("--active/--idle", "active", default=True, help="Whether the censors act.")
@click.option("--seed", default=0, type=click.IntRange(0, 2**63 - 1))
@click.option("--clock-rate", default=1.0, type=click.FloatRange(0.001, 10_000))
@click.argument("scenario", metavar="SCENARIO -- COMMAND...")
@click.pass_obj
def exec_(command: list[str] | None, /, scenario: str, **options: Any) -> None:
    """Stand a scenario up, run one command on a host, take it down.

    Passes stdin, stdout, stderr and the exit status through; its own failures are 125.
    """
    from filterbed import execute

    if not command:
        raise click.UsageError("expected -- and a COMMAND after SCENARIO")
    _leave(execute.main(scenario, command, **options))


@cli.command()
@click.option("--active/--idle", "active", default=True, help="Whether the censors act at first.")
@click.option("--seed", default=0, type=click.IntRange(0, 2**63 - 1))
@click.option("--clock-rate", default=1.0, type=click.FloatRange(0.001, 10_000))
@click.argument("scenario")
def shell(scenario: str, **options: Any) -> None:
    """Give a prompt on a scenario's hosts, with the censor's events as they happen."""
    from filterbed import execute

    _leave(execute.main(scenario, [], host="", **options))


@cli.command()
@click.argument("recording", type=click.Path(exists=True, path_type=Path))
@click.option("--policy", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def replay(recording: Path, policy: Path | None) -> None:
    """Feed a recording to the engine offline; for a run, prove that it gives the same events."""
    from filterbed import replay as replaying

    sys.exit(replaying.main(recording, policy))


def _load(name: str) -> list[Any]:
    """Load one name; print every error and leave with 2 where it cannot be."""
    from scenarios.error import ScenarioError
    from scenarios.library import find
    from scenarios.loader import load

    try:
        return [load(path) for path in find(name)]
    except ScenarioError as error:
        click.echo(str(error), err=True)
        sys.exit(USAGE)


def main(argv: list[str] | None = None) -> None:
    """Run the command line; the one way in.

    What follows the first `--` is the tool's, whatever it looks like.
    """
    arguments = sys.argv[1:] if argv is None else argv
    command: list[str] | None = None
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, command = arguments[:cut], arguments[cut + 1 :]
    # `exec` passes its command's status through, so its own failures have one of their own.
    own = OWN_FAILURE if arguments[:1] == ["exec"] else None
    try:
        status = cli.main(args=arguments, prog_name="filterbed", obj=command, standalone_mode=False)
        sys.exit(status or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(own or error.exit_code)
    except click.Abort:  # click's word for an interrupt, which it would make status 1
        click.echo("filterbed: interrupted", err=True)
        _leave(INTERRUPTED)
    except BrokenPipeError:  # `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception:  # a fault of ours must not look like status 1, a row that is not correct
        traceback.print_exc()
        click.echo("filterbed: this is a fault of filterbed's own; please report it", err=True)
        sys.exit(own or LACKS)
