"Commands as processes: what a user sees, what is left on the disk, how they end."
import os, subprocess, sys
from pathlib import Path

import pytest
import torch

def run(*arguments, folder, **environment):
    "Run `kae_demo` in `folder`; return the finished process."
    command = Path(sys.executable).with_name('kae_demo')
    return subprocess.run([command, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, env={**os.environ, **environment})

def files(folder): return {p.relative_to(folder): p.read_bytes() for p in Path(folder).rglob('*') if p.is_file()}

def test_main_job(tmp_path):
    done = run('--epochs', '30', '--save', 'models', folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == 'digits: 1,437 training and 360 test images, 8×8 gray, 10 classes'
    assert lines[1].split() == ['parameters', 'seconds', 'test_mse', 'nn_accuracy']
    assert [line.split('  ')[0].strip() for line in lines[2:7]] == ['PCA', 'AE', 'KAE (p=1)', 'KAE (p=2)', 'KAE (p=3)']
    assert all(0 < float(line.split()[-2]) < 0.05 and 0.7 < float(line.split()[-1]) <= 1 for line in lines[2:7])
    assert 'images/s' in done.stderr and 'test_mse=' in done.stderr                     # the progress bar
    assert (tmp_path/'kae_demo.png').read_bytes().startswith(b'\x89PNG')

    from kae_nb.autoencoder import AutoEncoder
    from kae_nb.data import load_dataset
    from kae_nb.reconstruction import reconstruction_mse
    model = AutoEncoder.load(tmp_path/'models/kae3.safetensors')
    assert f'{reconstruction_mse(model, load_dataset("digits").x_test):.4f}' == lines[6].split()[-2]

@pytest.mark.parametrize('arguments, message', [
    (['--dataset', 'mnits'], "unknown data set 'mnits': did you mean 'mnist'? known are 'digits', 'mnist'"),
    (['--dataset', 'cifar10', '--data_root', 'nothing_here'], "'cifar10' is not in nothing_here"),
    (['--latent_dim', '0'], 'latent_dim must be at least 1, got 0'),
    (['--latent_dim', '65'], 'latent_dim must be at most 64 for digits'),
    (['--epochs', '0'], 'epochs must be at least 1, got 0'),
    (['--out', 'none/figure.png'], 'cannot write to none: there is no such folder'),
    (['--out', 'figure.doc'], 'figure.doc must end in one of'),
    (['--save', 'none/models'], 'there is no such folder'),
    (['--device', 'gpu'], "no device 'gpu' on this machine; it has cpu"),
    (['--device', f'cuda:{torch.cuda.device_count()}'], 'on this machine; it has cpu'),
])
def test_bad_input(tmp_path, arguments, message):
    (tmp_path/'kae_demo.png').write_bytes(b'from before')
    before = files(tmp_path)
    done = run(*arguments, folder=tmp_path, https_proxy='http://127.0.0.1:9', http_proxy='http://127.0.0.1:9')    # no network
    assert (done.returncode, done.stdout) == (2, '')
    error = done.stderr.strip().splitlines()[-1]
    assert error.startswith('kae_demo: ') and message in error
    assert 'Traceback' not in done.stderr and files(tmp_path) == before
    if 'cifar10' not in arguments: assert done.stderr.count('\n') == 1                  # a download may report its attempts
    else: assert all(f'({i})' in error for i in (1, 2, 3))                              # the three ways to get the data

def test_unwritable_folder(tmp_path):
    "A folder that exists but takes no files is noticed before training, for root too."
    done = run('--out', '/proc/kae_demo.png', folder=tmp_path)
    if not Path('/proc').is_dir(): pytest.skip('this system has no /proc')
    assert (done.returncode, done.stdout) == (2, '') and done.stderr.startswith('kae_demo: cannot write to /proc')

def test_unknown_option(tmp_path):
    done = run('--latent', '3', '--layers', '2', folder=tmp_path)
    assert done.returncode == 2 and 'Traceback' not in done.stderr

def test_layer_names():
    "An unknown layer, from Python: the command has no such option."
    from kae_nb.autoencoder import AutoEncoder
    with pytest.raises(ValueError, match="unknown layer 'kaes': did you mean 'kae'"): AutoEncoder(64, 4, layer='kaes')
