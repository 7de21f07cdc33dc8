"""Runs as the kernel's process: sets its limits, and then becomes an IPython kernel."""

import contextlib
import ctypes
import os
import random
import sys

CAP_SYS_ADMIN, CAP_SYS_RESOURCE = 21, 24  # from linux/capability.h
PR_CAPBSET_DROP = 24  # from linux/prctl.h
OWN_THREADS = 24  # threads of an idle kernel, which count as processes


def main() -> None:
    """Set the limits given on the command line (gigabytes, processes), and start the kernel."""
    memory_gb, processes = float(sys.argv.pop(1)), int(sys.argv.pop(1))
    # In its own namespace the kernel cannot see its parent, and would end at once. The grader
    # ends it instead.
    os.environ.pop("JPY_PARENT_PID", None)
    from ipykernel.kernelapp import launch_new_instance

    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        most = int(memory_gb * 2**30)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))  # so that no file fills the disk
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        _limit_processes(processes)
    launch_new_instance()


def _limit_processes(most: int) -> None:
    """Let the operating system stop a fork bomb at `most` processes."""
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
    """On Linux, as root: switch to a user number that nobody else has; returns whether it worked.

    The limit of processes does not hold for root. So the kernel takes another *real* user number,
    by which processes are counted, and drops the two capabilities that lift the limit. It keeps
    the effective number, because otherwise it could not read its own files.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    try:
        os.setresuid(random.randrange(2_000_000, 2_000_000_000), 0, 0)
    except OSError:  # only root within a namespace
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
