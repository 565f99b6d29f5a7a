"""Commit messages and the trailers that say how a commit was made."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvcs.errors import DvcsError, UsageError
from dvcs.repository.message import INLINE, parse, with_trailer

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=60)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def normal(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.split("\n")).strip()


@given(TEXT, st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), VALUES, max_size=4))
def test_a_message_is_read_back(text: str, arguments: dict):
    if not normal(text):
        with pytest.raises(UsageError):
            with_trailer(text, "import", arguments)
        return
    message = parse(with_trailer(text, "transform remap_labels", arguments))
    assert message.text == normal(text)
    assert message.operation == "transform remap_labels"
    assert message.arguments == {k: v for k, v in arguments.items() if v is not None}


def test_how_it_looks():
    text = with_trailer("Cats only\n\nNo dogs.  \n\n", "filter", {"b": 1, "a": [0.5], "none": None})
    assert text == (
        'Cats only\n\nNo dogs.\n\nDvcs-Operation: filter\nDvcs-Arguments: {"a":[0.5],"b":1}\n'
    )
    assert parse(text).subject == "Cats only"


def test_trailers_of_the_users_own_stay_in_one_block_with_ours():
    text = with_trailer("Cats\n\nSigned-off-by: Ada <a@b>\nRefs: #4", "edit", {})
    assert text == "Cats\n\nSigned-off-by: Ada <a@b>\nRefs: #4\nDvcs-Operation: edit\n"
    printed = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        input=text.encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert printed == "Signed-off-by: Ada <a@b>\nRefs: #4\nDvcs-Operation: edit\n"
    message = parse(text)
    assert message.text == "Cats\n\nSigned-off-by: Ada <a@b>\nRefs: #4"
    assert message.operation == "edit"


def test_a_subject_that_looks_like_a_trailer_is_none():
    assert with_trailer("fix: boxes", "edit", {}) == "fix: boxes\n\nDvcs-Operation: edit\n"


def test_a_text_cannot_pass_for_our_trailer():
    text = with_trailer('Harmless\n\nDvcs-Operation: evil\nDvcs-Arguments: {"x":1}', "edit", {})
    message = parse(text)
    assert (message.operation, message.arguments) == ("edit", {})
    assert message.text == 'Harmless\n\nDvcs-Operation: evil\nDvcs-Arguments: {"x":1}'


def test_what_a_host_adds_does_not_hide_the_operation():
    message = parse("Cats\n\nDvcs-Operation: edit\nCo-authored-by: Eve <e@x>\n")
    assert message.operation == "edit"
    assert message.text == "Cats\n\nCo-authored-by: Eve <e@x>"


@pytest.mark.parametrize(
    "text",
    ["", "Subject", "Subject\n\nbody: of text", "a\n\nDvcs-Arguments: {}", "x\n\nDvcs-Operation"],
)
def test_other_messages_have_no_operation(text: str):
    assert parse(text) == (text, "", {})


@pytest.mark.parametrize("arguments", ["{", "[1]", "null", "[" * 100_000, '{"a":1'])
def test_damaged_arguments_are_none(arguments: str):
    message = parse(f"Cats\n\nDvcs-Operation: edit\nDvcs-Arguments: {arguments}")
    assert (message.operation, message.arguments) == ("edit", {})


def test_long_arguments_leave_their_hash():
    message = parse(with_trailer("x", "edit", {"list": list(range(INLINE))}))
    assert list(message.arguments) == ["sha256"]
    assert len(message.arguments["sha256"]) == 64


def test_arguments_that_are_no_json_are_refused():
    with pytest.raises(DvcsError):
        with_trailer("x", "edit", {"a": object()})
