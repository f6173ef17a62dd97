"""Shell text as commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkform.errors import InputError
from sparkform.recipes.shell import split_script

VARIABLES = {"MODEL": "a/b", "N": "2"}


def list_words(text: str) -> list[list[str]]:
    return [command.words for command in split_script(text, VARIABLES)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b\nc", [["a", "b"], ["c"]]),
        ("a \\\n  b", [["a", "b"]]),
        ("a \\  \n  b", [["a", "b"]]),
        ("a && b; c | d & e", [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ("a # rest\nb", [["a"], ["b"]]),
        ("a b#c", [["a", "b#c"]]),
        ("a 'b $MODEL c' \"d $MODEL\"", [["a", "b $MODEL c", "d a/b"]]),
        ('a "b \\"c\\" \\$d"', [["a", 'b "c" $d']]),
        ('a \'{"b":1}\' {"c":2}', [["a", '{"b":1}', "{c:2}"]]),
        ("serve $MODEL --tp ${N} ${M:-3} $X", [["serve", "a/b", "--tp", "2", "3", "$X"]]),
        ("a $(cat file) b", [["a", "$(cat file)", "b"]]),
        ("a > log 2>&1\nb", [["a"], ["b"]]),
        ("a --x=' ' ''", [["a", "--x= ", ""]]),
    ],
)
def test_words_are_those_of_a_shell(text: str, words: list[list[str]]) -> None:
    assert list_words(text) == words


def test_a_here_document_belongs_to_its_command_and_the_rest_of_the_line_is_kept() -> None:
    text = "cat > /tmp/x.yml <<'EOF' && serve\na: 1\n  b: 2\nEOF\nafter"
    commands = list(split_script(text, {}))
    assert [command.words for command in commands] == [["cat"], ["serve"], ["after"]]
    assert (commands[0].target, commands[0].document) == ("/tmp/x.yml", "a: 1\n  b: 2\n")


@pytest.mark.parametrize("text", ["a 'b", 'a "b', "cat <<EOF\nb"])
def test_what_does_not_end_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="has a"):
        list_words(text)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        list_words(text)
    except InputError:
        return
