"""Subcommands of ``fastload``: each is one verb with the verb's own options."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
from cyclopts import App, Parameter
from cyclopts.validators import Number

from fastload import progress, report
from fastload.errors import ConfigError, VerificationError
from fastload.naming import parsed, spelled, split
from fastload.report import count, describe
from fastload.url import Url
from fastload.wording import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastload.config import Name

_DIFFERENT, _REJECTED, _INCOMPLETE = 3, 4, 5
_SEVERAL = Parameter(negative=(), show_default=False)
_OFF = Parameter(negative=(), show_default=False)
SourceUrl = Annotated[str, Parameter(help="URL of the database to read.")]
TargetUrl = Annotated[str, Parameter(help="URL of the database to write.")]
TableName = Annotated[str, Parameter(help="The table, as schema.table.")]
DebugFlag = Annotated[bool, _OFF, Parameter(help="Show where an error arose.")]
HtmlFile = Annotated[Path, Parameter(help="File for the report.")]


def _version() -> str:
    try:
        return version("fastload")
    except PackageNotFoundError:
        return "not installed as a package"


app = App(
    name="fastload",
    help="Copy whole databases between servers: partitioned, parallel, exact.",
    help_format="plaintext",
    version=_version,
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CopyFlags:
    """Options of ``copy`` and ``plan``.

    Names are written schema.table or schema.table.column, or without the schema that the URL
    names; a part with a dot in "double quotes", as the plan prints it.

    Attributes:
        tables: Table or pattern such as 'public.*'; may be repeated. Default: every user table.
        exclude: Table or pattern to leave out; may be repeated.
        mode: create makes tables, which must be new or empty; append adds; truncate empties
            first; replace drops and makes anew; upsert merges by primary key.
        parallel: Lanes, each with a connection to either side. Default: by CPUs.
        memory: Bound of all buffers together.
        partition_by: auto, physical, keys, or TABLE=COLUMN, which may be repeated.
        route: auto, wire (bytes pass undecoded) or arrow.
        on_unrepresentable: error or null, for values that the target cannot hold; or
            COLUMN=WORD, which may be repeated.
        types: COLUMN=TYPE, a type in the source's spelling; may be repeated.
        where: TABLE=FILTER, in the source's dialect; may be repeated.
        rename: TABLE=NEW or COLUMN=NEW; may be repeated.
        indexes: Make the source's indexes.
        foreign_keys: Make the source's foreign keys.
        statistics: Gather the target's statistics, which its planner needs.
        triggers: What to do when triggers of existing target tables would fire.
        on_update: What becomes of MySQL's ON UPDATE on a target that knows none: list tells it,
            trigger makes triggers.
        run: Name of the run; starting it again continues it. Default: derived.
        fresh: Forget a stored run of this name and begin anew.
        on_error: stop at the first row that the target refuses, or reject such rows into files.
        reject_limit: Rows of the run that may be rejected; one more ends it.
        rejects: Folder that rejected rows go to, as Parquet.
    """

    tables: Annotated[tuple[str, ...], _SEVERAL, Parameter(name=("--tables", "--table"))] = ()
    exclude: Annotated[tuple[str, ...], _SEVERAL] = ()
    mode: Literal["create", "append", "truncate", "replace", "upsert"] = "create"
    parallel: int | None = None
    memory: str = "192MiB"
    partition_by: Annotated[tuple[str, ...], _SEVERAL] = ()
    route: Literal["auto", "wire", "arrow"] = "auto"
    on_unrepresentable: Annotated[tuple[str, ...], _SEVERAL] = ()
    types: Annotated[tuple[str, ...], _SEVERAL, Parameter(name=("--types", "--type"))] = ()
    where: Annotated[tuple[str, ...], _SEVERAL] = ()
    rename: Annotated[tuple[str, ...], _SEVERAL] = ()
    indexes: bool = True
    foreign_keys: bool = True
    statistics: bool = True
    triggers: Literal["stop", "fire"] = "stop"
    on_update: Literal["list", "trigger"] = "list"
    run: str | None = None
    fresh: Annotated[bool, _OFF] = False
    on_error: Literal["stop", "reject"] = "stop"
    reject_limit: int = 1000
    rejects: Path | None = None

    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments of ``fastload.copy``."""
        same = ("mode", "parallel", "memory", "route", "indexes", "foreign_keys", "statistics")
        rest = ("triggers", "on_update", "run", "fresh", "on_error", "reject_limit", "rejects")
        return {
            **{n: getattr(self, n) for n in (*same, *rest)},
            "tables": self.tables or None,
            "exclude": self.exclude,
            "partition_by": _word_or_pairs("partition-by", self.partition_by, "auto"),
            "on_unrepresentable": _policies(self.on_unrepresentable),
            "types": _pairs("types", self.types),
            "where": _pairs("where", self.where),
            "rename": _renames(self.rename),
        }


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OutputFlags:
    """How a command tells what it did.

    Attributes:
        json: Print the result as JSON.
        debug: Show where an error arose, without credentials.
    """

    json: Annotated[bool, _OFF] = False
    debug: Annotated[bool, _OFF] = False


_PLAIN = OutputFlags()
_DEFAULTS = CopyFlags()


@app.command
async def copy(
    source: SourceUrl,
    target: TargetUrl,
    *,
    flags: CopyFlags = _DEFAULTS,
    verify: Annotated[
        bool, _OFF, Parameter(help="Read the target again and compare it with what was copied.")
    ] = False,
    html: HtmlFile | None = None,
    quiet: Annotated[bool, _OFF, Parameter(help="Show no progress.")] = False,
    output: OutputFlags = _PLAIN,
) -> int:
    """Copy tables, indexes, keys and sequences; 4 is returned where rows were rejected."""
    from fastload import api

    keywords = flags.keywords()
    if html and not html.parent.is_dir():
        raise ConfigError(f"the folder {html.parent} does not exist", hint="make it first")
    with _display(quiet) as show:
        phase = _Phase(show)
        try:
            result = await api.copy(source, target, **keywords, verify=verify, progress=phase)
        except VerificationError as error:
            if not output.json:  # the error's own text has it there
                print(error.copied, error.result, sep="\n")
            raise
        except asyncio.CancelledError:
            print(phase.goes_on, file=sys.stderr)
            raise
    if html:
        html.write_text(result.html())
    _tell(result.to_dict() if output.json else result, output)
    return _REJECTED if result.rejected else 0


@app.command
async def plan(
    source: SourceUrl,
    target: TargetUrl,
    *,
    flags: CopyFlags = _DEFAULTS,
    output: OutputFlags = _PLAIN,
) -> None:
    """Show what copy would do: routes, partitions, schema work, losses; changes nothing."""
    import msgspec

    from fastload import api

    made = await api.plan(source, target, **flags.keywords())
    _tell(msgspec.to_builtins(made) if output.json else describe(made), output)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class VerifyFlags:
    """Options of ``verify``; what changes rows or names is given as it was given to ``copy``.

    Attributes:
        tables: Table or pattern such as 'public.*'; may be repeated. Default: every user table.
        exclude: Table or pattern to leave out; may be repeated.
        parallel: Connections to either side.
        memory: Bound of all buffers together.
        on_unrepresentable: As it was given to copy.
        types: As it was given to copy.
        where: TABLE=FILTER of the source, as it was given to copy.
        rename: As it was given to copy.
        limit: Rows of each table to name.
        report: Folder to write the differences to, as Parquet, JSON and statements that mend them.
        live: Both are being written to: rows that differ are read again until they settle.
        lag_s: Seconds that the target may be behind, with --live.
    """

    tables: Annotated[tuple[str, ...], _SEVERAL, Parameter(name=("--tables", "--table"))] = ()
    exclude: Annotated[tuple[str, ...], _SEVERAL] = ()
    parallel: int | None = None
    memory: str = "192MiB"
    on_unrepresentable: Annotated[tuple[str, ...], _SEVERAL] = ()
    types: Annotated[tuple[str, ...], _SEVERAL, Parameter(name=("--types", "--type"))] = ()
    where: Annotated[tuple[str, ...], _SEVERAL] = ()
    rename: Annotated[tuple[str, ...], _SEVERAL] = ()
    limit: int = 1000
    report: Path | None = None
    live: Annotated[bool, _OFF] = False
    lag_s: float = 6.0

    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments of ``fastload.verify``."""
        own = ("exclude", "parallel", "memory", "limit", "report", "live", "lag_s")
        shared = ("tables", "on_unrepresentable", "types", "where", "rename")
        copied = CopyFlags(**{name: getattr(self, name) for name in shared}).keywords()
        return {
            **{name: getattr(self, name) for name in own},
            **{name: copied[name] for name in shared},
        }


_VERIFY_DEFAULTS = VerifyFlags()


@app.command
async def verify(
    source: SourceUrl,
    target: Annotated[str, Parameter(help="URL of the database to compare it with.")],
    *,
    flags: VerifyFlags = _VERIFY_DEFAULTS,
    repair: Annotated[
        bool, _OFF, Parameter(help="Make differing rows of the target the source's.")
    ] = False,
    output: OutputFlags = _PLAIN,
) -> int:
    """Compare every row of two databases; 3 is returned where they differ.

    5 is returned where nothing differs, and some columns could not be compared.
    """
    from fastload import api

    result = await api.verify(source, target, **flags.keywords())
    if repair and not result.equal:
        if not output.json:
            print(result)
        result = await result.repair()
    _tell(result.to_dict() if output.json else result, output)
    if not result.equal:
        return _DIFFERENT
    return 0 if result.complete else _INCOMPLETE


@app.command
async def read(
    source: SourceUrl,
    table: TableName,
    *,
    output: Annotated[
        Path | None,
        Parameter(name=("--output", "-o"), help="File to write: .parquet, .csv or .arrow."),
    ] = None,
    rows: Annotated[
        int, Parameter(help="Rows to show when no file is written.", validator=Number(gte=0))
    ] = 20,
    columns: Annotated[
        tuple[str, ...], _SEVERAL, Parameter(help="Column to read; may be repeated. Default: all.")
    ] = (),
    where: Annotated[str | None, Parameter(help="Filter, in the source's dialect.")] = None,
    types: Annotated[
        tuple[str, ...],
        _SEVERAL,
        Parameter(
            name=("--types", "--type"),
            help="COLUMN=TYPE, a type in the source's spelling; may be repeated.",
        ),
    ] = (),
    on_unrepresentable: Annotated[
        Literal["error", "null"], Parameter(help="For values that Arrow's type cannot hold.")
    ] = "error",
    parallel: Annotated[int | None, Parameter(help="Partitions side by side; 1 keeps order.")] = (
        None
    ),
    debug: DebugFlag = False,
) -> None:
    """Read one table into a file, or show its first rows."""
    from fastload import api, table_files

    save = table_files.saver(output) if output else None
    cast = {key[-1]: type_ for key, type_ in _pairs("types", types).items()}
    async with api.read(
        source,
        table,
        columns=columns or None,
        where=where,
        types=cast,
        on_unrepresentable=on_unrepresentable,
        # The first rows are the source's first: partitions side by side come in any order.
        parallel=parallel or (None if output else 1),
    ) as reading:
        if save is None:
            print(await table_files.preview(reading, rows))
        else:
            print(f"wrote {count(await save(reading), 'row')} to {output}")


@app.command
async def write(
    file: Annotated[Path, Parameter(help="The file: .parquet or .arrow.")],
    target: TargetUrl,
    table: TableName,
    *,
    mode: Literal["create", "append", "truncate", "replace", "upsert"] = "create",
    triggers: Annotated[
        Literal["stop", "fire"], Parameter(help="What to do when the table's triggers would fire.")
    ] = "stop",
    on_error: Annotated[
        Literal["stop", "reject"], Parameter(help="What to do with rows that the target refuses.")
    ] = "stop",
    reject_limit: Annotated[int, Parameter(help="Rows that may be rejected.")] = 1000,
    rejects: Annotated[
        Path | None, Parameter(help="Folder that rejected rows go to, as Parquet.")
    ] = None,
    output: OutputFlags = _PLAIN,
) -> int:
    """Write a Parquet or Arrow file into one table; 4 is returned where rows were rejected."""
    from fastload import api, table_files

    with table_files.opened(file) as stream:
        result = await api.write(
            stream,
            target,
            table,
            mode=mode,
            triggers=triggers,
            on_error=on_error,
            reject_limit=reject_limit,
            rejects=rejects,
        )
    _tell(result.to_dict() if output.json else result, output)
    return _REJECTED if result.rejected else 0


@app.command
async def runs(
    target: TargetUrl,
    *,
    discard: Annotated[
        str | None, Parameter(help="Name of a run to forget; its rows stay where they are.")
    ] = None,
    output: OutputFlags = _PLAIN,
) -> None:
    """List the runs that a target remembers, or forget one."""
    from fastload.registry import open_target

    async with open_target(Url.parse(target), connections=1) as opened:
        state = opened.state()
        stored = list(await state.runs())
        if discard is not None:
            if discard not in [run.plan.run for run in stored]:
                raise ConfigError(
                    f"the target remembers no run {discard!r}",
                    hint=f"it has: {', '.join(r.plan.run for r in stored) or 'none'}",
                )
            await state.discard(discard)
            stored = [run for run in stored if run.plan.run != discard]
    told = [_run_line(run) for run in stored]
    _tell(told if output.json else _runs_text(told), output)


@app.command(usage="Usage: fastload doctor [OPTIONS] [URL...]")
async def doctor(
    *urls: Annotated[str, Parameter(name="URL", help="Databases to examine.")],
    output: OutputFlags = _PLAIN,
) -> int:
    """Check versions, kernels, and what databases allow."""
    from fastload import doctor as examination

    findings = await examination.examine([Url.parse(url) for url in urls])
    plain = [examination.to_dict(f) for f in findings]
    _tell(plain if output.json else examination.as_text(findings), output)
    return 1 if any(f.finding.level == "bad" for f in findings) else 0


@app.command
async def demo(
    *,
    scale: Annotated[float, Parameter(help="TPC-H scale factor; 1 is about 1 GB.")] = 0.1,
    html: HtmlFile = Path("demo-report.html"),
    debug: DebugFlag = False,
) -> int:
    """Copy TPC-H between two private PostgreSQL servers and compare both sides."""
    from fastload.testing import demo as demonstration

    return await demonstration.run(scale, html)


def _pairs(option: str, given: tuple[str, ...]) -> dict[Name, str]:
    """Return values by the parts of their names; an equals sign in quotes is the name's."""
    pairs: dict[Name, str] = {}
    for text in given:
        if "=" not in text:
            raise _no_pair(option, text)
        parts, rest = split(text, "=")
        if not rest:
            raise _no_pair(option, text)
        key = tuple(part.text for part in parts)
        if key in pairs:
            raise ConfigError(f"--{option} names {spelled(*key)} twice", hint="keep one of them")
        pairs[key] = rest[1:]
    return pairs


def _no_pair(option: str, text: str) -> ConfigError:
    return ConfigError(
        f"--{option} {text!r} is not written NAME=VALUE",
        hint="quote it for the shell as one: 'schema.table=value'",
    )


def _renames(given: tuple[str, ...]) -> dict[Name, Name]:
    """Return new names: of a column the text as it is, of a table what it spells."""
    return {
        key: new if len(key) == 3 else parsed(new) for key, new in _pairs("rename", given).items()
    }


def _word_or_pairs(option: str, given: tuple[str, ...], default: str) -> str | dict[Name, str]:
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    return _pairs(option, given) or default


def _policies(given: tuple[str, ...]) -> dict[Name, str]:
    words = [text for text in given if "=" not in text]
    if len(words) > 1:
        raise ConfigError(
            f"--on-unrepresentable is given as {' and as '.join(words)}",
            hint="keep one of them; others are written COLUMN=WORD",
        )
    named = _pairs("on-unrepresentable", tuple(text for text in given if "=" in text))
    return {"": words[0] if words else "error", **named}


class _Phase:
    """Passes progress on, and knows what becomes of a copy that is interrupted."""

    def __init__(self, show: progress.Show | None) -> None:
        self._show = show
        self._now = ""

    def __call__(self, told: report.Progress) -> None:
        self._now = told.phase
        if self._show is not None:
            self._show(told)

    @property
    def goes_on(self) -> str:
        """What to do next, in words."""
        if self._now == "verifying":
            return "the copy is complete, and was not compared: fastload verify does that"
        return "the same command goes on with the run"


@contextmanager
def _display(quiet: bool) -> Iterator[progress.Show | None]:
    with nullcontext() if quiet else progress.display(sys.stderr) as show:
        yield show


def _tell(told: Any, output: OutputFlags) -> None:
    print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() if output.json else told)


def _run_line(run: Any) -> dict[str, Any]:
    stored = run.plan
    return {
        "run": stored.run,
        "begun": stored.begun_at,
        "mode": stored.mode,
        "source": stored.source,
        "tables": len(stored.tables),
        "partitions": sum(len(t.partitions) for t in stored.tables),
        "partitions_done": len(run.receipts),
        "rows": sum(r.rows or 0 for r in run.receipts),
        "steps": len(stored.after),
        "steps_done": len(run.steps),
    }


def _runs_text(told: list[dict[str, Any]]) -> str:
    lines = [
        f"{r['run']}{', begun ' if r['begun'] else ''}{r['begun']}: "
        f"{r['mode']} of {count(r['tables'], 'table')} from {r['source']}; "
        f"{r['partitions_done']}/{r['partitions']} partitions, {count(r['rows'], 'row')}, "
        f"{r['steps_done']}/{r['steps']} steps"
        for r in told
    ]
    return "\n".join(map(visible, lines)) or "no runs"
