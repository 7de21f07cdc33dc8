"""What a forked process has done beforehand: imports, and seeing which numbers its CPU prefers."""

import gc
import importlib
import pkgutil
import sys

import trm_lite
from trm_lite.common.device import cpu_prefers_bfloat16

# As in conftest.py, which a forked process does not read.
sys.modules.setdefault("rfc3987_syntax", None)
OTHERS = ("ipykernel.kernelapp", "ipykernel.debugger", "ipywidgets", "seaborn", "torch._dynamo")
OURS = (module.name for module in pkgutil.walk_packages(trm_lite.__path__, "trm_lite."))
for name in (*OTHERS, *OURS):
    if name != "trm_lite.__main__":
        importlib.import_module(name)
cpu_prefers_bfloat16()
gc.collect()
gc.freeze()  # so that no forked process looks through all this, and copies it by doing so
