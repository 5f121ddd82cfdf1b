"""How annotators answer, apart from what they answer: signals for a reviewer's eye, never a verdict on a person.

Each file is one signal: rows in, a figure with its interval and, where there is a null hypothesis, its p-value out.
"""
