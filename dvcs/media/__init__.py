"""Images as bytes: what a header says, pixels on demand, hashes."""
