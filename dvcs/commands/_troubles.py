"""What `import` and `convert` tell of files that were odd, and of records that cannot be read."""

from collections.abc import Mapping, Sequence

from dvcs import ui

SHOWN = 10


def tell(notes: Mapping[str, int], errors: Sequence[object]) -> None:
    """Tell, on stderr, what was odd and what was left out."""
    for note, count in notes.items():
        ui.say(f"note: {note}" + (f" ({count:,} times)" if count > 1 else ""))
    if errors:
        were = "was" if len(errors) == 1 else "were"
        ui.warn(f"{ui.plural(len(errors), 'record')} could not be read and {were} left out:")
        for one in errors[:SHOWN]:
            ui.say(f"  {one}")
        if len(errors) > SHOWN:
            ui.say(f"  ... and {len(errors) - SHOWN:,} more")
