"""A stand-in for `python` that forks from one process which has imported PyTorch and MONAI already.

Starting Python with both takes five seconds of CPU, which is most of a cell with tiny settings. `python_that_forks`
makes a program that takes the arguments `FILE ...` or `-m MODULE ...`, as Python does, and runs them in a fork of its
server.
"""

import atexit
import contextlib
import gc
import json
import os
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# Started for every job, so it imports nothing that takes time.
CLIENT = """#!{python} -IS
import array, json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
fds = array.array("i", [0, 1, 2])
given = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
server.sendmsg([len(given).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
server.sendall(given)
os._exit(server.recv(1)[0])
"""
PRELOADED = (
    "torch", "monai.bundle", "monai.engines", "monai.networks.nets", "ignite.metrics", "nibabel", "scipy.stats",
    "tensorboard", "torch.utils.tensorboard", "matplotlib.figure", "regionwise.bundle", "regionwise.training",
    "regionwise.inference", "regionwise.evaluation.evaluate", "regionwise.phantoms.write",
)  # fmt: skip


@contextlib.contextmanager
def python_that_forks(folder: Path) -> Iterator[str]:
    """Yield the program, which serves until the block ends; its files are in a folder with a short path."""
    address, program = str(folder / "socket"), folder / "python"
    program.write_text(CLIENT.format(python=sys.executable, address=address))
    program.chmod(0o755)
    server = subprocess.Popen([sys.executable, __file__, address, str(program)])
    try:
        while not Path(address).exists():
            assert server.poll() is None
            time.sleep(0.1)
        yield str(program)
    finally:
        server.terminate()
        server.wait()


def _serve(address: str, program: str) -> None:
    for name in PRELOADED:
        __import__(name)
    gc.collect()
    gc.freeze()  # else the first collection in a fork copies what it looks at
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address + ".new")
    listener.listen(64)
    Path(address + ".new").rename(address)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            # The fork that answers waits for the one that works, and sees its end whatever it is.
            worker = os.fork()
            if worker == 0:
                # An exception ends this process as it ends Python; else its end would touch, and so copy, all memory.
                status = _work(connection, program)
                atexit._run_exitfuncs()
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
            _, status = os.waitpid(worker, 0)
            connection.sendall(bytes([os.waitstatus_to_exitcode(status) % 256]))
            os._exit(0)
        connection.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _work(connection: socket.socket, program: str) -> int:
    size, fds, _, _ = socket.recv_fds(connection, 8, 3)
    given = b""
    while len(given) < int.from_bytes(size, "big"):
        given += connection.recv(1 << 16)
    words, folder, environment = json.loads(given)
    for number, fd in enumerate(fds):
        os.dup2(fd, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.executable = program
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    _serve(*sys.argv[1:])
