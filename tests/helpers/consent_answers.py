"""A scripted user who answers the consent question."""

from __future__ import annotations


class Person:
    """At the terminal, saying the same thing every time."""

    def __init__(self, says: str | None) -> None:
        self.says, self.questions = says, []

    def __call__(self, question: str) -> str | None:
        self.questions.append(question)
        return self.says
