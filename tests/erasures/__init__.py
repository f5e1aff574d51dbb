"""A platform that knows people, on moto, and a search for all that rests of one of them."""
