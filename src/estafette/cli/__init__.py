"""The commands. Thin: they read arguments, ask the store or the app, and print.

Takes: words from a shell, the configuration. Gives: text for people, JSON for scripts, an exit code (`ground.py` lists them).
Owns: the shapes of `--json` (architecture section 7). Never: decisions about mail, SQL.
"""


def main() -> None:
    """Entry point of the command `estafette`."""
    from estafette.cli.root import root

    root()
