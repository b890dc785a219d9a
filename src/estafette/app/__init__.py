"""The composition root: builds, starts and stops everything.

Takes: a configuration. Gives: an exit code. Owns: processes, listening sockets, the order of starting and stopping.
Never: decides anything about mail.
"""

from estafette.app.demo import demo
from estafette.app.supervisor import serve

__all__ = ["demo", "serve"]
