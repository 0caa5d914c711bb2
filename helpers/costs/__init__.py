"""What calls cost: models, prices, tokens before and after a call, the meter, and a budget."""

from .budget import Budget, BudgetExceeded
from .prices import PRICE_DAY, Price, UnknownPrice, price
from .tokens import TokenCount, count_text, count_tokens, tokenizer

__all__ = [
    "PRICE_DAY",
    "Budget",
    "BudgetExceeded",
    "Price",
    "TokenCount",
    "UnknownPrice",
    "count_text",
    "count_tokens",
    "price",
    "tokenizer",
]
