"Commands for one's own pictures, as a user meets them: all kinds of files, kills, several at once, models of one's own and of earlier versions."

import json, os, signal, subprocess, sys, time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from kae_nb import __version__
from kae_nb.autoencoder import AutoEncoder, save_module
from kae_nb.cleaning import kae_denoise
from kae_nb.console import in_terminal
from kae_nb.data import load_dataset
from kae_nb.evaluation import kae_evaluate
from kae_nb.files import locked
from kae_nb.latents import kae_encode
from kae_nb.layers import find_class
from kae_nb.maps import kae_map
from kae_nb.runs import kae_train
from kae_nb.search import kae_search
from kae_nb.training import fit

OLD = Path(__file__).with_name('files') / '0.1.0'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    "A folder with 40 digits in two classes, and a model trained on them."
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('KAE_NB_DATA', str(tmp_path / 'data'))
    write_digits(tmp_path / 'digits', 40)
    status, _, errors = in_terminal(
        kae_train, '--dataset', 'folder:digits', '--latent_dim', 4, '--epochs', 2
    )
    assert status == 0, errors
    return tmp_path


def write_digits(folder, n):
    "The first `n` digits, again and again, as PNG files in two folders."
    rows = load_dataset('digits').x_train
    for i in range(n):
        place = folder / ('odd' if i % 2 else 'even')
        place.mkdir(parents=True, exist_ok=True)
        pixels = (255 * rows[i % len(rows)]).byte().view(8, 8).numpy()
        Image.fromarray(pixels).save(place / f'{i:05}.png')


MODEL = 'kae_train/model.safetensors'


def test_a_model_says_what_it_takes(folder):
    "What kae_train has written can be read by anybody."
    with safe_open(MODEL, 'pt') as file:
        config = json.loads(file.metadata()['kae_nb'])
    assert config['version'] == __version__
    record = config['trained_on']
    assert (record['image_shape'], record['classes']) == ([8, 8], ['even', 'odd'])
    assert (record['preprocessing'], record['noise']) == ('original', None)


def test_pictures_of_all_kinds(folder):
    "Any size, format and mode, turned by a camera or hidden; names in their order."
    rng = np.random.default_rng(0)
    mixed = folder / 'mixed' / 'deep' / 'er'
    mixed.mkdir(parents=True)
    color = Image.fromarray(rng.integers(0, 256, (30, 50, 3), dtype=np.uint8))
    color.save(mixed / 'a.jpg')
    color.convert('RGBA').resize((5, 200)).save(mixed.parent / 'b.webp')
    color.convert('P').save(mixed.parent / 'c d.bmp')
    exif = Image.Exif()
    exif[0x0112] = 6  # turned to the right
    color.convert('L').save(folder / 'mixed' / 'e.jpeg', exif=exif, quality=95)
    color.convert('L').rotate(-90, expand=True).save(folder / 'mixed' / 'f.png')
    (folder / 'mixed' / 'notes.txt').write_text('none')
    (folder / 'mixed' / '.hidden.png').write_text('none')
    status, output, errors = in_terminal(kae_encode, MODEL, 'mixed', '--out', 'c.csv')
    assert status == 0, errors
    frame = pd.read_csv('c.csv')
    names = ['deep/b.webp', 'deep/c d.bmp', 'deep/er/a.jpg', 'e.jpeg', 'f.png']
    assert sorted(frame.name) == names
    latents = frame.set_index('name').filter(like='z')
    assert np.allclose(latents.loc['e.jpeg'], latents.loc['f.png'], atol=0.05)
    status, output, errors = in_terminal(kae_search, MODEL, 'mixed', 'mixed/e.jpeg', '--k', 1)
    assert status == 0 and output.splitlines()[1].endswith(' f.png'), output + errors
    assert in_terminal(kae_map, MODEL, 'mixed')[0] == 0


SLOW = """
import sys, time
import kae_nb.latents as latents
read = latents.read_rows
def slowly(*arguments):
    time.sleep(0.05)
    return read(*arguments)
latents.read_rows = slowly
from kae_nb.console import main
sys.argv[0] = 'kae_encode'
main()
"""


@pytest.mark.skipif(os.name != 'posix', reason='kills')
def test_killed_and_begun_again(folder):
    "SIGKILL at several moments: the next run goes on, and the result is that of an undisturbed one."
    write_digits(folder / 'many', 2500)
    arguments = MODEL, 'many', '--out'
    for moment in (0, 1, 2):  # so many parts are there
        out = f'killed-{moment}.npz'
        process = subprocess.Popen([sys.executable, '-c', SLOW, *arguments, out])
        parts = folder / f'.{out}.parts'
        while len([*parts.glob('*.safetensors')]) < moment or not parts.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        left = [*parts.glob('*.safetensors')]
        times = {part: part.stat().st_mtime_ns for part in left}
        assert len(left) >= moment and not Path(out).exists()
        with pytest.MonkeyPatch.context() as patch:
            # the parts that are there are looked at before they are removed
            removed = []
            kept = SimpleNamespace(rmtree=lambda path, **_: removed.append(path))
            patch.setattr('kae_nb.latents.shutil', kept)
            status, _, errors = in_terminal(kae_encode, *arguments, out)
        assert status == 0 and removed == [parts.relative_to(folder)], errors
        assert all(part.stat().st_mtime_ns == then for part, then in times.items())
    assert in_terminal(kae_encode, *arguments, 'whole.npz')[0] == 0
    with np.load('whole.npz') as whole:
        assert len(whole['names']) == 2500
        for moment in (0, 1, 2):
            with np.load(f'killed-{moment}.npz') as again:
                assert all(np.array_equal(whole[name], again[name]) for name in whole)


@pytest.mark.skipif(os.name != 'posix', reason='signals')
def test_interrupted(folder):
    "Ctrl-C: status 130, one line that says what to do, and no file but the parts."
    write_digits(folder / 'many', 2500)
    command = [sys.executable, '-c', SLOW, MODEL, 'many', '--out', 'c.csv']
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    parts = folder / '.c.csv.parts'
    while not [*parts.glob('*.safetensors')]:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130 and 'the same command goes on' in errors, errors
    assert not Path('c.csv').exists()
    assert in_terminal(kae_encode, *command[3:])[0] == 0
    assert not parts.exists()


@pytest.mark.parametrize(
    'engine',
    [
        'loky',
        pytest.param('dask', marks=pytest.mark.slow),
        pytest.param('ray', marks=pytest.mark.slow),
    ],
)
def test_engines(folder, engine, monkeypatch):
    "Parts made by other processes are those made here, also where a file cannot be read."
    write_digits(folder / 'many', 2500)
    (folder / 'many/even/cut.png').write_bytes(b'no picture')
    assert in_terminal(kae_encode, MODEL, 'many', '--out', 'here.npz')[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr('kae_nb.latents.encode_files', None)  # nothing is left to do here
        shared = '--engine', engine, '--workers', 2
        told = in_terminal(kae_encode, MODEL, 'many', '--out', 'there.npz', *shared)
    assert told[0] == 0 and '1 of 2,501 pictures cannot be read' in told[2], told
    with np.load('here.npz') as here, np.load('there.npz') as there:
        assert all(np.array_equal(here[name], there[name]) for name in ('names', 'labels'))
        assert np.allclose(here['codes'], there['codes'], atol=1e-5)
    for wrong, message in [
        (('--engine', 'lokky'), "did you mean 'loky'"),
        (('--workers', 0), 'workers must be at least 1'),
        (('--engine', 'loky', '--address', '127.0.0.1:9'), 'address is for'),
        (('--engine', 'dask', '--address', '127.0.0.1:9'), 'no dask cluster answers'),
    ]:
        status, _, errors = in_terminal(kae_encode, MODEL, 'many', '--out', 'x.npz', *wrong)
        assert status == 2 and message in errors and errors.count('\n') == 1, errors
    assert not [*folder.glob('.x.npz*')]


def test_one_at_a_time(folder):
    "Two that write in one place: the second says so, and changes nothing."
    arguments = MODEL, 'digits', 'digits/odd/00001.png', '--k', 2
    assert in_terminal(kae_search, *arguments)[0] == 0
    with locked(folder / 'digits' / '.kae_nb', 'kae_search'):
        status, _, errors = in_terminal(kae_search, *arguments)
    assert status == 2 and 'is in use by kae_search' in errors and errors.count('\n') == 1
    (folder / '.c.csv.parts').mkdir()
    with locked(folder / '.c.csv.parts', 'kae_encode'):
        status, _, errors = in_terminal(kae_encode, MODEL, 'digits', '--out', 'c.csv')
    assert status == 2 and 'is in use by kae_encode' in errors and not Path('c.csv').exists()


@pytest.mark.parametrize('layer', ['linear', 'kae', 'kan', 'fourierkan', 'wavkan'])
def test_models_of_an_earlier_version(folder, layer):
    "They do not say what they take, and --size does."
    old = OLD / f'{layer}.safetensors'
    status, _, errors = in_terminal(kae_encode, old, 'digits', '--out', 'c.csv')
    assert status == 2 and '--size 28x28' in errors and not Path('c.csv').exists()
    status, _, errors = in_terminal(kae_encode, old, 'digits', '--out', 'c.csv', '--size', 8)
    assert status == 0 and len(pd.read_csv('c.csv')) == 40, errors


OWN = '''
from torch import nn

class Conv(nn.Module):
    "Convolutions in, a linear layer out."
    def __init__(self, side, latent_dim=3):
        super().__init__()
        square, half = nn.Unflatten(1, (1, side, side)), side // 2
        convolution = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        last = nn.Linear(4 * half**2, latent_dim)
        self.encoder = nn.Sequential(square, convolution, nn.ReLU(), nn.Flatten(), last)
        self.decoder = nn.Sequential(nn.Linear(latent_dim, side**2), nn.Sigmoid())
    def encode(self, x): return self.encoder(x)
    def decode(self, z): return self.decoder(z)
    def forward(self, x): return self.decode(self.encode(x))
'''


def test_a_module_of_ones_own(folder):
    "Convolutions, trained by fit, saved, and used by every command."
    (folder / 'own_convolutions.py').write_text(OWN)
    name = 'own_convolutions:Conv'
    model = find_class(name, 'model')(8)
    data = load_dataset('folder:digits', progress=False)
    fit(model, data, 2, progress=False)
    save_module(model, 'conv.safetensors', side=8)
    for command, *arguments in [
        (kae_encode, 'digits'),
        (kae_search, 'digits', 'digits/odd/00001.png', '--k', 2),
        (kae_denoise, 'digits'),
        (kae_map, 'digits'),
        (kae_evaluate, '--dataset', 'folder:digits'),
    ]:
        told = in_terminal(command, 'conv.safetensors', *arguments, '--model_class', name)
        assert told[0] == 0, told
        status, _, errors = in_terminal(command, 'conv.safetensors', *arguments)
        assert status == 2 and '--model_class own_convolutions:Conv' in errors, errors
    codes = pd.read_csv('codes.csv')
    assert codes.columns.tolist() == ['name', 'label', 'z0', 'z1', 'z2']
    row = codes[codes.name == 'odd/00001.png'].iloc[0, 2:].to_numpy(np.float32)
    x = data.x_train[data.files_train.index('odd/00001.png')]
    with torch.no_grad():
        assert np.allclose(model.encode(x[None])[0], row, atol=1e-5)
    wrong = AutoEncoder(64, 2)
    wrong.save('ours.safetensors')
    told = in_terminal(kae_encode, 'ours.safetensors', 'digits', '--model_class', name)
    assert told[0] == 2 and 'it holds a AutoEncoder' in told[2]


def test_trained_for_noise(folder):
    "kae_train --noise says so in the model, and kae_denoise does not complain."
    train = '--dataset', 'folder:digits', '--latent_dim', 4, '--epochs', 1, '--out', 'noisy'
    status, _, errors = in_terminal(kae_train, *train, '--noise', 'salt_pepper')
    assert status == 0, errors
    status, output, errors = in_terminal(kae_denoise, 'noisy/model.safetensors', 'digits')
    assert status == 0 and 'not trained' not in errors
    assert len([*Path('denoised').rglob('*.png')]) == 40
    run = json.loads(Path('noisy/run.json').read_text())['settings']
    assert (run['noise'], run['noise_strength']) == ('salt_pepper', 0.1)
    for wrong, message in [
        (('--noise', 'snow'), "unknown noise 'snow'"),
        (('--noise_strength', 0.2), 'give that too'),
    ]:
        status, _, errors = in_terminal(kae_train, *train[:-1], 'other', *wrong)
        assert status == 2 and message in errors and not Path('other').exists()
