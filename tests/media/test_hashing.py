import hashlib
import io

import pytest

from dvcs.errors import InvalidMedia
from dvcs.media.hashing import CHUNK, hash_files, sha256_of


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_hash_and_size_at_the_boundaries_of_chunks(tmp_path, size):
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    path = tmp_path / "file"
    path.write_bytes(data)

    expected = (hashlib.sha256(data).hexdigest(), size)

    assert sha256_of(path) == sha256_of(str(path)) == sha256_of(io.BytesIO(data)) == expected


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_many_files_come_in_their_order(tmp_path, threads):
    paths = [tmp_path / str(number) for number in range(300)]
    for number, path in enumerate(paths):
        path.write_bytes(b"%d" % number * 1000)

    found = list(hash_files(iter(paths), threads))

    assert [path for path, _, _ in found] == paths
    assert [sha for _, sha, _ in found] == [sha256_of(path)[0] for path in paths]
    assert [size for _, _, size in found] == [path.stat().st_size for path in paths]


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "good").write_bytes(b"x")
    for bad in (tmp_path / "absent", tmp_path):
        with pytest.raises(InvalidMedia, match=str(bad)):
            sha256_of(bad)
        with pytest.raises(InvalidMedia, match=str(bad)):
            list(hash_files([tmp_path / "good", bad]))


def test_stopping_early_ends_the_threads(tmp_path):
    paths = [tmp_path / str(number) for number in range(1000)]
    for path in paths:
        path.write_bytes(b"x")

    results = hash_files(paths)

    assert next(results)[0] == paths[0]
    results.close()
