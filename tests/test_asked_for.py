"""docs/asked-for.md: every ask is there, every command it names can be typed, and every test it names is one."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from verifier.cli.main import cli

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs/asked-for.md"
COMMAND = re.compile(r"`crane-verify ([^`]+)`")
THREAD = re.compile(r"\[[\w-]+#\d+\]\(https://github\.com/[\w-]+/[\w-]+/(?:issues|pull|discussions)/\d+\)")
TEST = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


@dataclass(frozen=True)
class Ask:
    number: int
    asked: str
    where: str
    answer: str
    proof: str


def asks() -> list[Ask]:
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| \d+ \|", line)]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [Ask(int(number), *rest) for number, *rest in cells]


ASKS = asks()
each_ask = pytest.mark.parametrize("ask", ASKS, ids=[str(ask.number) for ask in ASKS])


def test_all_twenty_are_there_in_their_order() -> None:
    assert [ask.number for ask in ASKS] == [*range(1, 21)]
    assert len({ask.asked for ask in ASKS}) == 20


@each_ask
def test_it_says_what_answers_it_or_that_nothing_does(ask: Ask) -> None:
    assert COMMAND.search(ask.answer) or ask.answer.startswith("Rule: ") or ask.answer.startswith("Not yet")


@each_ask
def test_it_links_the_threads_where_it_was_asked(ask: Ask) -> None:
    threads = ask.where.split(", ")
    assert all(THREAD.fullmatch(thread) for thread in threads), threads
    assert all(re.search(r"#(\d+)\]", thread)[1] == re.search(r"/(\d+)\)", thread)[1] for thread in threads)  # type: ignore[index]  # matched above


@each_ask
def test_every_command_it_names_can_be_typed(ask: Ask) -> None:
    for text in COMMAND.findall(ask.answer):
        assert unknown(text.split()) == [], text


def unknown(words: list[str]) -> list[str]:
    """Which of these words are no command and no option of it."""
    context = click.Context(cli)
    command: click.Command = cli
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        if found is None:
            return words
        command, words = found, words[1:]
    if isinstance(command, click.Group):
        return [f"{command.name} is only a group"]
    options = {option for each in command.params for option in each.opts}
    return [word for word in words if word not in options]


@pytest.mark.parametrize("text", ["baseline", "baseline sign", "baseline approve --all", "chek", "check --due STS"])
def test_what_cannot_be_typed_is_noticed(text: str) -> None:
    assert unknown(text.split())


@each_ask
def test_every_test_it_names_is_one(ask: Ask) -> None:
    named = TEST.findall(ask.proof)
    assert named or ask.answer.startswith("Not yet")
    assert ", ".join(f"`{file}::{test}`" for file, test in named) == ask.proof, "nothing else stands there"
    for file, test in named:
        assert test in functions(file), f"{file}::{test}"


def functions(file: str) -> set[str]:
    """The tests of a file that stand at its top."""
    tree = ast.parse((TESTS / file).read_text())
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
