"""The process a handler runs in: logs, metrics, settings, HTTP. The only code that knows Powertools."""
