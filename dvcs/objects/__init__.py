"""Git objects, items as text, and media: bytes that are named by their content."""
