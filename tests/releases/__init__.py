"""What of a release an upgrade must leave in place: a record of each, and the comparison with today's."""
