"""What a cell can do to get points that it has not earned, or to harm: one snippet for each way.

In each, `add` is not solved. Most are followed by the untouched exercises `times` and `both`.

A snippet must do no harm where the sandbox is broken, since that is when its test fails: it opens a
file and writes nothing, asks for a little room more than is allowed, or aims at TARGET, a file that
the test made. None deletes, overwrites or ends what is not its own.
"""

STUB = "\ndef add(a, b):\n    raise NotImplementedError\n"

# Attempts at points, which must give none.
CHEATING = {
    "input transformer": (
        "get_ipython().input_transformers_cleanup.append(\n"
        "    lambda lines: lines if lines[0].startswith(\"assert len('\") else [])" + STUB),
    "ast transformer": (
        "import ast\nclass Drop(ast.NodeTransformer):\n"
        "    def visit_Assert(self, node): return ast.Pass()\n"
        "get_ipython().ast_transformers.append(Drop())" + STUB),
    "no code runs": (
        "from IPython.core.interactiveshell import InteractiveShell as S\n"
        "async def quiet(self, code, result=False, **k): return False\nS.run_code = quiet" + STUB),
    "other do_execute": "get_ipython().kernel.do_execute = lambda *a, **k: {'status': 'ok'}" + STUB,
    "patched session": "get_ipython().kernel.session.send = lambda *a, **k: None" + STUB,
    "forged replies": (
        "import os, json\nfor fd in range(3, 40):\n    try:\n"
        "        os.write(fd, json.dumps({'id': '0', 'ok': True, 'proof': []}).encode() + b'\\n')\n"
        "    except OSError: pass" + STUB),
    "floods the channel": (
        "import os\nfor fd in range(3, 40):\n    try: os.write(fd, b'x' * 10_000_000)\n"
        "    except OSError: pass" + STUB),
    "worker found and replaced": (
        "import gc\nfor one in gc.get_objects():\n    if type(one).__name__ == 'Worker':\n"
        "        one._check = lambda *a: {'proof': [], 'replaced': []}" + STUB),
    "worker's class replaced": (
        "import sys\nframe = sys._getframe()\nwhile frame.f_back: frame = frame.f_back\n"
        "Worker = frame.f_globals['Worker'] if 'Worker' in frame.f_globals else None\n"
        "for found in [v for f in sys._current_frames().values() for v in [f.f_back.f_globals]]:\n"
        "    found['Worker'].answer = lambda *a: {'ok': True, 'proof': [], 'replaced': []}" + STUB),
    "exec does nothing": "import builtins\nbuiltins.exec = lambda *a, **k: None" + STUB,
    "compile drops asserts": (
        "import builtins, ast\nreal = builtins.compile\n"
        "builtins.compile = lambda s, *a, **k: real('', *a, **k)" + STUB),
    "traced": (
        "import sys\ndef jump(frame, event, arg):\n"
        "    if event == 'line' and frame.f_code.co_filename == '<check>':\n"
        "        try: frame.f_lineno = frame.f_lineno + 1\n"
        "        except ValueError: pass\n    return jump\n"
        "sys.settrace(jump)\nsys._getframe().f_trace = jump" + STUB),
    "exceptions swallowed": "import sys\nsys.excepthook = lambda *a: None" + STUB,
    "no AssertionError": "import builtins\nbuiltins.AssertionError = SystemError" + STUB,
    "equal to everything": (
        "class Any:\n    def __eq__(self, other): return True\n"
        "def add(a, b):\n    return Any()"),
    "equal to everything, in secret": (
        "Any = type('Any', (), {'__e' + 'q__': lambda self, other: True})\n"
        "def add(a, b):\n    return Any()"),
    "a number of its own": (
        "class Any(int):\n    def __eq__(self, other): return True\n    __hash__ = None\n"
        "def add(a, b):\n    return Any()"),
    "waits for the check's name": (
        "import sys\ndef add(a, b):\n    frame = sys._getframe(1)\n"
        "    frame.f_globals['__builtins__']['AssertionError'] = SystemError\n    return 1"),
    "answers from a copy": "import os\nif os.fork(): os._exit(0)" + STUB,
    "leaves a copy": "import os\nif os.fork() == 0:\n    while True: pass" + STUB,
    "leaves when tested": "import os\ndef add(a, b): os._exit(0)",
    "ends politely when tested": "def add(a, b): raise SystemExit(0)",
    "edits the course": (
        "import trm_lite.classroom\nopen(trm_lite.classroom.__file__, 'r+').close()" + STUB),
    "edits the master": (
        "import pathlib\npath = pathlib.Path(MASTER)\npath.open('r+').close()" + STUB),
    "reads the master": (
        "text = open(MASTER).read()\n"
        "def add(a, b):\n    return eval(text.split('return ')[1].split('\\\\n')[0])"),
}  # fmt: skip

# Attempts at the machine or at other students; each raises an error, or does nothing.
HARMFUL = {
    "environment": "import os\nassert 'secret' in str(os.environ)",
    "environment of the grader": (
        "import os\nfound = ''\nfor pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "    try: found += open(f'/proc/{pid}/environ').read()\n    except OSError: pass\n"
        "assert 'secret' in found"),
    "home": "import pathlib\nassert any(p.name != 'cache' for p in pathlib.Path.home().iterdir())",
    "files of others": "open('/etc/passwd')",
    "network": "import socket\nsocket.create_connection(('127.0.0.1', 9), timeout=2)",
    "abstract socket": "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0trm-lite-test')",
    "socket": "import socket\nsocket.socket(socket.AF_UNIX).connect(SOCKET)",
    "disk": "with open('x', 'wb') as f:\n    for _ in range(40): f.write(bytes(2**20))",
    "shared memory": (
        "import tempfile\nwith tempfile.TemporaryFile(dir='/dev/shm') as f:\n"
        "    for _ in range(40): f.write(bytes(2**20))\n    f.flush()"),
    "memory without a name": "import os\nos.memfd_create('x')",
    "namespace": "import ctypes, os\nassert ctypes.CDLL(None).unshare(0x10000000) == 0",
    "another's memory": "import ctypes\nassert ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0",
    "kernel's settings": "open('/proc/sys/kernel/core_pattern', 'r+')",
    "file of the grader": "import os\nos.remove(TARGET)",
    "process of the grader": "import os\nos.kill(GRADER, 0)",
    "error without words": (
        "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd"),
    "long words": "raise ValueError('x' * 50_000_000)",
    "half an emoji": "raise ValueError(chr(0xd800))",
    "endless recursion": "def f(): f()\nf()",
    "deep nesting": "x = " + "(" * 5000 + ")" * 5000,
    "a NUL": "x = '\0'",
    "closes everything": "import os\nos.closerange(0, 100)",
    "limits": "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2**40, 2**40))",
}  # fmt: skip
