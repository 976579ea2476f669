"""Commands as processes that start at once: each is a fork of one process that has imported the library and done nothing else.

`run` is for what a command prints and leaves behind; how a process itself begins and ends (signals, environment, shell) is tested with a real one."""

import atexit, importlib, json, os, runpy, subprocess, sys, tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace


def serve():
    "Do what each line of the input asks for, in a fork; write the exit status."
    for module in ('benchmarks', 'demo', 'evaluation', 'reproduce', 'runs'):
        importlib.import_module(f'kae_nb.{module}')
    nothing = os.open(os.devnull, os.O_RDONLY)
    for line in sys.stdin:
        command, arguments, folder, environment, outputs = json.loads(line)
        process = os.fork()
        if not process:
            os.dup2(nothing, 0)
            for stream, path in zip((1, 2), outputs):
                os.dup2(os.open(path, os.O_WRONLY), stream)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            sys.argv = [command, *arguments]
            status = 0
            try:
                runpy.run_path(str(Path(sys.executable).with_name(command)), run_name='__main__')
            except SystemExit as end:
                status = end.code or 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
                status = 1
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


@cache
def server():
    "The process that forks, begun when first needed."
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {'OMP_NUM_THREADS': '1'},
    )
    atexit.register(process.kill)
    return process


def run(command, *arguments, folder):
    "Run a command in `folder`; return its exit status (`returncode`) and its two outputs (`stdout`, `stderr`)."
    arguments = [str(argument) for argument in arguments]
    if not hasattr(os, 'fork'):
        return subprocess.run(
            [Path(sys.executable).with_name(command), *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
    with tempfile.NamedTemporaryFile('r') as output, tempfile.NamedTemporaryFile('r') as errors:
        print(
            json.dumps(
                [command, arguments, str(folder), dict(os.environ), [output.name, errors.name]]
            ),
            file=server().stdin,
            flush=True,
        )
        status = int(server().stdout.readline())
        return SimpleNamespace(returncode=status, stdout=output.read(), stderr=errors.read())


CHECKS = """
import sys, warnings
from kae_nb import KAE, KAEDetector
from kae_nb.manifold import PolynomialManifold
from sklearn.utils.estimator_checks import check_estimator

warnings.simplefilter('ignore')
for estimator in eval(sys.argv[1]):
    for check in check_estimator(estimator, on_fail=None) or ():
        if check['status'] != 'passed':
            print(estimator, check['check_name'], check['status'], check['exception'])
"""


def check_estimators(estimators):
    "An `AssertionError` with what scikit-learn finds, or skips; of a list, as Python's text."
    # in a process of its own: SCIPY_ARRAY_API, without which one check is skipped, is read on import
    done = subprocess.run(
        [sys.executable, '-c', CHECKS, estimators],
        capture_output=True,
        text=True,
        env={**os.environ, 'SCIPY_ARRAY_API': '1'},
    )
    assert done.returncode == 0 and done.stdout == '', done.stdout + done.stderr[-2000:]


if __name__ == '__main__':
    serve()
