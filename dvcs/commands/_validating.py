"""What `validate` looks at, with which options, and what it tells."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec

from dvcs import ui
from dvcs.commands._takers import Taker, share
from dvcs.errors import UnknownName, UsageError
from dvcs.validate import RULES, SEVERITIES, Options, Report, Severity, Task, validate

if TYPE_CHECKING:
    from dvcs.commands._selectors import OnDisk
    from dvcs.model import Dataset
    from dvcs.repository.policies.text import Policy

SHOWN = 3
VIOLATIONS = 20
"""As many as a commit that is refused tells."""
ROLES: Mapping[str, str] = {"error": "error", "warning": "warning", "info": "dim"}
THRESHOLDS: Mapping[str, tuple[str, str, click.ParamType[Any]]] = {
    # field: its letters, its name in Datumaro, its values
    "few_samples": ("-fs", "few-samples-thr", click.IntRange(0)),
    "imbalance": ("-ir", "imbalance-ratio-thr", click.FloatRange(1)),
    "far": ("-m", "far-from-mean-thr", click.FloatRange(0)),
    "dominance": ("-dr", "dominance-ratio-thr", click.FloatRange(0, 1)),
    "bins": ("-k", "topk-bins", click.FloatRange(0, 1)),
}


class Wishes(NamedTuple):
    """What the command line says; what it does not say, a policy may."""

    task: Task | None = None
    subset: str | None = None
    fail_on: Severity | None = None
    arguments: Sequence[str] = ()
    """What stands after a lone `--`: thresholds, and own options of the format of a dataset."""

    def options(
        self, policy: "Policy | None", thresholds: Mapping[str, Any]
    ) -> tuple[Options, Severity]:
        """Return what to look for, and how grave a finding must be for the exit code."""
        known = policy.validation if policy is not None else None
        options = msgspec.structs.replace(known or Options(), **thresholds)
        if self.task is not None:
            options = msgspec.structs.replace(options, task=self.task)
        fail_on = self.fail_on or (policy.fail_on if policy is not None and known else "error")
        return options, fail_on


class Checked(NamedTuple):
    """One dataset that was looked at: its name, what was found, and whether that is too much."""

    name: str
    items: int
    task: Task | None
    fail_on: Severity
    report: Report

    @property
    def failed(self) -> bool:
        """Whether something is as grave as `fail_on`."""
        return self.report.fails(self.fail_on)


def _taker() -> Taker:
    """Return who takes thresholds."""
    params = []
    for field, (short, long, kind) in THRESHOLDS.items():
        spelt = [f"--{long}", short, f"--{long.replace('-', '_')}", field]
        params.append(click.Option(spelt, type=kind))
    return Taker("validating", params)


def is_threshold(flag: str) -> bool:
    """Tell whether a threshold is written so."""
    return any(flag in one.opts for one in _taker().params)


# -- looking -------------------------------------------------------------------------------------


def checked(what: str, wishes: Wishes) -> list[Checked]:
    """Return what is found in a revision, source by source, or in a dataset on disk."""
    from dvcs.commands._selectors import on_disk

    at = on_disk(what)
    return _revision(what, wishes) if at is None else [place(at, wishes)]


def _revision(what: str, wishes: Wishes) -> list[Checked]:
    from dvcs.commands._selectors import parse, repository_for
    from dvcs.repository.policies.policy import policy_of

    with repository_for(what) as repo:
        oid, source = parse(repo, what)
        snapshot = repo.snapshot(oid)
        policy = policy_of(repo, oid)
        names = [source] if source else list(snapshot.sources)
        known = {subset for name in names for subset in snapshot.sources[name].subsets}
        _refuse_unknown(wishes.subset, known)
        (thresholds,) = share([_taker()], wishes.arguments)
        options, fail_on = wishes.options(policy, thresholds)
        return [
            _found(name, snapshot.dataset(name, repo.media_access), wishes.subset, options, fail_on)
            for name in names
        ]


def audit(what: str, *, everything: bool, as_json: bool) -> int:
    """Tell what a revision's own policy has against it; return the exit code."""
    from dvcs.commands._selectors import on_disk, parse, repository_for
    from dvcs.repository.policies import policy

    if on_disk(what) is not None:
        raise UsageError("a policy is that of a revision", hint="name one, or leave out --policy")
    with repository_for(what) as repo:
        found, count = policy.audit(repo, parse(repo, what).oid)
    if as_json:
        listed = [{"place": place, "reason": reason} for place, reason in found]
        ui.emit_json("dvcs.policy/1", {"count": count, "violations": listed})
        return int(count > 0)
    shown = found if everything else found[:VIOLATIONS]
    ui.page(ui.one_line(f"{place}: {reason}") for place, reason in shown)
    if count > len(shown):
        ui.out(f"... and {count - len(shown):,} more")
        if len(shown) < len(found):
            ui.hint(f"'--all' lists the first {len(found):,}")
    ui.out(f"{ui.plural(count, 'violation')} of 'dvcs.toml'" if count else "'dvcs.toml' is kept")
    return int(count > 0)


def place(at: "OnDisk", wishes: Wishes) -> Checked:
    """Return what is found in a dataset on disk; a `dvcs.toml` beside or above it is heard."""
    from dvcs.commands._selectors import read_all, unread

    with ExitStack() as stack:
        (dataset,), (thresholds,) = read_all([unread(stack, at)], wishes.arguments, _taker())
        if wishes.subset is not None:
            _refuse_unknown(wishes.subset, set(dataset.subsets))
        options, fail_on = wishes.options(_policy_near(at.path), thresholds)
        return _found(str(at.path), dataset, wishes.subset, options, fail_on)


def _policy_near(path: Path) -> "Policy | None":
    """Return what the nearest `dvcs.toml` says, up to the root of a repository, dvcs's or Git's."""
    from dvcs.repository.policies.policy_file import NAME
    from dvcs.repository.policies.text import parse

    here = path.resolve()
    for folder in (here, *here.parents):
        file = folder / NAME
        if file.is_file() and not file.is_symlink():
            return parse(file.read_bytes(), ui.one_line(str(file)))
        if (folder / ".git").exists() or (folder / ".dvcs").is_dir():
            break
    return None


def _refuse_unknown(subset: str | None, known: Iterable[str]) -> None:
    if subset is not None and subset not in (names := set(known)):
        raise UnknownName("subset", subset, names)


def _found(
    name: str, dataset: "Dataset", subset: str | None, options: Options, fail_on: Severity
) -> Checked:
    if subset is not None:
        dataset = dataset.select(lambda item: item.subset == subset)
    report = validate(dataset, options)
    return Checked(name, report.statistics["item_count"], options.task, fail_on, report)


# -- telling -------------------------------------------------------------------------------------


def report(found: Sequence[Checked]) -> dict[str, Any]:
    """Return everything for `--json`: of one dataset as Datumaro has it, of several by name."""
    whole = Report(findings=tuple(each for one in found for each in one.report.findings)).plain()
    statistics: Any = {one.name: one.report.statistics for one in found}
    if len(found) == 1:
        statistics = found[0].report.statistics
    return {
        "datasets": [
            {"name": one.name, "items": one.items, "task": one.task, "failed": one.failed}
            for one in found
        ],
        **whole,
        "statistics": statistics,
    }


def write(path: Path, found: Sequence[Checked]) -> None:
    """Write the report as a file; on an error what was there before is untouched."""
    from dvcs.objects._durable import write_atomic

    text = json.dumps({"dvcs.validate/1": report(found)}, indent=2, ensure_ascii=False)
    try:
        write_atomic(path, text.encode(errors="replace") + b"\n")
    except OSError as error:
        raise UsageError(f"'{path}' cannot be written: {error.strerror}") from None


def lines(found: Sequence[Checked], *, everything: bool) -> Iterator[str]:
    """Yield the findings by rule, the gravest first, and their counts."""
    for one in found:
        if len(found) > 1:
            yield ui.paint(one.name, "title")
        yield from _lines(one.report, everything=everything)
        if counted := ", ".join(_counts(one.report)):
            yield f"{counted} in {ui.plural(one.items, 'item')}"
        else:
            yield f"nothing found in {ui.plural(one.items, 'item')}"
    if not everything and any(
        count > SHOWN for one in found for count in one.report.by_rule().values()
    ):
        ui.hint("'--all' lists every finding, '--rules' explains the rules")


def _counts(report: Report) -> Iterator[str]:
    for severity in SEVERITIES:
        if count := report.count(severity):
            yield ui.paint(ui.plural(count, severity), ROLES[severity])


def _lines(report: Report, *, everything: bool) -> Iterator[str]:
    for severity in SEVERITIES:
        for rule in RULES:
            held = [
                each
                for each in report.findings
                if each.anomaly_type == rule and each.severity == severity
            ]
            if not held:
                continue
            yield f"{ui.paint(severity, ROLES[severity])} {rule}: {len(held):,}"
            shown = held if everything else held[:SHOWN]
            for each in shown:
                where = f"{each.where}: " if each.where else ""
                yield f"    {ui.one_line(f'{where}{each.description}')}"
            if len(shown) < len(held):
                yield f"    ... and {len(held) - len(shown):,} more"


def grave_lines(one: Checked) -> Iterator[str]:
    """Yield what makes a dataset fail, a line each."""
    for each in one.report.findings:
        if Report(findings=(each,)).fails(one.fail_on):
            where = f"{each.where}: " if each.where else ""
            said = ui.one_line(f"{where}{each.description}")
            yield f"{one.name}: {ui.paint(each.severity, ROLES[each.severity])}: {said}"


def list_rules(*, as_json: bool) -> None:
    """Tell of all rules."""
    if as_json:
        rules = {
            name: {
                "severity": rule.severity,
                "tasks": list(rule.tasks),
                "about": rule.summary,
                "commits": rule.scope == "item",
            }
            for name, rule in RULES.items()
        }
        ui.emit_json("dvcs.rules/1", rules)
        return
    rows = [
        (
            ui.paint(name, "name"),
            ui.paint(rule.severity, ROLES[rule.severity]),
            rule.summary + (f" ({', '.join(rule.tasks)})" if rule.tasks else ""),
        )
        for name, rule in RULES.items()
    ]
    ui.page(ui.table(rows))
