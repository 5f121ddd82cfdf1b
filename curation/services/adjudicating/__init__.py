"""Adjudication: one person decides what several answered differently; the decision is an annotation and decides.

elements.py   what of a task can be decided, who said what of it, and a proposal
finding.py    the tasks on which answers differ, those that differ most first
bounds.py     other ends of a mark that is chosen
deciding.py   a decision kept: as an annotation, and as decided labels that go before every vote
cases.py      decided cases quoted in the guidelines
"""
