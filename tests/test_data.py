"Data as users have it: in folders and files, on full disks and read-only ones, through the commands."

import gzip, json, os, random, shutil, subprocess, sys, warnings
from pathlib import Path

import matplotlib.pyplot
import numpy as np
import pytest
import torch
from PIL import Image

import processes
from kae_nb.data import load_dataset

rng = np.random.default_rng(0)
fonts = matplotlib.get_cachedir()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    "A user's cache and a data folder that are empty."
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('MPLCONFIGDIR', fonts)
    monkeypatch.setenv('KAE_NB_DATA', str(tmp_path / 'data'))


def write_pictures(folder, n=60, side=None):
    "Pictures of three classes that can be told apart, of 12 to 20 pixels a side unless `side` says how many."
    for i in range(n):
        h, w = (side, side) if side else rng.integers(12, 21, 2)
        image = rng.integers(0, 100, (h, w, 3), dtype=np.uint8)
        image[..., i % 3] += 120  # reddish, greenish, bluish
        file = Path(folder) / 'red green blue'.split()[i % 3] / f'{i:03}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    return folder


def write_mnist(folder, n=200):
    "Four small files in MNIST's format; return the training images."
    folder.mkdir(parents=True, exist_ok=True)
    arrays = [
        rng.integers(0, 256, (n, 28, 28), dtype=np.uint8),
        rng.integers(0, 10, n, dtype=np.uint8),
        rng.integers(0, 256, (9, 28, 28), dtype=np.uint8),
        np.arange(9, dtype=np.uint8),
    ]
    for name, array in zip(
        ('train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'), arrays
    ):
        data = (
            b'\0\0\x08'
            + bytes([array.ndim])
            + b''.join(side.to_bytes(4, 'big') for side in array.shape)
            + array.tobytes()
        )
        (folder / f'{name}-ubyte.gz').write_bytes(gzip.compress(data, 1))
    return arrays[0]


def equals(dataset, images):
    "Whether the training images are these bytes."
    return torch.equal(
        dataset.x_train, torch.from_numpy(images.reshape(len(images), -1)).float() / 255
    )


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob('*') if p.is_file())


def run(command, *arguments, folder):
    "Run a command in `folder`; return its exit status and its two outputs."
    done = processes.run(command, *arguments, folder=folder)
    return done.returncode, done.stdout, done.stderr


def test_commands_take_pictures(tmp_path):
    "A folder of color pictures of many sizes, through training, evaluation and the demo."
    write_pictures(tmp_path / 'photos')
    options = ['--dataset', 'folder:photos', '--data_options', 'size=10,grayscale=false']
    status, output, errors = run(
        'kae_train', *options, '--latent_dim', 4, '--epochs', 2, '--out', 'run', folder=tmp_path
    )
    assert status == 0, errors
    record = json.loads((tmp_path / 'run/run.json').read_text(encoding='utf-8'))
    assert record['settings']['dataset'] == 'folder:photos' and record['settings'][
        'data_options'
    ] == dict(size=10, grayscale=False)
    status, output, errors = run(
        'kae_evaluate', 'run/model.safetensors', *options, folder=tmp_path
    )
    assert (
        status == 0 and 'photos: 48 training and 12 test images, 10×10 color, 3 classes' in output
    ), errors
    assert (tmp_path / 'kae_evaluate.html').stat().st_size > 100_000
    status, output, errors = run(
        'kae_demo', *options, '--latent_dim', 4, '--epochs', 1, folder=tmp_path
    )
    assert status == 0 and output.startswith(
        'photos: 48 training and 12 test images, 10×10 color'
    ), errors
    # nothing is written to it
    assert not [name for name in files(tmp_path / 'photos') if not name.endswith('.png')]


def test_commands_take_arrays(tmp_path):
    np.savez(tmp_path / 'numbers.npz', x_train=rng.random((50, 8, 8)), y_train=np.arange(50) % 5)
    status, output, errors = run(
        'kae_demo',
        '--dataset',
        'arrays:numbers.npz',
        '--latent_dim',
        4,
        '--epochs',
        1,
        folder=tmp_path,
    )
    assert status == 0 and output.startswith(
        'numbers: 40 training and 10 test images, 8×8 gray, 5 classes'
    ), errors


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['--dataset', 'folder:photos'], 'the images have different sizes, such as'),
        (['--dataset', 'folder:none'], "there is no folder"),
        (['--dataset', 'folder:empty'], 'empty holds no images'),
        (
            ['--dataset', 'folder:mixture'],
            'mixture holds the folders blue, train: expected train and test',
        ),
        (['--dataset', 'arrays:none.npz'], "there is no file 'none.npz'"),
        (['--dataset', 'arrays:photos/red/000.png'], 'is no .npz file of plain arrays'),
        (['--dataset', 'folder'], "unknown data set 'folder': did you mean 'folder:PATH'?"),
        (
            ['--dataset', 'folder:photos', '--data_options', 'size=0'],
            'size must be at least 1, got 0',
        ),
        (
            ['--dataset', 'folder:photos', '--data_options', 'sise=8'],
            "unknown option 'sise': did you mean 'size'?",
        ),
    ],
)
def test_bad_input(tmp_path, arguments, message):
    write_pictures(tmp_path / 'photos')
    (tmp_path / 'empty').mkdir()
    for place in ('blue', 'train'):
        shutil.copytree(tmp_path / 'photos' / 'blue', tmp_path / 'mixture' / place)
    before = files(tmp_path)
    status, output, errors = run('kae_demo', *arguments, folder=tmp_path)
    last = errors.strip().splitlines()[-1]  # before it, a progress bar
    assert (
        (status, output) == (2, '')
        and last.startswith('kae_demo: ')
        and message in last
        and 'Traceback' not in errors
    )
    assert files(tmp_path) == before


def test_damaged_cache(tmp_path):
    "Cut in half or with a byte changed, it is noticed and made anew."
    images = write_mnist(tmp_path / 'data')
    assert equals(load_dataset('mnist'), images)
    (cache,) = (tmp_path / 'data/decoded').iterdir()
    whole = cache.read_bytes()
    for bad in (
        whole[: len(whole) // 2],
        whole[:100],
        b'',
        whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:],
    ):
        cache.write_bytes(bad)
        with pytest.warns(UserWarning, match='is damaged.*; made anew'):
            assert equals(load_dataset('mnist'), images)
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            assert equals(load_dataset('mnist'), images) and cache.stat().st_size == len(whole)
    again = write_mnist(tmp_path / 'data')  # other images under the same names
    assert equals(load_dataset('mnist'), again) and not equals(load_dataset('mnist'), images)
    assert len(list((tmp_path / 'data/decoded').iterdir())) == 1


def test_read_only_data(tmp_path):
    "Where nothing may be written beside the data, the user's cache is used; the superuser is not tempted either."
    images = write_mnist(tmp_path / 'data')
    (tmp_path / 'data').chmod(0o555)
    for _ in range(2):
        assert equals(load_dataset('mnist'), images)
    assert not (tmp_path / 'data/decoded').exists() and len(files(tmp_path / 'cache')) == 1
    (tmp_path / 'data').chmod(0o755)


def test_no_cache(tmp_path):
    images = write_mnist(tmp_path / 'data')
    before = files(tmp_path)
    assert equals(load_dataset('mnist', cache=False), images) and files(tmp_path) == before


def test_full_disk(tmp_path):
    "On a disk of one megabyte the data fits, its cache does not: loaded all the same, with one warning, and nothing half-written is left."
    disk = tmp_path / 'disk'
    disk.mkdir()
    if subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], capture_output=True
    ).returncode:
        pytest.skip('no right to mount a small disk')
    try:
        images = write_mnist(disk / 'data', n=1000)
        os.environ['XDG_CACHE_HOME'] = str(disk / 'cache')
        before = files(disk)
        with pytest.warns(
            UserWarning, match='could not be kept.*No space left on device'
        ) as warned:
            assert equals(load_dataset('mnist', disk / 'data'), images)
        assert len(warned) == 1 and files(disk) == before
    finally:
        subprocess.run(['umount', disk], check=True)


LOAD = "import sys; from kae_nb.data import load_dataset; print('ready', flush=True); load_dataset('mnist')"

KILLED = """
import os, signal, sys, time
from kae_nb.data import load_dataset
for line in sys.stdin:                                  # each time a new process, killed after so many seconds
    process = os.fork()
    if not process:
        load_dataset('mnist')
        time.sleep(60)
    time.sleep(float(line))
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    print('killed', flush=True)
"""


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system cannot fork')
def test_killed_while_loading(tmp_path):
    "Whenever the process is killed: what is kept is whole or not there, and the next load is right."
    images, moments = write_mnist(tmp_path / 'data', n=20_000), random.Random(0)
    killer = subprocess.Popen(
        [sys.executable, '-c', KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    for _ in range(8):
        print(moments.uniform(0, 0.25), file=killer.stdin, flush=True)
        assert killer.stdout.readline() == 'killed\n'
        for file in (tmp_path / 'data').glob('decoded/mnist-*'):
            file.unlink() if moments.random() < 0.5 else None
        with warnings.catch_warnings():
            warnings.simplefilter('error')  # a damaged file would be warned of
            assert equals(load_dataset('mnist'), images)
    killer.communicate()


def test_two_at_once(tmp_path):
    "Several processes that load the same set for the first time do not disturb each other."
    images = write_mnist(tmp_path / 'data', n=5000)
    processes = [
        subprocess.Popen(
            [sys.executable, '-W', 'error', '-c', LOAD], stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.communicate()[1] == '' and process.returncode == 0
    assert (
        equals(load_dataset('mnist'), images)
        and len(list((tmp_path / 'data/decoded').iterdir())) == 1
    )


def test_changed_folder(tmp_path):
    "A picture that is added, changed or taken away changes what is loaded; other options are kept apart."
    folder = write_pictures(tmp_path / 'photos', n=30, side=8)
    load = lambda **options: load_dataset(f'folder:{folder}', progress=False, **options)
    first = load()
    assert len(first.x_train) + len(first.x_test) == 30 and torch.equal(
        load().x_train, first.x_train
    )
    Image.new('RGB', (8, 8), 'white').save(folder / 'red' / 'new.png')
    assert len(load().x_train) + len(load().x_test) == 31
    (folder / 'red' / 'new.png').unlink()
    assert torch.equal(load().x_train, first.x_train) and not torch.equal(
        load(seed=1).x_train, first.x_train
    )
    assert (
        load(size=4).in_features == 16
        and load(grayscale=False).in_features == 192
        and load().in_features == 64
    )
    Image.new('RGB', (8, 8), 'white').save(folder / 'red' / '000.png')
    assert sum(row.min() == 1 for x in (load().x_train, load().x_test) for row in x) == 1


def load(folder, **options):
    return load_dataset(f'folder:{folder}', progress=False, **options)


def images(dataset):
    return torch.cat([dataset.x_train, dataset.x_test])


def write_ten(folder, suffix='.png', **options):
    "Ten pictures, 4 × 4 pixels each of one gray value, in two classes."
    for i in range(10):
        file = Path(folder) / ('cats', 'dogs')[i % 2] / f'{i}{suffix}'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new('L', (4, 4), 20 * i + 50).save(file, **options)
    return Path(folder)


def test_ink_on_nothing(tmp_path):
    "Black ink on a transparent ground is black on white; the file's colors are black all over."
    for i in range(10):
        image = Image.new('RGBA', (4, 4))
        image.putpixel((i % 4, i // 4), (0, 0, 0, 255))
        file = tmp_path / 'ink' / f'class {i % 2}' / f'{i}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file)
    for grayscale in (True, False):
        x = images(load(tmp_path / 'ink', grayscale=grayscale))
        assert (
            torch.equal(x.sum(1), torch.full((10,), 15.0 if grayscale else 45.0)) and x.min() == 0
        )


def test_upright(tmp_path):
    "A camera's note turns pictures before they are resized: a flag of black over white, stored on its side."
    for i in range(10):
        note = Image.Exif()
        note[0x112] = 6
        flag = Image.new('L', (4, 8))  # as it is stored: black left, white right
        flag.paste(255, (2, 0, 4, 8))
        file = tmp_path / 'flags' / f'{i}.png'
        file.parent.mkdir(exist_ok=True)
        flag.save(file, exif=note)
    flags = load(tmp_path / 'flags')
    assert flags.image_shape == (4, 8) and torch.equal(
        images(flags), torch.cat([torch.zeros(10, 16), torch.ones(10, 16)], 1)
    )
    small = load(tmp_path / 'flags', size=(2, 4)).x_train
    assert small[:, :4].max() < 0.2 and small[:, 4:].min() > 0.8


def test_masks_in_bytes(tmp_path):
    for i in range(10):
        file = tmp_path / 'masks' / f'{i}.png'
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 2, (8, 8), dtype=np.uint8)).save(file)
    for cache in (True, True, False):
        with pytest.raises(ValueError, match='no byte is above 1'):
            load(tmp_path / 'masks', cache=cache)
    for file in (tmp_path / 'masks').iterdir():
        Image.fromarray(np.asarray(Image.open(file)) > 0).save(file)
    assert load(tmp_path / 'masks').x_train.unique().tolist() == [0, 1]  # one bit a pixel


def test_what_is_left_out(tmp_path):
    folder = write_ten(tmp_path / 'set')
    for name in ('a.heic', 'b.HEIC', 'c.svg', 'notes.txt', '.hidden', '._a.png'):
        (folder / 'cats' / name).write_bytes(b'x')
    for _ in range(2):
        with pytest.warns(
            UserWarning, match='4 files or links in .* are left out: 2 .heic, 1 .svg, 1 .txt'
        ) as warned:
            assert len(images(load(folder))) == 10
        assert len(warned) == 1


@pytest.mark.parametrize(
    'train, test',
    [
        ('train', 'val'),
        ('Train', 'Validation'),
        ('training', 'testing'),
        ('TRAINING_SET', 'test_set'),
    ],
)
def test_parts(tmp_path, train, test):
    "Images set apart for validation are not trained on."
    write_ten(tmp_path / 'set' / train)
    for i, name in enumerate(('cats', 'dogs')):
        (tmp_path / 'set' / test / name).mkdir(parents=True)
        Image.new('L', (4, 4), 30 + i).save(tmp_path / 'set' / test / name / '0.png')
    dataset = load(tmp_path / 'set')
    assert (
        len(dataset.x_train),
        dataset.x_test[:, 0].mul(255).round().tolist(),
        dataset.classes,
    ) == (10, [30, 31], ('cats', 'dogs'))


def test_links(tmp_path):
    "Ten images are ten, whatever links lead to them; one image cannot be in both parts."
    folder = write_ten(tmp_path / 'set')
    for name in ('cats', 'dogs'):
        os.symlink('..', folder / name / 'up')
    os.symlink('.', folder / 'here')
    with pytest.warns(UserWarning, match='3 files or links in .* are left out: 3 met before'):
        dataset = load(folder)
    assert sorted(images(dataset)[:, 0].mul(255).round().tolist()) == [
        20 * i + 50 for i in range(10)
    ] and dataset.classes == ('cats', 'dogs')
    write_ten(tmp_path / 'parts' / 'train')
    os.symlink('train', tmp_path / 'parts' / 'test')
    with pytest.raises(ValueError, match='are one file in both parts'):
        load(tmp_path / 'parts')


def test_names_of_any_bytes(tmp_path):
    "Folders and files whose names are no text are loaded, named in warnings, kept, and shown by the command."
    strange = os.fsdecode(b'caf\xe9 \xff')
    try:
        folder = write_ten(tmp_path / strange)
    except OSError:
        pytest.skip('no such names on this file system')
    (folder / 'cats').rename(folder / strange)
    (folder / strange / '0.png').rename(folder / strange / f'{strange}.png')
    (folder / 'dogs' / f'{strange}.png').write_bytes(b'')
    for _ in range(2):
        with pytest.warns(UserWarning, match='1 of 11 image files cannot be read') as warned:
            dataset = load(folder)
        for text in (str(warned[0].message), str(dataset), *dataset.classes):
            text.encode()
    assert len(images(dataset)) == 10 and set(dataset.classes) == {r'caf\udce9 \udcff', 'dogs'}
    (folder / 'dogs' / f'{strange}.png').unlink()
    status, output, errors = run(
        'kae_demo',
        '--dataset',
        f'folder:{folder}',
        '--latent_dim',
        2,
        '--epochs',
        1,
        folder=tmp_path,
    )
    assert status == 0 and output.startswith(r'caf\udce9 \udcff: 8 training and 2 test images'), (
        errors
    )


def test_no_labels(tmp_path):
    "Pictures without folders of classes, in parts or not, and arrays without labels."
    for part in ('train', 'test'):
        for i in range(10):
            for folder in (tmp_path / 'plain', tmp_path / 'parts' / part):
                folder.mkdir(parents=True, exist_ok=True)
                Image.new('L', (4, 4), 20 * i + (50 if part == 'train' else 51)).save(
                    folder / f'{part} {i}.png'
                )
    plain, parts = load(tmp_path / 'plain'), load(tmp_path / 'parts')
    assert str(plain) == 'plain: 16 training and 4 test images, 4×4 gray, without labels'
    assert parts.x_test[:, 0].mul(255).round().tolist() == [20 * i + 51 for i in range(10)]
    np.savez(tmp_path / 'numbers.npz', x_train=rng.random((10, 4, 4)))
    assert not any(
        dataset.labeled
        for dataset in (
            plain,
            parts,
            load_dataset(f'arrays:{tmp_path}/numbers.npz'),
            plain.subset(9),
        )
    )
    with pytest.raises(
        ValueError, match='holds images without classes, but the training images have some'
    ):
        shutil.rmtree(tmp_path / 'parts' / 'train')
        write_ten(tmp_path / 'parts' / 'train')
        load(tmp_path / 'parts')


def test_nothing_to_test_with(tmp_path):
    "A test part that cannot be read ends the command before any training."
    for part in ('train', 'test'):
        write_ten(tmp_path / 'set' / part)
    for file in (tmp_path / 'set' / 'test').rglob('*.png'):
        file.write_bytes(b'')
    status, output, errors = run('kae_demo', '--dataset', 'folder:set', folder=tmp_path)
    last = errors.strip().splitlines()[-1]
    assert (status, output) == (2, '') and last.startswith(
        'kae_demo: none of 10 image files of the test part can be read'
    ), errors
    assert 'training' not in errors.replace('training images', '')


def test_optimized_python(tmp_path):
    "Checks are no assertions: they hold under python -O."
    write_ten(tmp_path / 'mixture' / 'train')
    write_ten(tmp_path / 'mixture' / 'other')
    program = '''
import numpy as np
from kae_nb.data import Dataset, load_dataset
for call in [lambda: load_dataset('digits', size=10**9), lambda: load_dataset('digits', grayscale='False'), lambda: load_dataset('digits', seed=-1),
             lambda: load_dataset('folder:mixture'), lambda: Dataset.from_arrays(np.ones((9, 64)), image_shape=(-8, -8)),
             lambda: Dataset.from_arrays(np.ones((9, 64), np.uint8)), lambda: Dataset.stream('digits', num_workers=-1)]:
    try: call()
    except (TypeError, ValueError) as error: print('\\n' not in str(error))
'''
    done = subprocess.run(
        [sys.executable, '-O', '-c', program], cwd=tmp_path, text=True, capture_output=True
    )
    assert done.stdout == 'True\n' * 7, done.stderr


def test_settings_stay(tmp_path):
    "Loading, drawing and streaming leave generators, warnings, threads and Pillow's limits as they were."
    folder = write_ten(tmp_path / 'set')
    (folder / 'cats' / 'cut.png').write_bytes(b'')
    state = lambda: (
        torch.get_rng_state().tolist(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
        list(warnings.filters),
        torch.get_num_threads(),
        Image.MAX_IMAGE_PIXELS,
    )
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        load_dataset('digits', size=9)  # imports what it needs
        before = state()
        dataset = load(folder, size=8)
        matplotlib.pyplot.close(dataset.subset(4).show(3).figure)
        for name in (f'folder:{folder}', 'digits'):
            list(type(dataset).stream(name, size=8))
        load_dataset('digits', size=9, subset=100)
        assert state() == before
