"""The `keystead` command. Each command is a file; what it needs is imported only when it runs."""

__all__: list[str] = []
