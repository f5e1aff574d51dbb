"""What can be wrong with a question about cost."""


class CostError(ValueError):
    """A question that has no answer; the message says what to change."""


class NonsenseTrafficError(CostError):
    """A number of users, events or requests that no shop can have."""


class PriceFileError(CostError):
    """Prices that are missing, without a source, or not numbers."""
