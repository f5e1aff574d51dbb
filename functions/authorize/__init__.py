"""Lambda `authorize`: who calls from a browser or an app."""
