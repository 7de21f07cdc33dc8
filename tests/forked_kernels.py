"""Kernels that need not import torch again: each is forked from a process that has done so.

Two dozen notebooks import the same libraries, for three seconds each. What a notebook does not
import itself it does not see, here as anywhere. For `pytest -p forked_kernels`.
"""

import multiprocessing
import os
import sys
from importlib.metadata import EntryPoint

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

GROUP = "jupyter_client.kernel_provisioners"
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.preloaded"])  # found from the root of the project


def pytest_configure():
    if sys.platform != "linux":  # elsewhere a library may not survive a fork
        return
    # matplotlib asks for it when it is imported, and a kernel sets it only later.
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    factory = KernelProvisionerFactory.instance()
    factory.provisioners["forked"] = EntryPoint("forked", f"{__name__}:Forked", GROUP)
    factory.default_provisioner_name = "forked"


class Forked(LocalProvisioner):
    """Starts a kernel by a fork, where others start `python -m ipykernel_launcher`."""

    async def launch_kernel(self, cmd, *, env, cwd=None, **_):
        self.process = Process(cmd[cmd.index("-f") + 1], cwd or os.getcwd(), env)
        self.pid = self.process.pid
        return self.connection_info


class Process:
    """A forked kernel, with the methods of a `subprocess.Popen` that jupyter_client asks for."""

    stdin = stdout = stderr = None

    def __init__(self, *arguments):
        self._process = FORKS.Process(target=run_kernel, args=arguments)
        self._process.start()
        self.pid = self._process.pid
        self.kill, self.terminate = self._process.kill, self._process.terminate

    def poll(self):
        return self._process.exitcode

    def wait(self):
        self._process.join()
        return self.poll()

    def send_signal(self, signum):
        os.kill(self.pid, signum)


def run_kernel(connection_file, folder, environment):
    """What the forked process does."""
    from ipykernel.kernelapp import launch_new_instance

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    here = os.path.dirname(__file__)  # a notebook does not see the tests
    sys.path[:] = [place for place in sys.path if place and os.path.realpath(place) != here]
    sys.argv = ["ipykernel", "-f", connection_file, f"--IPKernelApp.parent_handle={os.getppid()}"]
    launch_new_instance()
