"""Shut a process in, on Linux, before it runs a student's code.

The process already has its own namespaces (`kernel.isolation`), so it has no network and sees no
other process. Here it gets a root folder of its own, in which Python and the course are read-only
and nothing else is there, limits, and a filter of system calls. Where the system lacks a part,
the others still hold, and the grader is told.
"""

import contextlib
import ctypes
import os
import platform
import random
import shutil
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

HOME = "/home/student"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives", "/etc/ld.so.cache",
          "/etc/fonts", "/etc/localtime", "/nix/store")  # fmt: skip
DEVICES = ("null", "zero", "full", "random", "urandom")
OWN_THREADS = 24  # threads of an idle kernel, which count as processes
# From linux/mount.h, linux/fcntl.h, linux/prctl.h and linux/capability.h.
NOSUID, NODEV, BIND, RECURSIVE, DETACH = 2, 4, 4096, 16384, 2
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, READ_ONLY, NO_SETUID, NO_DEVICES = 442, -100, 0x8000, 1, 2, 4
DROP_FROM_BOUND, NO_NEW_PRIVILEGES, SECCOMP, FILTER, LAST_CAPABILITY = 24, 38, 22, 2, 63
# System calls that a solution never needs: memory that no quota counts, other processes' memory,
# namespaces and mounts, keys, and large parts of the kernel. Numbers for x86-64 and for ARM.
FORBIDDEN = {
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
    "msgget": (68, 186), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "unshare": (272, 97), "setns": (308, 268),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432),
    "mount_setattr": (442, 442), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
}  # fmt: skip
CLONE, CLONE3, NEW_USER_NAMESPACE = (56, 220), 435, 0x10000000
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def enter(
    folder: str,
    visible: Sequence[str],
    cache: str,
    *,
    namespaces: bool,
    memory_gb: float,
    disk_gb: float,
    processes: int,
) -> list[str]:
    """Shut this process in; returns what holds: "files", "calls".

    Args:
        folder: an empty folder, on which the new root is mounted.
        visible: folders that the process may read.
        cache: folder of generated puzzles, which the process may read; "" for none.
        namespaces: whether the process has namespaces of its own.
        memory_gb: most memory of the process.
        disk_gb: most room in all files together, those in memory included.
        processes: most processes at a time.
    """
    holds = []
    if namespaces:
        with contextlib.suppress(OSError, AttributeError):
            _own_root(folder, visible, cache, int(disk_gb * 2**30))
            holds.append("files")
            os.environ |= {"HOME": HOME, "TMPDIR": "/tmp", "TRM_LITE_CACHE": f"{HOME}/cache"}
    _limits(memory_gb, processes)
    if sys.platform == "linux":
        _give_up_power()
        if _filter_calls():
            holds.append("calls")
    return holds


def _own_root(folder: str, visible: Sequence[str], cache: str, quota: int) -> None:
    """Make a small file system the root; what is visible is in it read-only."""
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"size={quota},nr_inodes=100000,mode=755"
    _mount(libc, "tmpfs", folder, "tmpfs", NOSUID | NODEV, options)
    try:
        for path in _outermost([*SYSTEM, *visible]):
            _show(libc, path, folder + path)
        for name in DEVICES:
            _show(libc, f"/dev/{name}", f"{folder}/dev/{name}", devices=True)
        for place in ("/tmp", "/dev/shm", HOME):
            os.makedirs(folder + place, exist_ok=True)
            os.chmod(folder + place, 0o1777)
        if cache:
            _show_cache(libc, cache, folder)
        os.makedirs(f"{folder}/proc")
        with contextlib.suppress(OSError):
            _mount(libc, "proc", f"{folder}/proc", "proc", NOSUID | NODEV, None)
            _read_only(libc, f"{folder}/proc", NO_SETUID | NO_DEVICES)
        os.mkdir(f"{folder}/old")
        _call(libc.pivot_root, folder.encode(), f"{folder}/old".encode())
    except BaseException:
        libc.umount2(folder.encode(), DETACH)
        raise
    os.chdir(HOME)
    _call(libc.umount2, b"/old", DETACH)
    os.rmdir("/old")


def _outermost(paths: Sequence[str]) -> list[str]:
    """The paths that exist, under their own and their real names, none within another."""
    names = {name for path in paths if os.path.lexists(path)
             for name in (path, os.path.realpath(path))}  # fmt: skip
    return [name for name in sorted(names)
            if not any(str(parent) in names and not parent.is_symlink()
                       for parent in Path(name).parents)]  # fmt: skip


def _show(libc, path: str, target: str, devices: bool = False) -> None:
    """Let `path` be seen, read-only, at `target`."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path) and not os.path.lexists(target) and path in SYSTEM:
        os.symlink(os.readlink(path), target)  # /bin is usr/bin
        return
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        Path(target).touch()
    _mount(libc, os.path.realpath(path), target, None, BIND | RECURSIVE, None)
    _read_only(libc, target, NO_SETUID | (0 if devices else NO_DEVICES))


def _show_cache(libc, cache: str, folder: str) -> None:
    """Put all cached files into a cache folder that can be written to.

    File by file, because the folder itself may be open to its owner only.
    """
    os.mkdir(folder + HOME + "/cache")
    os.chmod(folder + HOME + "/cache", 0o777)
    for entry in os.scandir(cache):
        if entry.is_file():
            _show(libc, entry.path, f"{folder}{HOME}/cache/{entry.name}")


def _mount(libc, source: str, target: str, kind: str | None, flags: int, options) -> None:
    named = [text and text.encode() for text in (source, target, kind)]
    _call(libc.mount, *named, ctypes.c_ulong(flags), options and options.encode())


def _read_only(libc, target: str, flags: int) -> None:
    wanted = struct.pack("QQQQ", READ_ONLY | flags, 0, 0, 0)
    name = target.encode()
    _call(libc.syscall, MOUNT_SETATTR, AT_FDCWD, name, AT_RECURSIVE, wanted, len(wanted))


def _call(function, *arguments) -> None:
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _limits(memory_gb: float, processes: int) -> None:
    """Limits of the operating system: memory, size of a file, open files, processes."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        most = int(memory_gb * 2**30)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        limit = processes + OWN_THREADS
        resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))


def _give_up_power() -> None:
    """Give up all capabilities for good; root also takes a user number that nobody else has.

    By the real number processes are counted. The effective one changes only if the files that
    Python needs can then still be read.
    """
    libc = ctypes.CDLL(None)
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(DROP_FROM_BOUND, capability, 0, 0, 0)
    if os.geteuid() == 0:
        number = random.randrange(2_000_000, 2_000_000_000)
        with contextlib.suppress(OSError):  # only root within a namespace
            os.setresuid(number, 0, 0)
            if _readable_as(number):
                os.setgroups([])
                os.setresgid(number, number, number)
                os.setresuid(number, number, number)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    libc.capset(header, (ctypes.c_uint32 * 6)())
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def _readable_as(number: int) -> bool:
    """Whether the user `number` can read this package and Python's library."""
    try:
        os.seteuid(number)
        for file in (__file__, contextlib.__file__, shutil.__file__):
            open(file, "rb").close()
        for folder in filter(os.path.isdir, sys.path):
            os.listdir(folder)
    except OSError:
        return False
    finally:
        os.seteuid(0)
    return True


def _filter_calls() -> bool:
    """Have the operating system refuse the system calls in `FORBIDDEN`; whether it can."""
    if platform.machine() not in MACHINES:
        return False
    column, machine = MACHINES[platform.machine()]
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    refuse, missing, allow = 0x50000 | 1, 0x50000 | 38, 0x7FFF0000  # EPERM, ENOSYS
    program = [(load, 0, 0, 4), (equal, 1, 0, machine), (give, 0, 0, refuse), (load, 0, 0, 0)]
    program += [(at_least, 0, 1, 0x40000000), (give, 0, 0, refuse)]  # x86-64's second set
    for numbers in FORBIDDEN.values():
        program += [(equal, 0, 1, numbers[column]), (give, 0, 0, refuse)]
    program += [(equal, 0, 1, CLONE3), (give, 0, 0, missing)]  # then clone is used
    program += [(equal, 0, 3, CLONE[column]), (load, 0, 0, 16)]
    program += [(any_bit, 0, 1, NEW_USER_NAMESPACE), (give, 0, 0, refuse), (give, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    whole = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    return ctypes.CDLL(None).prctl(SECCOMP, FILTER, whole, 0, 0) == 0
