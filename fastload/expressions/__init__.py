"""Defaults, generated columns, checks and index expressions from one dialect to another.

What is the same for all dialects is here; what one family means and says is a ``Dialect`` of its
adapter, found by name. sqlglot parses; it does not translate.
"""

from fastload.expressions.dialect import Dialect
from fastload.expressions.translation import Translated, translate
from fastload.expressions.uses import Use

__all__ = ["Dialect", "Translated", "Use", "translate"]
