"""A scripted user who answers the consent question."""

from __future__ import annotations


class Person:
    """A person at the terminal who always gives the same answer."""

    def __init__(self, says: str | None) -> None:
        self.says, self.questions = says, []

    def __call__(self, question: str) -> str | None:
        self.questions.append(question)
        return self.says
