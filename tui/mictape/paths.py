"""Where things are kept on this machine.

`MICTAPE_HOME` puts all of it into one folder: a stick to carry, or a test's own place. Otherwise each system's
own folders are used, as platformdirs knows them.
"""

import os
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct, structs
from platformdirs import PlatformDirs

from mictape.failure import ExitCode, Failure, MictapeError

HOME_VARIABLE: Final = "MICTAPE_HOME"
"""The environment variable that names one folder for everything."""

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600
"""What is said near a microphone is private on a shared machine."""


class Places(Struct, frozen=True):
    """The three folders that everything else is in. Nothing is created by asking for a path."""

    data: Path
    """Sessions and their library."""
    config: Path
    """What the user writes; Mictape only reads it."""
    state: Path
    """What Mictape remembers for itself: choices made, the log."""

    @property
    def sessions(self) -> Path:
        """The folder with one folder a session."""
        return self.data / "sessions"

    @property
    def library(self) -> Path:
        """The database of all sessions."""
        return self.data / "library.db"

    @property
    def config_file(self) -> Path:
        """The user's settings."""
        return self.config / "config.toml"

    @property
    def themes(self) -> Path:
        """The user's own themes."""
        return self.config / "themes"

    @property
    def state_file(self) -> Path:
        """The choices made in the app."""
        return self.state / "state.toml"

    @property
    def log(self) -> Path:
        """Where tracebacks and the noise of native libraries go."""
        return self.state / "mictape.log"

    def prepare(self) -> None:
        """Make the folders that Mictape writes to, for their owner alone.

        Raises:
            MictapeError: (`ExitCode.SOUND`) one of them cannot be made or written to.
        """
        for folder in (self.data, self.sessions, self.state):
            make_folder(folder)


def places(environ: Mapping[str, str] = os.environ) -> Places:
    """Where things are kept, by the environment."""
    home = environ.get(HOME_VARIABLE)
    if home:
        folder = typed_path(home)
        return Places(data=folder, config=folder, state=folder)
    system = PlatformDirs("mictape", appauthor=False)
    try:
        return Places(data=system.user_data_path, config=system.user_config_path, state=system.user_state_path)
    except RuntimeError as error:  # no HOME, and no entry for this user either
        what = "This user has no home folder"
        raise MictapeError(Failure(what, f"Name a folder in {HOME_VARIABLE}")) from error


@contextmanager
def writable(where: Places, *, keeps: bool) -> Generator[Places]:
    """Places that can be written to: a temporary folder where these cannot and nothing is to be kept.

    Raises:
        MictapeError: (`ExitCode.SOUND`) these cannot, and something is to be kept.
    """
    with ExitStack() as stack:
        try:
            where.prepare()
        except MictapeError:
            if keeps:
                raise
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mictape-")))
            where = structs.replace(where, data=folder, state=folder)
            where.prepare()
        yield where


def named_path(text: str) -> Path:
    """The path that a person means, `~` and `~user` resolved; the file need not exist.

    Raises:
        MictapeError: (`ExitCode.SOUND`) it cannot be a path, or names a user who is not there.
    """
    if not text or "\0" in text:
        raise MictapeError(Failure(f'This is not a path: "{text}"', "Name another one"))
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise MictapeError(Failure(f"There is no such user: {text}", "Name another path")) from error


def typed_path(text: str) -> Path:
    """The same as an absolute path. Raises MictapeError, also where it is relative to a folder that was deleted."""
    path = named_path(text)
    try:
        return path.absolute()
    except OSError as error:
        what = f"{text} cannot be found: the current folder does not exist any more"
        raise MictapeError(Failure(what, "Name a full path")) from error


def working_folder() -> Path:
    """The current folder; the one for temporary files when it has been deleted meanwhile."""
    try:
        return Path.cwd()
    except OSError:
        return Path(tempfile.gettempdir())


def is_there(path: Path) -> bool:
    """Whether there is something. Raises MictapeError when that cannot be found out."""
    return _looked(path, Path.exists)


def is_folder(path: Path) -> bool:
    """Whether there is a folder. Raises MictapeError when that cannot be found out."""
    return _looked(path, Path.is_dir)


def output_folder(text: str, *, several: bool) -> Path | None:
    """The folder that is meant as an output, made if it is missing; None: a file is meant.

    Args:
        text: As it was typed. What ends with a slash is a folder.
        several: Whether several files are written, which need one.

    Raises:
        MictapeError: (`ExitCode.USAGE`) a file is there instead; (`ExitCode.SOUND`) it cannot be made.
    """
    folder = named_path(text)
    if is_folder(folder):
        return folder
    if not several and not text.endswith(("/", os.sep)):
        return None
    if is_there(folder):
        raise MictapeError(Failure(f"{folder} is not a folder", "Name a folder", ExitCode.USAGE))
    make_folder(folder)
    return folder


def is_file(path: Path) -> bool:
    """Whether there is a regular file. Raises MictapeError when that cannot be found out."""
    return _looked(path, Path.is_file)


def _looked(path: Path, look: Callable[[Path], bool]) -> bool:
    """What `look` finds out. It raises OSError for names that are too long or may not be looked at."""
    try:
        return look(path)
    except OSError as error:
        raise MictapeError(Failure(f"{error.strerror or error}: {path}", "Name another path")) from error


def make_folder(folder: Path) -> None:
    """Make a folder of mode 0700, its parents too, and see that files can be made in it.

    A folder that is already there keeps its mode: its owner may have opened it to others on purpose.

    Raises:
        MictapeError: (`ExitCode.SOUND`) it cannot be made, or nothing can be written there.
    """
    try:
        # mkdir(parents=True) gives the mode to the last folder only, and the parents that are missing are as
        # much ours as the folder itself.
        for missing in (*reversed(folder.parents), folder):
            if not missing.exists():
                missing.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        # Permission bits are not reliable on read-only mounts, network shares and for root: trying does.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise MictapeError(_no_place(folder, error)) from error


def _no_place(folder: Path, error: OSError) -> Failure:
    """The sentence for a folder that cannot be used."""
    why = (error.strerror or type(error).__name__).lower()
    return Failure(
        what=f"Nothing can be kept in {folder}: {why}",
        remedy=f"Make it writable, or name another folder in {HOME_VARIABLE}",
        code=ExitCode.SOUND,
    )
