"""A file before it is sent: what Lambda takes goes through, and what it would refuse is refused in
one line.
"""

import pytest

from e2e.event_suite.payload import LIMIT, PayloadRefused, check


@pytest.mark.parametrize(
    "content",
    [b"{}", b"null", b'"\xc3\xa9"', b" [1]\n", b" " * (LIMIT - 1) + b"1", b"[" * 500 + b"]" * 500],
    ids=["object", "null", "UTF-8", "white space", "6 MB", "nested"],
)
def test_what_lambda_takes_is_let_through(content, tmp_path):
    (tmp_path / "event.json").write_bytes(content)

    check(tmp_path / "event.json")


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is no JSON: Expecting value"),
        (b"{", "is no JSON: Expecting property name"),
        (b"{'a': 1}", "is no JSON: Expecting property name"),
        (b"1 2", "is no JSON: Extra data"),
        (b"NaN", "is no JSON: NaN is no value of JSON"),
        (b'{"a": -Infinity}', "is no JSON: -Infinity is no value of JSON"),
        (b"\xff\x00\xfe", "is no JSON: 'utf-8' codec"),
        ("{}".encode("utf-16"), "is no JSON: 'utf-8' codec"),
        (b"\xef\xbb\xbf{}", "is no JSON: Unexpected UTF-8 BOM"),
        (b"[" * 200_000 + b"]" * 200_000, "is nested too deeply"),
        (b" " * LIMIT + b"1", f"is too large: Lambda takes events of at most {LIMIT} bytes"),
    ],
    ids=[
        "empty",
        "cut off",
        "quotes",
        "two",
        "NaN",
        "infinity",
        "binary",
        "UTF-16",
        "BOM",
        "deep",
        "large",
    ],
)
def test_what_lambda_would_refuse_is_refused_in_one_line(content, words, tmp_path):
    event_file = tmp_path / "event.json"
    event_file.write_bytes(content)

    with pytest.raises(PayloadRefused) as refusal:
        check(event_file)

    assert str(refusal.value).startswith(f"{event_file} {words}")
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < len(str(event_file)) + 200


@pytest.mark.parametrize(
    "name, reason", [("absent", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(name, reason, tmp_path):
    with pytest.raises(PayloadRefused, match=f"cannot be read: {reason}$"):
        check(tmp_path / name)
