"""What every test gets: an environment of its own, the sample datasets, hypothesis profiles."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = Path(os.environ.get("DVCS_SAMPLES") or ROOT.parent / "shared" / "samples")

# What runs in the background of a shell ignores interrupts, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("dev", deadline=None)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# Variables of these families change what Git, dvcs, pagers or colours do; none reaches a test.
FOREIGN = ("GIT_", "DVCS_", "XDG_", "LC_")
FOREIGN_NAMES = ("LANG", "LANGUAGE", "PAGER", "EDITOR", "VISUAL", "FORCE_COLOR", "CLICOLOR_FORCE")


def needs_samples(*parts: str) -> Path:
    """Return the path of a sample, or skip the test where it is absent."""
    path = SAMPLES.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no sample {'/'.join(parts) or 'data'}: set DVCS_SAMPLES to the folder")
    return path


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of sample datasets; the test is skipped where there is none."""
    return needs_samples()


def isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Make `home` the user's folder and leave nothing of the machine's settings."""
    for name in list(os.environ):
        if (name.startswith(FOREIGN) and name != "DVCS_SAMPLES") or name in FOREIGN_NAMES:
            patch.delenv(name)
    folders = {
        "HOME": home,
        "USERPROFILE": home,
        "APPDATA": home / "AppData" / "Roaming",
        "LOCALAPPDATA": home / "AppData" / "Local",
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_DATA_HOME": home / ".local" / "share",
        "XDG_STATE_HOME": home / ".local" / "state",
        "XDG_RUNTIME_DIR": home / ".run",
    }
    for name, folder in folders.items():
        folder.mkdir(parents=True, exist_ok=True)
        patch.setenv(name, str(folder))
    values = {
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "DVCS_AUTHOR_NAME": "Ada Tester",
        "DVCS_AUTHOR_EMAIL": "ada@example.org",
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "TERM": "dumb",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
    }
    for name, value in values.items():
        patch.setenv(name, value)


@pytest.fixture(scope="session", autouse=True)
def _isolated_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Cover fixtures of a wider scope than one test."""
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, tmp_path_factory.mktemp("session-home"))
        if hasattr(time, "tzset"):
            time.tzset()
        yield
    if hasattr(time, "tzset"):
        time.tzset()


@pytest.fixture(autouse=True)
def home(
    _isolated_session: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The user's folder, empty: what one test configures or trusts, the next one does not see."""
    folder = tmp_path_factory.mktemp("home")
    isolate(monkeypatch, folder)
    return folder
