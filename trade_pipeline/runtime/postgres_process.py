"""Runs one program of PostgreSQL in the foreground, also for root. Standard library only: it is run by its path.

    python -I postgres_process.py DATA PROGRAM [ARGUMENT...]

PostgreSQL refuses to run as root. As root this script becomes another user first, without opening a folder to
anybody: in a user namespace of its own, in which root's files belong to an ordinary user; where the kernel forbids
namespaces, as the user `nobody` with the one capability that lets it reach the data below root's folders.
The program then replaces this process, so that a supervisor's signals reach it.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
import time
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522
_ORPHANS_WAIT_S = 15.0


def main(argv: list[str]) -> None:
    data, program, arguments = Path(argv[0]), argv[1], argv[2:]
    if Path(program).name == "postgres":
        clear_stale_pid_file(data)
    if os.geteuid() == 0:
        become_ordinary(data)
    os.umask(0o077)
    os.execv(program, [program, *arguments])  # noqa: S606  (our own argv, no shell)


def processes_in(data: Path) -> list[int]:
    """Processes whose working folder is the data folder: every process of a server is there, and nobody else's."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.path.samefile(entry / "cwd", data) and int(entry.name) != os.getpid():  # noqa: PTH121
                found.append(int(entry.name))
        except OSError:
            continue  # it ended, or belongs to somebody whose folder we may not see
    return found


def clear_stale_pid_file(data: Path) -> None:
    """After kill -9: wait for the server's orphans to end, then drop a pid file that nobody stands behind.

    PostgreSQL takes the file for valid when another program has been given the old number meanwhile, which a
    restarted container does reliably; it would then never start again.
    """
    pid_file = data / "postmaster.pid"
    if not Path("/proc/self").exists() or not pid_file.exists():
        return
    deadline = time.monotonic() + _ORPHANS_WAIT_S
    while processes_in(data):
        try:
            server = int(pid_file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return
        if server in processes_in(data) or time.monotonic() > deadline:
            return  # a live server: PostgreSQL itself says so, with its number
        time.sleep(0.05)
    pid_file.unlink(missing_ok=True)


def become_ordinary(data: Path) -> None:
    """Leave root for good, in the way that this kernel allows."""
    users = [user for user in pwd.getpwall() if user.pw_uid != 0]
    user = next((user for user in users if user.pw_name == "nobody"), users[0])
    if _namespace_works(data, user):
        _own(data, 0, 0)
        _enter_namespace(user)
    else:
        _own(data, user.pw_uid, user.pw_gid)
        _drop_to(user)


def _namespace_works(data: Path, user: pwd.struct_passwd) -> bool:
    """Try it in a child: a namespace may be forbidden, and inside it another user's folders are out of reach."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _enter_namespace(user)
            os.listdir(data.parent)  # noqa: PTH208  (only whether it can be reached matters)
            code = 0
        except OSError:
            pass
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _enter_namespace(user: pwd.struct_passwd) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user.pw_uid} 0 1")
    Path("/proc/self/gid_map").write_text(f"{user.pw_gid} 0 1")


def _own(data: Path, uid: int, gid: int) -> None:
    """Give the data folder to whom the server runs as; a walk only when the way of running has changed."""
    if not data.exists() or data.stat().st_uid == uid:
        return
    for folder, _, names in os.walk(data):
        os.chown(folder, uid, gid)
        for name in names:
            os.chown(Path(folder) / name, uid, gid, follow_symlinks=False)


def _drop_to(user: pwd.struct_passwd) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    bit = 1 << _CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
