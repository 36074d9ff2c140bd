"""What the Tab key offers: the words of `conclavectl` that may stand next, each with what it is for. Pure."""

from dataclasses import dataclass

import click
from click.shell_completion import ShellComplete, split_arg_string

from conclave_provisioning.shell.confinement import REFUSED_OPTIONS
from conclave_provisioning.shell.request import PROGRAM, without_program

BUILT_IN = {"help": "What a command does: help COMMAND.", "exit": "Leave; so does Ctrl-D."}
"""Words of the shell itself, where a command may stand."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A word that may stand next."""

    word: str
    explanation: str = ""


def candidates(root: click.Command, before: str, begun: str) -> list[Candidate]:
    """Return what may stand in place of `begun`, after the words in `before`."""
    words = without_program(split_arg_string(before))
    is_first = not words
    if words[:1] == ["help"]:
        words = words[1:]
    shell = ShellComplete(root, {}, PROGRAM, "")
    found = [
        Candidate(item.value, item.help or "")
        for item in shell.get_completions(words, begun)
        # The other types are click's words for "ask the shell", which has nothing to say here.
        if item.type == "plain" and item.value.removeprefix("--") not in REFUSED_OPTIONS
    ]
    if is_first:
        found += [Candidate(word, use) for word, use in BUILT_IN.items() if word.startswith(begun)]
    return found
