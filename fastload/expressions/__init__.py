"""Defaults, generated columns, checks and index expressions from one dialect to another.

The one place of the core that knows dialects: adapters never import each other, and what an
expression means is known only of both sides together. sqlglot parses; it does not translate.
"""

from fastload.expressions.translation import Translated, Use, keep, translate, translate_literal

__all__ = ["Translated", "Use", "keep", "translate", "translate_literal"]
