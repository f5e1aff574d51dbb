"""`make demo`: a whole shop on the local AWS, from history to changed recommendations, with its books."""
