"Several processes that train one model, killed at any moment."

import os, signal, socket, subprocess, sys, time
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from kae_nb.console import in_terminal
from kae_nb.runs import kae_train
from kae_nb.testing import run_together

# kae_train that says which process it is, and writes a checkpoint after every step
SCRIPT = '''
import os
from functools import partial
from pathlib import Path
from unittest import mock

from kae_nb import runs
from kae_nb.training import fit

Path(f'process-{os.environ["RANK"]}').write_text(str(os.getpid()))
with mock.patch.object(runs, 'fit', partial(fit, checkpoint_seconds=0)):
    runs.kae_train(latent_dim=8, layer_options='order=2', epochs=40, out='out')
'''
STEPS = 6 * 40


def begin(folder, restarts=0):
    "Two processes begun by torchrun in a folder."
    folder.mkdir()
    (folder / 'script.py').write_text(SCRIPT)
    with open(folder / 'log', 'w') as log:
        return subprocess.Popen(
            [Path(sys.executable).with_name('torchrun'), '--standalone']
            + ['--nproc-per-node', '2', '--max-restarts', str(restarts), 'script.py'],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=os.environ | {'OMP_NUM_THREADS': '1', 'PYTHONPATH': os.pathsep.join(sys.path)},
        )


def steps_done(folder):
    "The step of the last checkpoint, 0 if there is none."
    files = sorted((folder / 'out' / 'checkpoints').glob('step-*.safetensors'))
    return int(files[-1].stem[5:]) if files else 0


def kill(folder, process):
    "SIGKILL one of the processes, and wait until others have begun in their place."
    file = folder / f'process-{process}'
    killed = file.read_text()
    os.kill(int(killed), signal.SIGKILL)
    return lambda: file.read_text() not in ('', killed)


def wait_for(condition, torchrun, seconds=120):
    "Wait until something is so."
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline and torchrun.poll() is None
        time.sleep(0.005)


def test_alone(tmp_path, monkeypatch):
    "Others that do not come are waited for as long as is said; one line says so, and nothing is made."
    monkeypatch.chdir(tmp_path)
    with socket.socket() as free:
        free.bind(('localhost', 0))
        port = free.getsockname()[1]
    for number in ('0', '1'):
        told = dict(WORLD_SIZE='2', RANK=number, MASTER_ADDR='localhost', MASTER_PORT=str(port))
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        start = time.perf_counter()
        status, output, errors = in_terminal(kae_train, '--timeout', '2')
        assert (status, output, errors.count('\n')) == (2, '', 1)
        assert f'of 2 processes, not all met at localhost:{port} within 2 s' in errors
        assert time.perf_counter() - start < 20 and not any(tmp_path.iterdir())
    monkeypatch.delenv('MASTER_ADDR')
    status, _, errors = in_terminal(kae_train)
    assert status == 2 and 'so MASTER_ADDR must be given as well' in errors


def test_together(tmp_path):
    "What two processes say is what one would, said once; results and errors alike."
    script = '''
from kae_nb.console import in_terminal
from kae_nb.runs import kae_train

runs = ['--epochs 2 --out a', '--epochs 2 --out a', '--epochs 2 --out a --resume', '--layer kaes']
for run in [*runs, '--layer wavkan --out b']:
    print(in_terminal(kae_train, *run.split(), '--timeout', '60'))
'''
    ended = run_together(script, 2, tmp_path)
    assert [(status, errors) for status, _, errors in ended] == [(0, '')] * 2
    first, other = ([eval(line) for line in output.splitlines()] for _, output, _ in ended)
    assert [status for status, *_ in first] == [status for status, *_ in other] == [0, 2, 0, 2, 2]
    assert not any(output for _, output, _ in other)
    said = [one + two for (*_, one), (*_, two) in zip(first, other)]
    words_of = {
        1: 'a holds a finished run',
        3: "unknown layer 'kaes'",
        4: 'BatchNorm1d takes means',
    }
    for number, words in words_of.items():
        text = said[number]
        assert text.count('\n') == 1 and words in text
    assert first[0][1] == first[2][1] and 'a/model.safetensors' in first[0][1]
    status, output, _ = in_terminal(kae_train, '--epochs', 2, '--out', tmp_path / 'one')
    assert output.split(' after')[0] == first[0][1].split(' after')[0]  # the test error


@pytest.mark.slow
@pytest.mark.skipif(os.name != 'posix', reason='there is no SIGKILL')
def test_killed(tmp_path):
    "SIGKILL of one process at five moments: in the end the same bits as without, said once."
    whole, broken = tmp_path / 'whole', tmp_path / 'broken'
    assert begin(whole).wait(timeout=300) == 0, (whole / 'log').read_text()

    torchrun, reached = begin(broken, restarts=5), []
    # before the first step, and at parts of all steps
    for part, process in [(None, 1), (0.1, 0), (0.3, 1), (0.5, 0), (0.8, 1)]:
        if part is None:
            wait_for((broken / 'process-1').exists, torchrun)
            wait_for((broken / 'process-1').read_text, torchrun)
        else:
            wait_for(lambda: steps_done(broken) >= part * STEPS, torchrun)
        reached.append(steps_done(broken))
        wait_for(kill(broken, process), torchrun)
    assert torchrun.wait(timeout=300) == 0, (broken / 'log').read_text()
    assert reached == sorted(reached) and reached[-1] < STEPS

    names = sorted(path.name for path in (whole / 'out').iterdir())
    assert names == sorted(path.name for path in (broken / 'out').iterdir())
    models = [load_file(folder / 'out' / 'model.safetensors') for folder in (whole, broken)]
    assert all((models[0][name] == models[1][name]).all() for name in models[0])
    histories = [
        pd.read_csv(folder / 'out' / 'history.csv').drop(columns='seconds')
        for folder in (whole, broken)
    ]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    assert (broken / 'log').read_text().count('test MSE') == 1
