"""The house rules that can be counted: sizes, docstrings, leftovers, traces of a machine."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

MODULE_LINES = 450
FUNCTION_LINES = 60

MODULES = sorted((ROOT / "dvcs").rglob("*.py"))

# What must not be in any file: other package indexes, folders of one machine, secrets. Brackets
# keep the patterns from finding themselves.
TRACES = {
    "package index": (
        r"--(?:extra-)?index-ur[l]|--find-link[s]|pypi\.or[g]/simple|files\.pythonhoste[d]\.org"
    ),
    "machine path": (
        r"(?<![\w.~])/(?:work/(?:main|share[d])|opt/(?:pyp[i]|whee[l]s)|root/\.pyen[v])"
    ),
    "GitHub token": r"gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22}",
    "cloud key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "API token": r"\bpypi-AgEI[\w-]{20}|\bsk-[A-Za-z0-9]{32}|\bxox[abprs]-[A-Za-z0-9-]{20}",
    "private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE KE[Y]-----",
}


def tracked() -> list[Path]:
    """Return the files of the checkout that Git does not ignore."""
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a Git checkout")
    names = done.stdout.decode().split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file()]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_modules_are_short():
    lengths = {relative(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES} == {}


def test_functions_are_short():
    long = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long[f"{relative(path)}:{node.lineno} {node.name}"] = lines
    assert long == {}


def test_every_module_says_what_it_is_for():
    silent = [
        relative(path)
        for path in MODULES
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


def test_the_package_is_finished_work():
    leftover = re.compile(r"\b(?:TODO|FIXME|XXX|HACK|raise NotImplementedError)\b")
    found = [
        f"{relative(path)}:{number} {line.strip()}"
        for path in MODULES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if leftover.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("kind", TRACES)
def test_no_file_has_a(kind):
    pattern = re.compile(TRACES[kind].encode())
    found = [relative(path) for path in tracked() if pattern.search(path.read_bytes())]
    assert found == []


def test_no_large_file_is_tracked():
    large = {relative(path): size for path in tracked() if (size := path.stat().st_size) > 1 << 20}
    assert large == {}


def test_the_pins_name_no_place():
    for name in ("constraints.txt", "requirements/core.txt"):
        text = (ROOT / name).read_text("utf-8")
        assert not re.search(r"://|^-|^[./~]| @ ", text, re.MULTILINE), name
        assert "--hash=sha256:" in text
        assert not re.search(r"--hash=(?!sha256:[0-9a-f]{64}\b)", text), name


def test_every_core_pin_is_the_same_in_both_files():
    def pins(name: str) -> set[str]:
        text = (ROOT / name).read_text("utf-8")
        return set(re.findall(r"^([\w.-]+==[^\s;]+)", text, re.MULTILINE))

    assert pins("requirements/core.txt") - pins("constraints.txt") == set()
