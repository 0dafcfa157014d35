"""Files that are replaced as a whole."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentnet_otel.outputs.whole_files import replace_file


def test_a_file_is_replaced_and_nothing_stays_beside_it(tmp_path):
    """The old content gives way to the new one, shorter or not."""
    path = tmp_path / "state.json"
    replace_file(path, b"the first")
    replace_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


def test_who_may_read_it(tmp_path):
    """As the umask says, or nobody else where that is asked for."""
    before = os.umask(0o022)
    try:
        replace_file(tmp_path / "shared", b"")
        replace_file(tmp_path / "own", b"", mode=0o600)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"shared": 0o644, "own": 0o600}


def test_what_cannot_be_put_in_its_place_is_taken_away_again(tmp_path):
    """A folder stands where the file is to be: it stays, and the part beside it goes."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_file(tmp_path / "taken", b"x")
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]


def test_what_cannot_be_begun(tmp_path):
    """No folder: the error of the system comes out as it is."""
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "none" / "file", b"x")


def test_who_reads_meanwhile_has_the_old_content(tmp_path):
    """A reader that opened the file before reads on in what was there."""
    path = tmp_path / "state.json"
    replace_file(path, b"the first")
    with path.open("rb") as reader:
        replace_file(path, b"second")
        assert reader.read() == b"the first"


def test_a_link_stays_one(tmp_path):
    """The file that it leads to is replaced, in its own folder, also where it was not there yet."""
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "state.json"
    link.symlink_to(tmp_path / "elsewhere" / "real.json")
    for content in (b"first", b"second"):
        replace_file(link, content)
        assert link.is_symlink()
        assert (tmp_path / "elsewhere" / "real.json").read_bytes() == content
    assert [file.name for file in (tmp_path / "elsewhere").iterdir()] == ["real.json"]


def test_a_pipe_stays_one(tmp_path):
    """As do the devices of a machine on which root writes to /dev/null: what is no file is only written to."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit(pipe.read_bytes)
        replace_file(pipe, b"content")
        assert read.result(timeout=30) == b"content"
    assert stat.S_ISFIFO(pipe.stat().st_mode)
