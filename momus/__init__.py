"""The front door of momus."""
