"""YAML read by schema: texts with their lines, and nothing that could surprise."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvps.errors import InputError
from mvps.yaml_nodes import did_you_mean, read_yaml


def read(tmp_path, text):
    path = tmp_path / "a.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


def fault(tmp_path, text):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(tmp_path / "a.yml"))


def test_scalars_stay_the_text_of_the_file(tmp_path):
    data = read(
        tmp_path, "ver: 3.10\ntime: 2025-1-24 15:54:51\nid: 007\nyes: on\nx: 5e+001\ns: 'a: b'\n"
    ).mapping()

    assert [node.value for node in data.values()] == [
        "3.10",
        "2025-1-24 15:54:51",
        "007",
        "on",
        "5e+001",
        "a: b",
    ]
    assert data["x"].number() == 50.0


def test_a_node_knows_its_line_and_its_dotted_key(tmp_path):
    root = read(tmp_path, "views:\n  top:\n    list: [1, 2]\n    images: {a: 1}\n")
    node = root.mapping()["views"].mapping()["top"].mapping()["images"]

    with pytest.raises(InputError) as caught:
        node.text()

    assert str(caught.value) == (
        f"{tmp_path}/a.yml, line 4: views.top.images: expected text, found a mapping; "
        "quote a value that starts with {"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", ", line 3: the key 'a' repeats that of line 1"),
        ("a: &x [1]\nb: *x\n", ", line 2: aliases (*name) are not read; repeat the text"),
        ("a: !!python/object:os.system 1\n", ", line 1: the tag "),
        ("a: !mine 1\n", ", line 1: the tag '!mine' is not read; remove it"),
        ("a: [1\nb: 2\n", ", line 2: not YAML: "),
        ("a: 1\n--- \nb: 2\n", ", line 2: not YAML: expected a single document"),
        ("? [a]\n: 1\n", ", line 1: a key is not plain text"),
        ("", ": the file is empty"),
        ("\0", ": not YAML: "),
        ("[" * 5000 + "]" * 5000, ", line 1: nested too deeply"),
        ("a: " + "x" * (1 << 20), ": larger than 1 MiB, so not a file of this kind"),
        (b"a: \xff", ": not UTF-8 text"),
    ],
)
def test_what_could_surprise_is_refused_with_its_line(tmp_path, text, message):
    assert fault(tmp_path, text).startswith(message)


def test_an_alias_bomb_is_refused_before_it_grows(tmp_path):
    rows = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    rows += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]

    assert fault(tmp_path, "\n".join(rows)).startswith(", line 2: aliases")


@pytest.mark.parametrize(
    ("text", "call", "message"),
    [
        ("k: x", lambda n: n.integer(0, 9), "k: 'x' is not a whole number"),
        ("k: 1.0", lambda n: n.integer(0, 9), "k: '1.0' is not a whole number"),
        ("k: 12", lambda n: n.integer(0, 9), "k: 12 is outside 0..9"),
        ("k: 0,5", lambda n: n.number(), "k: '0,5' has a decimal comma, write '0.5'"),
        ("k: [1]", lambda n: n.number(), "k: expected text, found a list"),
        ("k:", lambda n: n.text(), "k: expected text, found nothing"),
        ("k: 1", lambda n: n.mapping(), "k: expected a mapping, found text"),
        ("k: 1", lambda n: n.sequence(), "k: expected a list, found text"),
        ("k: rigth", lambda n: n.choice(["left", "right"]), "'rigth'; did you mean 'right'?"),
        ("k: {b: 1}", lambda n: n.mapping(["bb"]), "k.b: unknown key; did you mean 'bb'?"),
        ("k: {b: 1}", lambda n: n.mapping(required=["c"]), "k: the key 'c' is missing"),
    ],
)
def test_a_value_of_the_wrong_kind_names_its_key(tmp_path, text, call, message):
    node = read(tmp_path, text).mapping()["k"]

    with pytest.raises(InputError) as caught:
        call(node)

    assert str(caught.value).startswith(f"{tmp_path}/a.yml, line 1: k")
    assert message in str(caught.value)


def test_a_word_far_from_all_known_ones_gets_the_list():
    assert did_you_mean("zzz", ["left", "right"]) == "known are left, right"


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text("ab:-[]{}&*!|>'\"#%@,? \n\t1.", max_size=60), st.binary(max_size=60)))
def test_junk_is_refused_in_one_line_or_read(data):
    with tempfile.TemporaryDirectory() as folder:
        try:
            read(Path(folder), data)
        except InputError as error:
            assert "\n" not in str(error)
