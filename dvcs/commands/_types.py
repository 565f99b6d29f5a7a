"""Kinds of arguments: what a shell completes them with, what they become."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from dvcs.repository import Repository


class FolderType(click.Path):
    """A folder, which may not exist yet."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)


class NamesType(click.ParamType[str]):
    """A name that a shell completes from a list; whether it is known, the library says."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name as it is."""
        del param, ctx
        return str(value)

    def names(self, ctx: click.Context) -> Iterable[str]:
        """Return the names that could stand here."""
        del ctx
        return ()

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin with what was typed; none where anything goes wrong."""
        del param
        from dvcs.errors import DvcsError

        try:
            found = list(self.names(ctx))
        except (DvcsError, OSError):
            return []
        return [CompletionItem(one) for one in found if one.startswith(incomplete)]


class FormatType(NamesType):
    """The name of a format."""

    name = "format"

    def names(self, ctx: click.Context) -> Iterable[str]:
        """Return the formats."""
        del ctx
        from dvcs import formats

        return formats.names()


class RevisionType(NamesType):
    """A revision: a branch, a tag, a commit, a range of them."""

    name = "rev"

    def names(self, ctx: click.Context) -> Iterable[str]:
        """Return branches, tags, and HEAD."""
        from dvcs.repository.refs import HEADS, REMOTES, TAGS

        with _repository(ctx) as repo:
            refs = list(repo.refs.all())
        kinds = (HEADS, TAGS, REMOTES)
        return [*(one.removeprefix(k) for k in kinds for one in refs if one.startswith(k)), "HEAD"]


class TargetType(RevisionType):
    """A revision, or a source of the current one."""

    def names(self, ctx: click.Context) -> Iterable[str]:
        """Return both."""
        return [*super().names(ctx), *SourceType().names(ctx)]


class BranchType(NamesType):
    """A branch."""

    name = "branch"

    def names(self, ctx: click.Context) -> Iterable[str]:
        """Return the branches."""
        with _repository(ctx) as repo:
            return list(repo.branches())


class TagType(NamesType):
    """A tag."""

    name = "tag"

    def names(self, ctx: click.Context) -> Iterable[str]:
        """Return the tags."""
        from dvcs.repository.refs import TAGS

        with _repository(ctx) as repo:
            return [one.removeprefix(TAGS) for one in repo.refs.all(TAGS)]


class SourceType(NamesType):
    """A source of the current revision."""

    name = "source"

    def names(self, ctx: click.Context) -> Iterable[str]:
        """Return the sources."""
        with _repository(ctx) as repo:
            return list(repo.snapshot(repo.refs.head_commit()).sources)


def _repository(ctx: click.Context) -> "Repository":
    from dvcs.repository import Repository

    folder = ctx.params.get("folder") or ctx.find_root().params.get("folder") or Path()
    return Repository(folder)
