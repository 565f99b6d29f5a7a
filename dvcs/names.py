"""
Names that may reach a disk or a repository: ids, subsets, sources, labels, and their spelling.

An id is a relative path of NFC UTF-8 with `/` between its parts. In a Git tree, and wherever one
name must be one file, it is percent-quoted, so that every system can hold it:

    street/1       street%2F1
    .hidden        %2Ehidden
    a:b?           a%3Ab%3F
    con            %63on            (Windows keeps `con` for itself)

Quoted names of more than 200 bytes are cut, and `~` and the SHA-1 of the whole id follow.
"""

import re
import unicodedata
from collections.abc import Container
from pathlib import PurePosixPath

from dvcs.errors import UnsafeName

LONGEST = 200
DIGEST = 41  # "~" and 40 hex digits
CUT_NAME = re.compile(r"~[0-9a-f]{40}\Z")
QUOTED = re.compile(r'[%/\\<>:"|?*\x00-\x1f\x7f]')
RESERVED = re.compile(
    r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|git~[0-9]+)(?= *(?:\.|\Z))",
    re.IGNORECASE,
)
ESCAPE = re.compile(r"%([0-9A-F]{2})")
NOT_ON_WINDOWS = re.compile(r'[<>:"|?*\x00-\x1f]|[. ]\Z')
DRIVE = re.compile(r"[A-Za-z]:(?:/|\Z)")
HINT = "rename it; for COCO, '-- --strip-prefix FOLDER/' cuts a leading folder off"


def item_id(text: str) -> str:
    r"""
    Return an id or file name as an id: `/` for `\`, NFC.

    Raises UnsafeName for empty names or parts, `.` and `..`, absolute paths and drives, NUL, and
    text that is not Unicode.
    """
    name = text.replace("\\", "/") if "\\" in text else text
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UnsafeName(f"{text!r} is not valid Unicode", hint=HINT) from None
    problem = _problem(name)
    if problem:
        raise UnsafeName(f"{text!r} {problem}", hint=HINT)
    return name


def _problem(name: str) -> str | None:
    if not name:
        return "is empty"
    if "\0" in name:
        return "has a NUL character"
    if name[0] == "/" or (name[1:2] == ":" and DRIVE.match(name)):
        return "is an absolute path"
    if name[-1] == "/" or "//" in name:
        return "has an empty part"
    if name[0] != "." and "/." not in name:
        return None
    if any(part in {".", ".."} for part in name.split("/")):
        return "has a part '.' or '..'"
    return None


def simple_name(text: str, what: str) -> str:
    """
    Return the name of a source or subset: an id that is also fit to be typed in a selector.

    Raises UnsafeName as `item_id` does, and for one that is too long for a folder, naming `what`
    it is.
    """
    try:
        name = item_id(text)
    except UnsafeName as error:
        raise UnsafeName(f"{what} {error}", hint=f"give the {what} another name") from None
    if is_cut(quote(name)):
        raise UnsafeName(f"{what} '{name[:40]}...' is too long", hint="use a shorter name")
    return name


def quote(name: str) -> str:
    """Return an id as one name for a tree or a disk. Equal ids give equal names, and only they."""
    quoted = QUOTED.sub(_escape, name) if QUOTED.search(name) else name
    if quoted[0] in ". ":
        quoted = f"%{ord(quoted[0]):02X}{quoted[1:]}"
    if quoted[-1] in ". ":
        quoted = f"{quoted[:-1]}%{ord(quoted[-1]):02X}"
    if RESERVED.match(quoted):
        quoted = f"%{ord(quoted[0]):02X}{quoted[1:]}"
    data = quoted.encode()
    if len(data) <= LONGEST and not CUT_NAME.search(quoted):
        return quoted
    import hashlib  # loads OpenSSL: 5 ms, for the few names that are cut

    digest = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    head = data[: LONGEST - DIGEST].decode(errors="ignore")
    return f"{head.rstrip('. ')}~{digest}"


def _escape(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"


def unquote(quoted: str) -> str:
    """Return the id of a quoted name. A cut name (`is_cut`) is not its id: that stands inside."""
    if "%" not in quoted:
        return quoted
    return ESCAPE.sub(lambda match: chr(int(match[1], 16)), quoted)


def is_cut(quoted: str) -> bool:
    """Tell whether a quoted name was too long and lost its end."""
    return len(quoted) > DIGEST and CUT_NAME.search(quoted) is not None


def id_of_file(file_name: str, taken: Container[str] = ()) -> str:
    """
    Return the id of an image by its file name: without the extension, unless that id is taken.

    `street/1.jpg` is `street/1`; where that is taken, by `street/1.png` say, it is `street/1.jpg`,
    and where even that is taken (a file listed twice) a number follows: `street/1.jpg (2)`.
    """
    full = item_id(file_name)
    stem = strip_extension(full)
    if stem not in taken:
        return stem
    name, number = full, 2
    while name in taken:
        name, number = f"{full} ({number})", number + 1
    return name


def strip_extension(path: str) -> str:
    """Return a `/`-path without its last extension; a leading dot is not an extension."""
    dot = path.rfind(".")
    return path[:dot] if dot > path.rfind("/") + 1 else path


def extension(path: str) -> str:
    """Return the last extension of a `/`-path with its dot, or ''."""
    dot = path.rfind(".")
    return path[dot:] if dot > path.rfind("/") + 1 else ""


def label_key(name: str, original_id: int | str | None = None) -> str:
    """
    Return the key of a new label: its name, `#` doubled; `name#id` where the name alone is taken.

    Give `original_id` only in the second case.
    """
    key = name.replace("#", "##")
    return key if original_id is None else f"{key}#{original_id}"


def portable_collisions(names: list[str]) -> list[tuple[str, str]]:
    """Return the pairs of names that a disk which folds case or Unicode forms cannot tell apart."""
    seen: dict[str, str] = {}
    pairs = []
    for name in names:
        folded = unicodedata.normalize("NFKC", name).casefold()
        first = seen.setdefault(folded, name)
        if first != name:
            pairs.append((first, name))
    return pairs


def fits_windows(path: str) -> bool:
    """Tell whether Windows can have a file of this `/`-path: no `a:b`, `con`, `x.`, ..."""
    return not any(NOT_ON_WINDOWS.search(part) or RESERVED.match(part) for part in path.split("/"))


def relative_path(text: str) -> PurePosixPath:
    """Return a path that a file names inside its dataset, checked as `item_id` does."""
    return PurePosixPath(item_id(text))
