"""Fuzzes the targets with coverage (atheris: pip install atheris), each for a while; what crashes becomes a corpus file.

    python -m tests.fuzz.run --seconds 60                # every target
    python -m tests.fuzz.run --seconds 600 --only mime
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def fuzz_one(name: str, seconds: int, folder: Path) -> bool:
    """In a process of its own, because libFuzzer ends it; True when nothing crashed."""
    program = (
        "import atheris, sys\nwith atheris.instrument_imports(include=['estafette']):\n    from tests.fuzz.targets import TARGETS\n"
        f"atheris.Setup(sys.argv, TARGETS[{name!r}]); atheris.Fuzz()"
    )
    crash = folder / "crash"
    kept = CORPUS / name
    kept.mkdir(exist_ok=True)
    words = [sys.executable, "-c", program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", f"-exact_artifact_path={crash}", "-max_len=8192",
             str(folder), str(kept)]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True)
    if not crash.exists():
        print(f"{name}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}")
        return done.returncode == 0
    data = crash.read_bytes()
    file = kept / hashlib.sha256(data).hexdigest()[:16]
    file.write_bytes(data)
    print(f"{name}: crashed, kept as {file}\n{done.stdout[-3000:]}{done.stderr[-1500:]}")
    return False


def main() -> int:
    """The command."""
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--only", choices=sorted(TARGETS))
    given = parser.parse_args()
    is_fine = True
    for name in [given.only] if given.only else TARGETS:
        with tempfile.TemporaryDirectory() as folder:
            is_fine &= fuzz_one(name, given.seconds, Path(folder))
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main())
