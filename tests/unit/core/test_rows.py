"""JSONL as editors on any system leave it: read, or named with the line."""

import pytest

from consciousness_cluster.core.errors import DataError
from consciousness_cluster.core.io import load_json, read_rows, read_written_rows
from consciousness_cluster.core.records import InstructionPrompt

A, B = b'{"prompt": "Why?"}', '{"prompt": "Café?"}'.encode()


@pytest.fixture(params=[read_rows, read_written_rows])
def read(request, tmp_path):
    def read(content):
        (tmp_path / "rows.jsonl").write_bytes(content)
        return [row.prompt for row in request.param(InstructionPrompt, tmp_path / "rows.jsonl")]

    return read


@pytest.mark.parametrize(
    "content",
    [
        A + b"\n" + B,
        b"\xef\xbb\xbf" + A + b"\r\n" + B + b"\r\n",
        A + b"\n" + B + b"\n\n",
        A + b"\n" + B + b"\n  \n\t\r\n",
    ],
)
def test_marks_line_ends_and_blank_lines_at_the_end_do_no_harm(read, content):
    assert read(content) == ["Why?", "Café?"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (A + b"\n\n\n" + B, "line 2: found an empty line, expected a row"),
        (
            A + b"\n" + B.decode().encode("cp1252"),
            r"line 2: not valid UTF-8: found 'é' as cp1252 .* save the file as UTF-8",
        ),
        (B.decode().encode("utf-16"), "line 1: found UTF-16, expected UTF-8"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(read, content, said):
    with pytest.raises(DataError, match=rf"rows\.jsonl: {said}"):
        read(content)


def test_a_file_of_one_object_that_is_empty(tmp_path):
    (tmp_path / "one.json").write_bytes(b"\n")
    with pytest.raises(DataError, match=r"one\.json: line 1: found an empty file"):
        load_json(InstructionPrompt, tmp_path / "one.json")
