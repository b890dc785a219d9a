"""The shaping file of a worker: read at the start and again when it changes. A wrong one is refused, told in the log, and what held before goes on."""

from pathlib import Path

from estafette import maillog
from estafette.queue.shaping import Table
from estafette.queue.shaping_file import Loaded, reload, shipped


class ShapingWatch:
    """`look()` now and then; `file` "" = the shipped table alone."""

    def __init__(self, file: str = "") -> None:
        self._file = file
        self._loaded = Loaded(shipped())
        self._stamp: tuple[int, int, int] | None = None
        self.look()

    @property
    def table(self) -> Table:
        """What holds."""
        return self._loaded.table

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the file as it stands now."""
        return self._loaded.problems

    def look(self) -> bool:
        """Read the file if it changed; True when another table holds from now on."""
        if not self._file:
            return False
        try:
            found = Path(self._file).stat()
            stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
            if stamp == self._stamp:
                return False
            text = Path(self._file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            if self._stamp != (0, 0, 0):
                maillog.shaping_refused(self._file, f"cannot be read: {error}")
            self._stamp = (0, 0, 0)
            return False
        before, self._stamp = self._loaded, stamp
        self._loaded = reload(before, text, self._file)
        for problem in self._loaded.problems:
            maillog.shaping_refused(self._file, problem)
        if self._loaded.table is before.table:
            return False
        maillog.shaping_loaded(self._file)
        return True
