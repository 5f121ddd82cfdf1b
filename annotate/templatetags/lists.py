"""Short lists in templates."""

from django import template

register = template.Library()


@register.filter
def split_bar(text: str) -> list[str]:
    """`a|b|c` as a list."""
    return text.split("|")
