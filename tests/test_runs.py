"`kae_train` and what happens to it: killed, interrupted, damaged, fed with nonsense."
import json, random, signal, subprocess, sys, time
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

command = Path(sys.executable).with_name('kae_train')
settings = ['--latent_dim', '8', '--layer', 'kae', '--layer_options', 'order=2']

def run(*arguments, folder):
    "Run `kae_train` in `folder`; return its exit status and its two outputs."
    done = subprocess.run([command, *arguments], cwd=folder, text=True, capture_output=True, timeout=300)
    return done.returncode, done.stdout, done.stderr

def checkpoints(folder): return sorted(Path(folder).rglob('step-*.safetensors'))

EVERY_STEP = '''
import sys
from kae_nb.runs import train_run
import kae_nb.runs as runs
fit = runs.fit
runs.fit = lambda *args, **options: fit(*args, checkpoint_seconds=0, **options)     # a checkpoint after every step
_, history = train_run('out', resume=True, progress=False, latent_dim=8, layer_options=dict(order=2), epochs=40)
'''

def test_killed_at_random_moments(tmp_path):
    "Ten times SIGKILL, each time resumed: the same bits in the end, and every checkpoint that a kill left can be read."
    from kae_nb.training import read_checkpoint
    whole, killed = tmp_path/'whole', tmp_path/'killed'
    whole.mkdir(); killed.mkdir()
    subprocess.run([sys.executable, '-c', EVERY_STEP], cwd=whole, check=True, timeout=300)
    kills, moments = 0, random.Random(0)
    last = 0
    while kills < 10:
        process = subprocess.Popen([sys.executable, '-c', EVERY_STEP], cwd=killed)
        started = time.time()
        while process.poll() is None and time.time() - started < 60:        # wait until this process has made a step of its own
            found = checkpoints(killed)
            if found and int(found[-1].stem[5:]) > last: break
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.04))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (killed/'out/run.json').exists(): break
        kills += 1
        files = checkpoints(killed)
        assert files
        for file in files: read_checkpoint(file)
        last = int(files[-1].stem[5:])
    assert kills == 10, f'the run ended after {kills} kills'
    subprocess.run([sys.executable, '-c', EVERY_STEP], cwd=killed, check=True, timeout=300)
    a, b = load_file(whole/'out/model.safetensors'), load_file(killed/'out/model.safetensors')
    assert a.keys() == b.keys() and all(a[name].numpy().tobytes() == b[name].numpy().tobytes() for name in a)
    first, second = (json.loads((folder/'out/run.json').read_text(encoding='utf-8')) for folder in (whole, killed))
    assert first['test_mse'] == second['test_mse'] and first['settings'] == second['settings']
    assert not list(killed.rglob('.*')) and not checkpoints(killed)         # nothing left over

def test_interrupted(tmp_path):
    "Ctrl-C ends the command with status 130, and the same command with --resume goes on."
    arguments = [*settings, '--epochs', '4000', '--out', 'out']
    with open(tmp_path/'errors', 'w+') as shown:
        process = subprocess.Popen([command, *arguments], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=shown)
        deadline = time.time() + 60
        while 'images/s' not in (tmp_path/'errors').read_text() and time.time() < deadline: time.sleep(0.05)   # it is training
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    errors = (tmp_path/'errors').read_text()
    assert process.returncode == 130 and output == '' and 'Traceback' not in errors
    assert 'interrupted after step' in errors and 'with --resume goes on' in errors
    assert len(checkpoints(tmp_path)) == 1
    status, _, errors = run(*arguments, folder=tmp_path)                    # not by accident
    assert status == 2 and 'resume' in errors.splitlines()[-1] and len(checkpoints(tmp_path)) == 1
    status, _, errors = run(*arguments[:-4], '--epochs', '5', '--out', 'out', '--resume', folder=tmp_path)
    assert status == 2 and 'epochs is 4000 there and 5 here' in errors

@pytest.mark.parametrize('text, message', [
    ('layer = "wavkam"', "unknown layer 'wavkam': did you mean 'wavkan'?"),
    ('epochs = "ten"', "epochs must be a whole number, got 'ten'"),
    ('lr = nan', 'lr for adam must be above 0 and at most 1, got nan'),
    ('optimiser = "adam"', "unknown setting in run.toml: 'optimiser': did you mean 'optimizer'?"),
    ('dataset = "digit"', "unknown data set 'digit'"),
    ('latent_dim = 0', 'latent_dim must be at least 1, got 0'),
    ('epochs = ', 'run.toml holds no settings'),
])
def test_bad_settings(tmp_path, text, message):
    (tmp_path/'run.toml').write_text(text)
    status, output, errors = run('--config', 'run.toml', folder=tmp_path)
    assert (status, output, errors.count('\n')) == (2, '', 1) and message in errors
    assert sorted(p.name for p in tmp_path.iterdir()) == ['run.toml']

def test_config_and_command_line(tmp_path):
    "What is said later wins; run.json repeats the run to the digit."
    (tmp_path/'run.toml').write_text('layer = "fourierkan"\nepochs = 2\nlatent_dim = 4\nhidden_dims = [16]\n[layer_options]\ngrid_size = 2\n')
    assert run('--config', 'run.toml', '--epochs', '3', '--out', 'a', folder=tmp_path)[0] == 0
    assert run('--config', 'a/run.json', '--out', 'b', folder=tmp_path)[0] == 0
    a, b = (json.loads((tmp_path/name/'run.json').read_text(encoding='utf-8')) for name in 'ab')
    assert a['settings']['epochs'] == 3 and a['settings']['layer'] == 'fourierkan' and a['settings']['hidden_dims'] == [16]
    assert a['settings'] == b['settings'] and a['test_mse'] == b['test_mse']
    x, y = (load_file(tmp_path/name/'model.safetensors') for name in 'ab')
    assert all(np.array_equal(x[name], y[name]) for name in x)
    assert (tmp_path/'a/figure.png').read_bytes().startswith(b'\x89PNG')
