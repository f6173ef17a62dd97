"""Shell text as commands: words without their quotes, variables filled in, here-documents.

Not a shell: nothing is run, `$(...)` stays as it is, and loops are words like others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sparkform.errors import InputError, Problem

BLANKS = " \t\r"
ENDS = "\n;&|()"
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?[-=]([^}]*))?\})")
HEREDOC = re.compile(r"<<-?[ \t]*(['\"]?)(\w+)\1")
REDIRECTION = re.compile(r"\d?>>?(?:&\d)?[ \t]*|&>[ \t]*|<")
CONTINUATION = re.compile(r"\\[ \t\r]*\n")
QUOTED_ESCAPES = '$`"\\'


@dataclass
class Command:
    """`target` is the file that its output goes to, `document` what it reads as its input."""

    words: list[str] = field(default_factory=list)
    target: str | None = None
    document: str | None = None


@dataclass
class ScriptReader:
    """Reads one text from the front. `variables` may grow while commands are taken."""

    text: str
    variables: Mapping[str, str]
    used: set[str]
    position: int = 0

    def list_commands(self) -> Iterator[Command]:
        while self.position < len(self.text):
            command = self._read_command()
            if command.words or command.document is not None:
                yield command

    def _read_command(self) -> Command:
        command, awaits_target = Command(), False
        while self.position < len(self.text):
            redirection = REDIRECTION.match(self.text, self.position)
            heredoc = HEREDOC.match(self.text, self.position)
            if heredoc:
                self.position = heredoc.end()
                command.document = self._cut_document(heredoc[2])
            elif redirection:
                self.position = redirection.end()
                awaits_target = "&" not in redirection[0][1:]
            elif self._skip_blank():
                continue
            elif self.text[self.position] in ENDS:
                self.position += 1
                break
            elif awaits_target:
                command.target, awaits_target = self._read_word(), False
            else:
                command.words.append(self._read_word())
        return command

    def _skip_blank(self) -> bool:
        start = self.position
        continuation = CONTINUATION.match(self.text, start)
        if continuation:
            self.position = continuation.end()
        elif self.text[start] in BLANKS:
            self.position += 1
        elif self.text[start] == "#":
            end = self.text.find("\n", start)
            self.position = len(self.text) if end < 0 else end
        return self.position != start

    def _cut_document(self, mark: str) -> str:
        """The lines up to the mark are taken out of the text behind this one."""
        line_end = self.text.find("\n", self.position)
        end = re.compile(rf"^[ \t]*{mark}[ \t\r]*$", re.MULTILINE).search(self.text, self.position)
        if line_end < 0 or end is None:
            raise refuse_script(f"a here-document without its end {mark}")
        document = self.text[line_end + 1 : end.start()]
        self.text = self.text[: line_end + 1] + self.text[end.end() :]
        return document

    def _read_word(self) -> str:
        parts: list[str] = []
        while self.position < len(self.text):
            character = self.text[self.position]
            if character in BLANKS + ENDS + "<>" or CONTINUATION.match(self.text, self.position):
                break
            parts.append(self._read_part(character))
        return "".join(parts)

    def _read_part(self, character: str) -> str:
        if character == "'":
            return self._read_quoted()
        if character == '"':
            return self._read_double_quoted()
        if character == "$":
            return self._read_dollar()
        if character == "\\":
            self.position += 2
            return self.text[self.position - 1 : self.position]
        self.position += 1
        return character

    def _read_quoted(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise refuse_script("a quote that is not closed")
        text = self.text[self.position + 1 : end]
        self.position = end + 1
        return text

    def _read_double_quoted(self) -> str:
        parts: list[str] = []
        self.position += 1
        while self.position < len(self.text) and self.text[self.position] != '"':
            following = self.text[self.position + 1 : self.position + 2]
            if self.text[self.position] == "$":
                parts.append(self._read_dollar())
            elif self.text[self.position] == "\\" and following in QUOTED_ESCAPES + "\n":
                parts.append("" if following == "\n" else following)
                self.position += 2
            else:
                parts.append(self.text[self.position])
                self.position += 1
        if self.position >= len(self.text):
            raise refuse_script("a quote that is not closed")
        self.position += 1
        return "".join(parts)

    def _read_dollar(self) -> str:
        if self.text.startswith("$(", self.position):
            end = self.text.find(")", self.position)
            start, self.position = self.position, len(self.text) if end < 0 else end + 1
            return self.text[start : self.position]
        match = VARIABLE.match(self.text, self.position)
        if match is None:
            self.position += 1
            return "$"
        self.position = match.end()
        self.used.add(match[1] or match[2])
        return fill_variable(match, self.variables)


def fill_variable(match: re.Match[str], variables: Mapping[str, str]) -> str:
    """Its value, or the default that the text gives; else as it stands."""
    value = variables.get(match[1] or match[2], match[3])
    return match[0] if value is None else value


def fill_variables(text: str, variables: Mapping[str, str]) -> str:
    """
    >>> fill_variables("${A:-1} $B", {"B": "2"})
    '1 2'
    """
    return VARIABLE.sub(lambda match: fill_variable(match, variables), text)


def split_script(
    text: str, variables: Mapping[str, str], used: set[str] | None = None
) -> Iterator[Command]:
    """`used` gets the names of variables in it. Raises InputError for a quote without its end."""
    return ScriptReader(text, variables, set() if used is None else used).list_commands()


def refuse_script(message: str) -> InputError:
    return InputError([Problem(path="recipe", message=f"has {message}")])
