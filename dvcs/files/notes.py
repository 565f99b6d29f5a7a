"""Notes of what is odd but harmless, counted by message."""

from collections import Counter


class Notes(Counter[str]):
    """
    How often each message holds, in the order of their first.

    Files are read more than once where a dataset is walked twice: what is noted with an example
    counts once for each of them. The first one stands in the message.
    """

    def __init__(self, notes: Counter[str] | None = None) -> None:
        super().__init__(notes or {})
        self.examples: dict[str, dict[str, None]] = {}
        if isinstance(notes, Notes):
            self.examples = {message: dict(held) for message, held in notes.examples.items()}

    def add(self, message: str, count: int = 1, example: str = "") -> None:
        """Count a message; with an example, as `message: example`, unless that was counted."""
        if example:
            known = self.examples.setdefault(message, {})
            if example in known:
                return
            known[example] = None
            message = f"{message}: {next(iter(known))}"
        self[message] += count

    def copy(self) -> "Notes":
        """Return the notes of this moment."""
        return Notes(self)
