"""What calls cost: models, prices, tokens before and after a call, and a budget."""

from .budget import Budget, BudgetExceeded
from .prices import Price, UnknownPrice, price
from .tokens import TokenCount, count_tokens

__all__ = [
    "Budget",
    "BudgetExceeded",
    "Price",
    "TokenCount",
    "UnknownPrice",
    "count_tokens",
    "price",
]
