"""`dvcs help`: a command's help, or a topic that concerns all commands."""

import click

from dvcs import ui
from dvcs.commands._base import command as declare
from dvcs.commands._types import NamesType

TOPICS = {
    "revisions": """
        A revision names a commit, as in Git:

            main  v1.0  HEAD  origin/main   a branch, a tag, where you are, a remote's branch
            3f2a91c                         the beginning of a commit's id, 4 digits or more
            main~2  main^  main^2           ancestors: the second before, the first, second parent
            main@{1}                        where main was one move ago
            main:coco                       one source of it
            main:coco/train/000000391895    one item of it
            a..b                            what is in b and not in a
            a...b                           what b did since both were one

        Where a revision is read, a dataset on disk may stand: './path' or '/path', with ':format'
        behind it where it is not clear.
    """,
    "exit-codes": """
        What dvcs leaves with:

            0     done
            1     differences, findings or conflicts
            2     the command line makes no sense
            3     the repository or the data do not allow it
            4     a remote cannot be reached, or refuses
            70    a bug in dvcs
            130   interrupted
            141   nobody reads the output any more
    """,
    "environment": """
        Variables that dvcs reads:

            DVCS_AUTHOR_NAME, DVCS_AUTHOR_EMAIL   who commits
            DVCS_AUTHOR_DATE                      when: seconds since 1970 and a zone
            DVCS_USER_NAME, ...                   a setting: user.name
            DVCS_PAGER, PAGER                     what shows long output; 'cat' for nothing
            NO_COLOR, FORCE_COLOR                 whether to use colours
            DVCS_DEBUG                            show where an error comes from
    """,
    "json": """
        With --json, a command writes one JSON object with one key: the name and version of what is
        in it, like 'dvcs.diff/1'. Keys are only added in a version, never renamed or removed.
        Messages go to stderr and never into it. A command that fails or is refused writes
        'dvcs.error/1' instead. What the most used ones hold:

            dvcs.info/1    items, annotations, subsets {name: items}, labels {name: annotations},
                           annotation_types {type: annotations}, media {count, bytes}, sources
            dvcs.status/1  branch, clean, sources {name: {items {added, removed, changed},
                           annotations {added, removed, changed}}}
            dvcs.diff/1    summary {items {added, removed, changed, moved, renamed},
                           annotations {added, removed, changed, renumbered}},
                           items [{source, subset, id, status, annotations [{status, type, label,
                           fields, similarity, before, after}]}],
                           labels {source: {added, removed, renamed, changed}};
                           with --stat subsets, by_label and relabelled in place of items
            dvcs.log/1     [{commit, parents, author, date, message, operation, arguments}]
            dvcs.blame/1   commit, item, annotations [{commit, author, date, operation, subject,
                           item, annotation}]
            dvcs.import/1  commit, changed, source, format, items, annotations, labels, media, ...
            dvcs.export/1  path, files, media, changed, fidelity
            dvcs.fsck/1    sound, findings [{severity, where, message, items, commits}]
            dvcs.error/1   kind (like policy-violation, hook-refused, usage-error), message, hint,
                           exit_code, findings [{place, reason}] of a policy or a format, count
    """,
    "options": """
        What follows a lone '--' are the own options of a format:

            dvcs import coco -f coco -- --keep-original-category-ids
            dvcs export -f voc -o out -- --help
            dvcs convert -i labels -if yolo -f voc -o out -- --image-size 640x480 --keep-empty
            dvcs info ./labels:yolo -- --image-size 640x480

        'dvcs formats NAME' lists them, '-- --help' those that a command takes. Where it reads and
        writes (convert, merge), or reads two datasets (diff), each option goes to the format that
        knows it, and to all where several do; one that none of them knows is refused. Switches
        take no value: '--reindex' is on, '--no-reindex' off.

        For log and checkout, and for diff without a dataset on disk, what follows is the source or
        item that is wanted.
    """,
}


class TopicType(NamesType):
    """A command or a topic."""

    name = "topic"

    def names(self, ctx: click.Context) -> list[str]:
        """Return all of them."""
        del ctx
        from dvcs.commands import SUMMARIES

        return [*SUMMARIES, *TOPICS]


@declare("help", examples=("dvcs help", "dvcs help import", "dvcs help revisions"))
@click.argument("topic", type=TopicType(), required=False)
@click.pass_context
def command(ctx: click.Context, /, *, topic: str | None) -> None:
    """
    Explain a command or a topic.

    The topics: revisions, exit-codes, environment, json, options.
    """
    from inspect import cleandoc

    from dvcs.commands import ALIASES, SUMMARIES, program
    from dvcs.errors import UnknownName

    parent = ctx.find_root()
    if topic is None:
        ui.out(program.get_help(parent))
    elif topic in TOPICS:
        ui.page(cleandoc(TOPICS[topic]).split("\n"))
    elif (found := program.get_command(parent, topic)) is not None:
        with found.make_context(topic, [], parent=parent, resilient_parsing=True) as inner:
            ui.page(found.get_help(inner).split("\n"))
    else:
        raise UnknownName("command or topic", topic, [*SUMMARIES, *ALIASES, *TOPICS])
