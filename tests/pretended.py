"""A pretended GPU: tensors that say they are on cuda or mps, and refuse what such tensors refuse.

They compute on the CPU. Like the real ones they do not mix with CPU tensors, random generators of
the CPU or numpy; on mps there is no float64. Whenever the CPU would have to wait for the GPU, the
place is noted in `Pretended.waits`.
"""

import functools
import traceback
from contextlib import contextmanager

import torch
from torch.nn.utils import clip_grad
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from trm_lite.nets import weights

CPU = torch.device("cpu")
# These copy between devices; everything else wants its tensors on one.
COPIES = {"copy_", "_foreach_copy_"}
# Their results are numbers, or as long as the numbers say.
WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2", "unique_dim"}


class Pretended(torch.Tensor):
    """A tensor on the pretended GPU, held as one of the CPU."""

    kind = ""  # "cuda" or "mps" within `pretended`
    waits: list[str] = []  # noqa: RUF012

    @staticmethod
    def __new__(cls, held, requires_grad=False):
        if cls.kind == "mps" and held.dtype == torch.float64:
            raise TypeError("the MPS framework doesn't support float64")
        layout = {"strides": held.stride(), "storage_offset": held.storage_offset()}
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), dtype=held.dtype, device=CPU, requires_grad=requires_grad, **layout
        )
        made.held = held
        return made

    device = property(lambda self: torch.device(Pretended.kind, 0))
    is_cuda = property(lambda self: Pretended.kind == "cuda")
    is_cpu = property(lambda self: False)

    def __repr__(self):
        return f"Pretended({self.held})"

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = function.overloadpacket.__name__
        everything = leaves((args, *kwargs.values()))
        plain = [t for t in everything if isinstance(t, torch.Tensor) and not isinstance(t, cls)]
        # In a backward pass the engine makes tensors of its own, on the device that it sees.
        if torch._C._current_graph_task_id() == -1 and any(t.dim() for t in plain):
            if name not in COPIES and not (name == "index" and isinstance(args[0], cls)):
                raise RuntimeError(f"Expected all tensors to be on the same device, in {function}")
            wait(f"{name} without a fast way")
        for generator in everything:
            if isinstance(generator, torch.Generator) and generator.device.type != cls.kind:
                raise RuntimeError(f"Expected a '{cls.kind}' device type for generator")
        masks = name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1])
        if name in WAITS or masks:
            wait(name)
        if "device" in kwargs:
            kwargs["device"] = CPU
        result = function(
            *mapped(held, args), **{name: mapped(held, thing) for name, thing in kwargs.items()}
        )
        first = args[0] if args else None
        if name in COPIES and not isinstance(first, cls):
            return first
        if name == "_local_scalar_dense" or name == "equal":
            return result
        if function._schema.is_mutable and isinstance(first, torch.Tensor) and name[-1] == "_":
            return first  # what works in place returns the tensor that it was given
        return mapped(on_gpu, result)


def leaves(things):
    """All that stands in lists and tuples within each other; torch's own way is slow."""
    found = []
    for thing in things:
        if isinstance(thing, list | tuple):
            found += leaves(thing)
        else:
            found.append(thing)
    return found


def mapped(change, thing):
    """The same lists and tuples, with all that stands in them changed."""
    if isinstance(thing, list | tuple):
        return type(thing)([mapped(change, part) for part in thing])
    return change(thing)


def held(thing):
    return thing.held if isinstance(thing, Pretended) else thing


def on_gpu(thing):
    return Pretended(thing) if type(thing) is torch.Tensor else thing


def wait(what):
    """Note that the CPU waits, and where in the package."""
    frames = [f for f in traceback.extract_stack() if "/trm_lite/" in f.filename]
    place = f"{frames[-1].filename.rsplit('/', 1)[-1]}: {frames[-1].line}" if frames else "a test"
    Pretended.waits.append(f"{what} ({place})")


def means_gpu(device):
    return device is not None and torch.device(device).type == Pretended.kind


class OnGPU(TorchFunctionMode):
    """Sends tensors there and back, and makes new ones there."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensor = args[0] if args else None
        if function is torch.Tensor.to:
            return sent(tensor, *args[1:], **kwargs)
        if function is torch.Tensor.cpu:
            return sent(tensor, CPU)
        if isinstance(tensor, Pretended):
            if function in (torch.Tensor.numpy, torch.Tensor.__array__):
                raise TypeError(f"can't convert {tensor.device} device type tensor to numpy")
            if function is torch.Tensor.tolist:
                wait("tolist")
                return tensor.detach().held.tolist()
        kwargs.pop("pin_memory", None)
        if means_gpu(kwargs.get("device")):
            generator = kwargs.get("generator")
            if generator is not None and generator.device.type != Pretended.kind:
                raise RuntimeError(f"Expected a '{Pretended.kind}' device type for generator")
            learns = kwargs.pop("requires_grad", False)
            made = function(*args, **kwargs | {"device": CPU})
            return on_gpu(made).requires_grad_(learns)
        return function(*args, **kwargs)


def sent(tensor, *args, **kwargs):
    """What `tensor.to(...)` returns."""
    given = [*args, *kwargs.values()]
    like = next((a for a in given if isinstance(a, torch.Tensor)), None)
    dtype = next((a for a in given if isinstance(a, torch.dtype)), None)
    where = [a for a in given if isinstance(a, str | torch.device)]
    if like is not None:
        where, dtype = [like.device], like.dtype
    there, here = isinstance(tensor, Pretended), tensor
    gpu = means_gpu(where[0]) if where else there
    if gpu and not there:
        if dtype is not None:
            here = torch.Tensor.to(here, dtype)
        if not (getattr(tensor, "is_ready", False) and kwargs.get("non_blocking")):
            wait("to the GPU from memory that it cannot read")
        made = Pretended(here.detach().clone())
        return made.requires_grad_(tensor.requires_grad)
    if there and not gpu:
        wait("to the CPU")
        here = tensor.detach().held.clone()
    elif kwargs.get("copy"):
        here = here.clone()
    return here if dtype is None else torch.Tensor.to(here, dtype)


class GPUGenerator(torch.Generator):
    """A generator that says it is on the pretended GPU."""

    def __new__(cls, device="cpu"):
        made = super().__new__(cls, device=CPU)
        made.place = torch.device(device)
        return made

    device = property(lambda self: self.place)


class Event:
    """What was recorded has happened at once."""

    def record(self): ...

    def query(self):
        return True


def ready(tensor):
    """Memory that the GPU can read by itself; the mark does not survive any operation."""
    tensor = tensor.clone()
    tensor.is_ready = True
    return tensor


@contextmanager
def pretended(kind, monkeypatch):
    """Within, this machine has a GPU of `kind`, "cuda" or "mps"."""
    with monkeypatch.context() as patch:
        patch.setattr(Pretended, "kind", kind)
        patch.setattr(Pretended, "waits", [])
        for name, value in {
            "is_available": kind == "cuda", "device_count": int(kind == "cuda"),
            "get_device_name": "a pretended GPU", "is_bf16_supported": True, "synchronize": None,
        }.items():  # fmt: skip
            patch.setattr(torch.cuda, name, lambda *_, value=value, **named: value)
        patch.setattr(torch.cuda, "Event", Event)
        patch.setattr(torch.mps, "synchronize", lambda: None)
        patch.setattr(torch.backends.mps, "is_available", lambda: kind == "mps")
        patch.setattr(torch.Tensor, "pin_memory", ready)
        patch.setattr(weights, "to_safetensors", lambda tensors, about, save=weights.to_safetensors:
                      save(tree_map(held, tensors), about))  # fmt: skip
        # torch asks in C++ where gradients are, and is told the truth.
        patch.setattr(clip_grad, "_group_tensors_by_device_and_dtype", on_one_device)
        patch.setattr(torch, "Generator", GPUGenerator)
        patch.setattr(torch, "autocast", functools.partial(autocast, torch.autocast))
        # Inference mode cannot hold tensors of this kind.
        patch.setattr(torch.inference_mode, "__enter__", torch.no_grad.__enter__)
        patch.setattr(torch.inference_mode, "__exit__", torch.no_grad.__exit__)
        overwrite = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        try:
            with OnGPU():
                yield
        finally:
            torch.__future__.set_overwrite_module_params_on_conversion(overwrite)


def on_one_device(lists):
    return {(torch.device(Pretended.kind, 0), None): (lists, [])}


def autocast(real, device_type, *args, **kwargs):
    return real("cpu" if device_type == Pretended.kind else device_type, *args, **kwargs)
