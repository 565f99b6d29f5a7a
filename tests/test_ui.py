import json
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs import ui
from dvcs.commands._bars import progress
from dvcs.errors import UsageError
from dvcs.progress import track


@given(st.text())
def test_no_control_character_gets_through(text):
    shown = ui.rendered(text, color=True)
    assert all(char.isprintable() or char in "\n\t" or ord(char) >= 0xA0 for char in shown)
    assert "\x1b" not in shown
    assert "\x1b" not in ui.rendered(ui.paint(text, "added"), color=False)


def test_only_our_own_marks_become_colours():
    painted = ui.paint("ok", "added")
    assert ui.rendered(painted, color=True) == "\x1b[32mok\x1b[0m"
    assert ui.rendered(painted, color=False) == "ok"
    forged = "\x02deadbeefadded\x03evil\x1b[31m"
    assert ui.rendered(forged, color=True) == r"\x02deadbeefadded\x03evil\x1b[31m"


def test_text_stays_readable():
    assert ui.rendered("Straße 東京\n\tnext", color=False) == "Straße 東京\n\tnext"
    assert ui.rendered("a\rb\u202ec", color=False) == r"a\x0db\u202ec"
    assert ui.one_line("a\nb\tc") == r"a\nb\tc"


@given(st.recursive(st.text() | st.integers() | st.none(), lambda x: st.lists(x, max_size=3)))
def test_json_says_what_it_was_given(value):
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        ui.emit_json("dvcs.test/1", value)
    assert json.loads(out.getvalue()) == {"dvcs.test/1": value}
    assert all(char == "\n" or ord(char) >= 0x20 for char in out.getvalue())
    assert not any(0x7F <= ord(char) < 0xA0 for char in out.getvalue())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (99_499, "99.5 KB"),
        (123_456, "123 KB"),
        (999_499, "999 KB"),
        (999_500, "1.0 MB"),
        (5_000_000_000_000_000, "5000 TB"),
    ],
)
def test_sizes(value, text):
    assert ui.size(value) == text


def test_numbers_and_nouns():
    assert ui.number(118_287) == "118,287"
    assert ui.plural(1, "item") == "1 item"
    assert ui.plural(0, "item") == "0 items"
    assert ui.plural(2, "box", "boxes") == "2 boxes"
    assert ui.listed("abc") == "a, b, c"
    assert ui.listed("abcdefgh", 3) == "a, b, c and 5 more"
    assert ui.plain(ui.signed(3, 0, 1200)) == "+3 ~1,200"
    assert ui.signed(0, 0, 0) == "="


def test_tables_align_by_what_is_seen():
    rows = [(ui.paint("東京", "name"), "1", "x"), ("ab\ncd", "100", "")]
    assert [ui.plain(line) for line in ui.table(rows, right=(1,))] == [
        "東京      1  x",
        r"ab\ncd  100",
    ]
    assert [ui.plain(one) for one in ui.table([("a", "b")], header=("long", ""))] == [
        "long",
        "a     b",
    ]
    assert ui.table([]) == []
    long = "x" * 5000
    assert ui.table([(long, "1"), ("cat", "2"), ("otter", "3")], right=(1,)) == [
        f"{long}  1",
        "cat    2",
        "otter  3",
    ]


class Terminal:
    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize(
    ("mode", "environment", "expected"),
    [
        ("auto", {"TERM": "xterm"}, True),
        ("auto", {"TERM": "dumb"}, False),
        ("auto", {"TERM": "xterm", "NO_COLOR": "1"}, False),
        ("auto", {"TERM": "dumb", "NO_COLOR": "1", "FORCE_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
        ("always", {"NO_COLOR": "1"}, True),
    ],
)
def test_who_decides_about_colours(monkeypatch, mode, environment, expected):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ui.configure(color=mode)
    try:
        assert ui.colors(Terminal()) is expected
    finally:
        ui.configure()


def test_without_a_terminal_no_question_is_asked(capsys):
    with pytest.raises(UsageError, match="cannot ask here") as caught:
        ui.confirm("Overwrite 3 files?", "--force")
    assert caught.value.hint == "say it with --force"


def test_quick_work_and_work_without_a_terminal_draw_nothing(capsys):
    with progress():
        assert list(track(range(1000), "counting")) == list(range(1000))
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo terminal")
def test_long_work_on_a_terminal_draws_a_bar_that_goes_away():
    import pty
    import subprocess

    code = (
        "import time\n"
        "from dvcs.commands._bars import progress\n"
        "from dvcs.progress import track\n"
        "with progress():\n"
        "    for n in track(range(2000), 'counting\\x1b[2J', 2000):\n"
        "        time.sleep(0.0005)\n"
    )
    main, side = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen([sys.executable, "-c", code], stderr=side, env=environment) as running:
        os.close(side)
        text = b""
        while True:
            try:
                chunk = os.read(main, 65536)
            except OSError:
                break
            if not chunk:
                break
            text += chunk
        assert running.wait() == 0
    os.close(main)
    assert b"counting\\x1b[2J" in text
    assert b"items/s" in text


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo terminal")
def test_long_output_on_a_terminal_goes_through_the_pager(tmp_path):
    import pty
    import subprocess

    code = "from dvcs import ui; ui.page(f'line {n}' for n in range(200))"
    for lines, paged in (("10", True), ("500", False)):
        marker = tmp_path / f"paged{lines}"
        pager = tmp_path / "pager.sh"
        pager.write_text(f"#!/bin/sh\ncat > {marker}\n")
        pager.chmod(0o755)
        main, side = pty.openpty()
        environment = {
            **os.environ,
            "TERM": "xterm",
            "DVCS_PAGER": str(pager),
            "LINES": lines,
            "COLUMNS": "80",
        }
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=side, stdout=side, env=environment
        ) as running:
            os.close(side)
            while True:
                try:
                    if not os.read(main, 65536):
                        break
                except OSError:
                    break
            assert running.wait() == 0
        os.close(main)
        assert marker.exists() is paged
        if paged:
            assert marker.read_text().startswith("line 0\nline 1\n")
            assert marker.read_text().endswith("line 199\n")
