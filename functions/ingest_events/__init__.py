"""POST /v1/events: validate events and append them to the stream."""
