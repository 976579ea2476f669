"Several processes that train one model, killed at any moment."

import os, signal, subprocess, sys, time
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

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
