"""PUT /v1/items: validate catalogue items and append them to the stream."""
