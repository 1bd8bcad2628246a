"""Child processes of a running app, as /proc lists them."""

from pathlib import Path


def children_of(pid: int, module: str) -> list[int]:
    """The process ids of a process's children that run `module`."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            command = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if int(parent) == pid and module in command:
            found.append(int(entry.name))
    return found


def descendants_of(pid: int) -> list[int]:
    """The process ids of all processes below one: its children, theirs, and so on."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [pid]
    for ancestor in found:
        found += [child for child, parent in parents.items() if parent == ancestor]
    return found[1:]


def alive(pid: int) -> bool:
    """Whether a process still runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def with_variable(name: str, value: str) -> list[int]:
    """The process ids of all living processes that were started with a variable, with any parent."""
    entry = f"{name}={value}".encode()
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and alive(pid := int(folder.name)):
            try:
                if entry in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(pid)
            except OSError:
                continue
    return found
