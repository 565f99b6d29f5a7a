"""Settings (`dvcs.toml`, `source.json`): mappings merged by key, at any depth."""

from collections.abc import Mapping
from typing import Any

from dvcs.merge.decisions import UNKNOWN, Judge
from dvcs.merge.values import MISSING, NO_BASE, merge_mappings, shown

DEEPEST = 20


def merge_settings(
    base: Mapping[str, Any] | None,
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    judge: Judge,
    *,
    place: str,
) -> dict[str, Any]:
    """Merge two changes of settings; conflicts are called `place:section.key`."""

    def ask(path: str, b: Any, o: Any, t: Any) -> Any:
        decision = judge.ask(
            f"{place}:{path}",
            "setting",
            path,
            base=shown(b),
            ours=shown(o),
            theirs=shown(t),
            allowed=("ours", "theirs", "value")
            if b is NO_BASE
            else ("ours", "theirs", "base", "value"),
        )
        if decision is UNKNOWN:
            return MISSING
        choice = "ours" if decision is None else decision.choice
        value = None if decision is None else decision.value
        return {"theirs": t, "base": b, "value": value}.get(choice, o)

    return merge_mappings(base, ours, theirs, ask, depth=DEEPEST)


def to_toml(settings: Mapping[str, Any]) -> str:
    """Return settings as TOML: values first, then tables."""
    return "\n".join(_lines(settings, ())).strip("\n") + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"{_key(name)} = {_value(one)}" for name, one in table.items() if not _is_table(one)]
    if path and (lines or not table):
        lines.insert(0, f"[{'.'.join(map(_key, path))}]")
    if lines:
        lines.append("")
    for name, one in table.items():
        if _is_table(one):
            lines += _lines(one, (*path, name))
    return lines


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(name)} = {_value(one)}' for name, one in value.items())}}}"
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return repr(value)


def _text(value: str) -> str:
    import json

    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
