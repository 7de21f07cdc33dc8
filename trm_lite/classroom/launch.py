"""What runs inside the kernel's process: sets its limits, then becomes an IPython kernel."""

import contextlib
import ctypes
import os
import random
import sys

CAP_SYS_ADMIN, CAP_SYS_RESOURCE = 21, 24  # of linux/capability.h
PR_CAPBSET_DROP = 24  # of linux/prctl.h
OWN_THREADS = 24  # of a kernel that does nothing; they count as processes


def main() -> None:
    memory_gb, processes = float(sys.argv.pop(1)), int(sys.argv.pop(1))
    # In a namespace of its own the kernel cannot see its parent; the grader ends it.
    os.environ.pop("JPY_PARENT_PID", None)
    from ipykernel.kernelapp import launch_new_instance

    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        most = int(memory_gb * 2**30)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))  # a file that fills the disk
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        _limit_processes(processes)
    launch_new_instance()


def _limit_processes(most: int) -> None:
    """Let the operating system refuse a fork bomb."""
    import resource

    limit = most + OWN_THREADS
    if not _as_nobody_else():
        import psutil

        limit += sum(
            process.info["num_threads"] or 0
            for process in psutil.process_iter(["uids", "num_threads"])
            if process.info["uids"] and process.info["uids"].real == os.getuid()
        )
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))


def _as_nobody_else() -> bool:
    """As root, on Linux: count processes under a user number of our own, and keep to the limit.

    Root is never refused a process. So the kernel takes another *real* user number, which is the
    one that counts, and gives up the two capabilities that lift the limit. The effective number
    stays, or the kernel could not read its own files.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    try:
        os.setresuid(random.randrange(2_000_000, 2_000_000_000), 0, 0)
    except OSError:  # root of a namespace only
        return False
    libc = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: low words, then high
    libc.capget(header, sets)
    for capability in (CAP_SYS_ADMIN, CAP_SYS_RESOURCE):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        for place in range(3):
            sets[place] &= ~(1 << capability)
    return libc.capset(header, sets) == 0


if __name__ == "__main__":
    main()
