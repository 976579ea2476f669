"Data as users have it: in folders and files, on full disks and read-only ones, through the commands."
import gzip, json, os, random, signal, subprocess, sys, time, warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from kae_nb.data import load_dataset

rng = np.random.default_rng(0)
fonts = matplotlib.get_cachedir()

@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    "A user's cache and a data folder that are empty."
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path/'cache'))
    monkeypatch.setenv('MPLCONFIGDIR', fonts)
    monkeypatch.setenv('KAE_NB_DATA', str(tmp_path/'data'))

def write_pictures(folder, n=60, side=None):
    "Pictures of three classes that can be told apart, of 12 to 20 pixels a side unless `side` says how many."
    for i in range(n):
        h, w = (side, side) if side else rng.integers(12, 21, 2)
        image = rng.integers(0, 100, (h, w, 3), dtype=np.uint8)
        image[..., i % 3] += 120                                            # reddish, greenish, bluish
        file = Path(folder)/'red green blue'.split()[i % 3]/f'{i:03}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    return folder

def write_mnist(folder, n=200):
    "Four small files in MNIST's format; return the training images."
    folder.mkdir(parents=True, exist_ok=True)
    arrays = [rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.uint8), rng.integers(0, 256, (9, 28, 28), dtype=np.uint8), np.arange(9, dtype=np.uint8)]
    for name, array in zip(('train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'), arrays):
        data = b'\0\0\x08' + bytes([array.ndim]) + b''.join(side.to_bytes(4, 'big') for side in array.shape) + array.tobytes()
        (folder/f'{name}-ubyte.gz').write_bytes(gzip.compress(data, 1))
    return arrays[0]

def equals(dataset, images):
    "Whether the training images are these bytes."
    return torch.equal(dataset.x_train, torch.from_numpy(images.reshape(len(images), -1)).float()/255)

def files(folder): return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob('*') if p.is_file())

def run(command, *arguments, folder):
    "Run a command in `folder`; return its exit status and its two outputs."
    done = subprocess.run([Path(sys.executable).with_name(command), *map(str, arguments)], cwd=folder, text=True, capture_output=True, timeout=300)
    return done.returncode, done.stdout, done.stderr

def test_commands_take_pictures(tmp_path):
    "A folder of color pictures of many sizes, through training, evaluation and the demo."
    write_pictures(tmp_path/'photos')
    options = ['--dataset', 'folder:photos', '--data_options', 'size=10,grayscale=false']
    status, output, errors = run('kae_train', *options, '--latent_dim', 4, '--epochs', 2, '--out', 'run', folder=tmp_path)
    assert status == 0, errors
    record = json.loads((tmp_path/'run/run.json').read_text(encoding='utf-8'))
    assert record['settings']['dataset'] == 'folder:photos' and record['settings']['data_options'] == dict(size=10, grayscale=False)
    status, output, errors = run('kae_evaluate', 'run/model.safetensors', *options, folder=tmp_path)
    assert status == 0 and 'photos: 48 training and 12 test images, 10×10 color, 3 classes' in output, errors
    assert (tmp_path/'kae_evaluate.html').stat().st_size > 100_000
    status, output, errors = run('kae_demo', *options, '--latent_dim', 4, '--epochs', 1, folder=tmp_path)
    assert status == 0 and output.startswith('photos: 48 training and 12 test images, 10×10 color'), errors
    assert not [name for name in files(tmp_path/'photos') if not name.endswith('.png')]             # nothing is written to it

def test_commands_take_arrays(tmp_path):
    np.savez(tmp_path/'numbers.npz', x_train=rng.random((50, 8, 8)), y_train=np.arange(50) % 5)
    status, output, errors = run('kae_demo', '--dataset', 'arrays:numbers.npz', '--latent_dim', 4, '--epochs', 1, folder=tmp_path)
    assert status == 0 and output.startswith('numbers: 40 training and 10 test images, 8×8 gray, 5 classes'), errors

@pytest.mark.parametrize('arguments, message', [
    (['--dataset', 'folder:photos'], 'the images have different sizes, such as'),
    (['--dataset', 'folder:none'], "there is no folder"),
    (['--dataset', 'folder:photos/red'], 'has no folders with images, expected two or more, one for each class'),
    (['--dataset', 'arrays:none.npz'], "there is no file 'none.npz'"),
    (['--dataset', 'arrays:photos/red/000.png'], 'is no .npz file of plain arrays'),
    (['--dataset', 'folder'], "unknown data set 'folder': did you mean 'folder:PATH'?"),
    (['--dataset', 'folder:photos', '--data_options', 'size=0'], 'size must be at least 1, got 0'),
    (['--dataset', 'folder:photos', '--data_options', 'sise=8'], "unexpected keyword argument 'sise'"),
])
def test_bad_input(tmp_path, arguments, message):
    write_pictures(tmp_path/'photos')
    before = files(tmp_path)
    status, output, errors = run('kae_demo', *arguments, folder=tmp_path)
    last = errors.strip().splitlines()[-1]                                  # before it, a progress bar
    assert (status, output) == (2, '') and last.startswith('kae_demo: ') and message in last and 'Traceback' not in errors
    assert files(tmp_path) == before

def test_damaged_cache(tmp_path):
    "Cut in half or with a byte changed, it is noticed and made anew."
    images = write_mnist(tmp_path/'data')
    assert equals(load_dataset('mnist'), images)
    cache, = (tmp_path/'data/decoded').iterdir()
    whole = cache.read_bytes()
    for bad in (whole[:len(whole)//2], whole[:100], b'', whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]):
        cache.write_bytes(bad)
        with pytest.warns(UserWarning, match='is damaged .*; made anew'): assert equals(load_dataset('mnist'), images)
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            assert equals(load_dataset('mnist'), images) and cache.stat().st_size == len(whole)
    again = write_mnist(tmp_path/'data')                                    # other images under the same names
    assert equals(load_dataset('mnist'), again) and not equals(load_dataset('mnist'), images)
    assert len(list((tmp_path/'data/decoded').iterdir())) == 1

def test_read_only_data(tmp_path):
    "Where nothing may be written beside the data, the user's cache is used; the superuser is not tempted either."
    images = write_mnist(tmp_path/'data')
    (tmp_path/'data').chmod(0o555)
    for _ in range(2): assert equals(load_dataset('mnist'), images)
    assert not (tmp_path/'data/decoded').exists() and len(files(tmp_path/'cache')) == 1
    (tmp_path/'data').chmod(0o755)

def test_no_cache(tmp_path):
    images = write_mnist(tmp_path/'data')
    before = files(tmp_path)
    assert equals(load_dataset('mnist', cache=False), images) and files(tmp_path) == before

def test_full_disk(tmp_path):
    "On a disk of one megabyte the data fits, its cache does not: loaded all the same, with one warning, and nothing half-written is left."
    disk = tmp_path/'disk'
    disk.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], capture_output=True).returncode: pytest.skip('no right to mount a small disk')
    try:
        images = write_mnist(disk/'data', n=1000)
        os.environ['XDG_CACHE_HOME'] = str(disk/'cache')
        before = files(disk)
        with pytest.warns(UserWarning, match='could not be kept.*No space left on device') as warned: assert equals(load_dataset('mnist', disk/'data'), images)
        assert len(warned) == 1 and files(disk) == before
    finally: subprocess.run(['umount', disk], check=True)

LOAD = "import sys; from kae_nb.data import load_dataset; print('ready', flush=True); load_dataset('mnist')"

def test_killed_while_loading(tmp_path):
    "Whenever the process is killed: what is kept is whole or not there, and the next load is right."
    images, moments = write_mnist(tmp_path/'data', n=20_000), random.Random(0)
    for _ in range(8):
        process = subprocess.Popen([sys.executable, '-c', LOAD], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(moments.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for file in (tmp_path/'data').glob('decoded/mnist-*'): file.unlink() if moments.random() < 0.5 else None
        with warnings.catch_warnings():
            warnings.simplefilter('error')                                  # a damaged file would be warned of
            assert equals(load_dataset('mnist'), images)

def test_two_at_once(tmp_path):
    "Several processes that load the same set for the first time do not disturb each other."
    images = write_mnist(tmp_path/'data', n=5000)
    processes = [subprocess.Popen([sys.executable, '-W', 'error', '-c', LOAD], stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes: assert process.communicate()[1] == '' and process.returncode == 0
    assert equals(load_dataset('mnist'), images) and len(list((tmp_path/'data/decoded').iterdir())) == 1

def test_changed_folder(tmp_path):
    "A picture that is added, changed or taken away changes what is loaded; other options are kept apart."
    folder = write_pictures(tmp_path/'photos', n=30, side=8)
    load = lambda **options: load_dataset(f'folder:{folder}', progress=False, **options)
    first = load()
    assert len(first.x_train) + len(first.x_test) == 30 and torch.equal(load().x_train, first.x_train)
    Image.new('RGB', (8, 8), 'white').save(folder/'red'/'new.png')
    assert len(load().x_train) + len(load().x_test) == 31
    (folder/'red'/'new.png').unlink()
    assert torch.equal(load().x_train, first.x_train) and not torch.equal(load(seed=1).x_train, first.x_train)
    assert load(size=4).in_features == 16 and load(grayscale=False).in_features == 192 and load().in_features == 64
    Image.new('RGB', (8, 8), 'white').save(folder/'red'/'000.png')
    assert sum(row.min() == 1 for x in (load().x_train, load().x_test) for row in x) == 1
