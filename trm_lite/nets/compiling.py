"""Run a network under torch.compile."""

from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter

import torch

from trm_lite.common.device import compiled
from trm_lite.nets.build import Network
from trm_lite.nets.layers import Linear


def compile_hot(network: Network, graphs: bool = False) -> None:
    """Compile, in place, the method of a network that does nearly all the work.

    Args:
        network: names the method in its attribute `hot`, or that of a part: "net.apply_blocks".
        graphs: replay it as a CUDA graph, for networks so small that the CPU is too slow.
    """
    *owners, name = network.hot.split(".")
    owner = attrgetter(*owners)(network) if owners else network
    run = compiled(getattr(owner, name), graphs)

    def call(*arguments):
        with weights_cast_once(network):
            return run(*arguments)

    setattr(owner, name, call)


@contextmanager
def weights_cast_once(network: Network) -> Iterator[None]:
    """Where there is no gradient, cast the weights to autocast's format once, ahead of their use.

    A compiled program without gradient would otherwise cast every weight anew at each application.
    With a gradient torch merges these casts, and without compilation autocast remembers them.
    """
    where = network.device.type
    if torch.is_grad_enabled() or not torch.is_autocast_enabled(where):
        yield
        return
    layers = [module for module in network.modules() if isinstance(module, Linear)]
    for layer in layers:
        layer.cast = layer.weight.to(torch.get_autocast_dtype(where))
    try:
        yield
    finally:
        for layer in layers:
            layer.cast = None
