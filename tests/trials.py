"""Flipped bits, kills, full disks and wrong calls, many of each, on scikit-learn's digits in temporary folders, without a network.

    python tests/trials.py [flips] [kills] [disk] [calls] [--seed 0] [--quick]

Prints a table, and ends with status 1 if anything went wrong. About three minutes for all, half a minute with --quick."""

import os

# no threads before a fork
for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[name] = '1'
# where nobody answers
for name in ('http_proxy', 'https_proxy'):
    os.environ[name] = 'http://127.0.0.1:9'
os.environ['MPLBACKEND'] = 'Agg'

import argparse, gzip, importlib, io, json, pkgutil, random, shlex, shutil, signal, socket, struct, subprocess, sys, tempfile, time, traceback, warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the library beside these tests

import matplotlib
import numpy as np
import pandas as pd
import torch
from PIL import Image
import tqdm as bars

import kae_nb
from kae_nb import experiments, runs
from kae_nb import store as results
from kae_nb.autoencoder import AutoEncoder
from kae_nb.benchmarks import kae_bench
from kae_nb.cleaning import kae_denoise
from kae_nb.demo import kae_demo
from kae_nb.console import in_terminal
from kae_nb.data import load_dataset
from kae_nb.ensemble import fit_many
from kae_nb.evaluation import kae_evaluate
from kae_nb.experiments import checksum, grid, run_grid, run_group
from kae_nb.store import Store, pack, unpack
from kae_nb.latents import kae_encode
from kae_nb.maps import kae_map
from kae_nb.files import read_json, read_tensors, write_json, write_safely, write_tensors
from kae_nb.reconstruction import show_reconstructions
from kae_nb.reproduce import kae_reproduce
from kae_nb.retrieval import Index
from kae_nb.runs import kae_train, read_settings, train_run
from kae_nb.search import kae_search
from kae_nb.training import fit

tqdm = partial(bars.tqdm, leave=False, disable=None)  # no bars where nobody looks
COMMANDS = {
    function.__name__: function
    for function in (
        *(kae_demo, kae_train, kae_evaluate, kae_bench, kae_reproduce),
        *(kae_encode, kae_search, kae_denoise, kae_map),
    )
}
SMALL = dict(latent_dim=2, epochs=1, layer_options=dict(order=1), progress=False)  # for train_run
DIGITS = load_dataset('digits')
FEW = DIGITS.subset(64)
FONTS = matplotlib.get_cachedir()  # matplotlib's own files stay where they are


def job_of(**others):
    return (
        grid(
            {'digits': checksum(DIGITS)},
            [4],
            {'AE': dict(layer='linear')},
            [1e-3],
            [1e-4],
            [0],
            1,
            pca=False,
        )[0]
        | others
    )


@contextmanager
def inside(folder):
    "Work in a folder, with all that this library keeps elsewhere kept below it."
    before = os.getcwd()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    with mock.patch.dict(
        os.environ,
        KAE_NB_DATA=str(folder / '.data'),
        XDG_CACHE_HOME=str(folder / '.cache'),
        MPLCONFIGDIR=FONTS,
    ):
        try:
            yield folder
        finally:
            os.chdir(before)


class TooLong(BaseException):
    "What took too long to wait for its end; nothing catches it."


@contextmanager
def at_most(seconds):
    "End a block that takes longer by `TooLong`, where the system has alarms."
    if not hasattr(signal, 'setitimer'):
        yield
        return

    def end(*_):
        raise TooLong(f'not done after {seconds} s')

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def call(name, arguments):
    "Call a command as its console script does, in this process; return exit status, what it wrote to standard error, and seconds."
    start, errors = time.perf_counter(), ''
    with warnings.catch_warnings(), at_most(60):
        warnings.simplefilter('default')  # as in a process of its own
        for kind in (
            DeprecationWarning,
            PendingDeprecationWarning,
            ImportWarning,
            ResourceWarning,
        ):
            warnings.simplefilter('ignore', kind)
        try:
            status, _, errors = in_terminal(COMMANDS[name], *arguments)
        except BaseException as error:
            status = f'{type(error).__name__}: {error}'
    return status or 0, errors, time.perf_counter() - start


def write_pictures(folder, n=6):
    "A folder of pictures, half of them in each of two classes."
    for k, row in enumerate(DIGITS.x_train[:n]):
        file = folder / 'ab'[k % 2] / f'{k}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((row.view(8, 8) * 255).byte().numpy()).resize((12, 12)).save(file)


# flips


def kinds_of_files(folder):
    "Every kind of file that the library writes and reads: (file, function that reads it)."
    model = AutoEncoder(64, 4, order=2)
    model.save('model.safetensors')
    yield (
        'model',
        folder / 'model.safetensors',
        lambda: repr(AutoEncoder.load('model.safetensors').state_dict()),
    )
    for kind in ('exact', 'hnsw'):
        file = folder / f'{kind}.index'
        Index(DIGITS.x_train[:200, :8], kind=kind).save(file)
        yield f'{kind} index', file, lambda: Index.load(file).codes.tobytes()

    def train():
        return fit(
            AutoEncoder(64, 2),
            FEW,
            1,
            batch_size=16,
            checkpoint='training',
            checkpoint_seconds=0,
            resume=True,
            progress=False,
        ).test_loss

    train()
    yield 'checkpoint', sorted(folder.glob('training/step-*'))[-1], train

    write_pictures(folder / 'pictures')

    def pictures():
        return load_dataset('folder:pictures', 'root', progress=False).x_train.numpy().tobytes()

    pictures()
    yield 'decoded cache', next(folder.glob('root/decoded/*')), pictures

    train_run('run', **SMALL)
    yield 'run.json', folder / 'run/run.json', lambda: read_settings('run/run.json')

    jobs, store = [job_of()], Store('store')

    def stop(*_):
        raise KeyboardInterrupt

    try:
        with mock.patch.object(experiments, '_do', stop):
            run_group(jobs, store)
    except KeyboardInterrupt:
        pass

    def go_on():
        with mock.patch.object(experiments, '_do', lambda *_: None):
            run_group(jobs, store)

    yield 'jobs.json', next(store.unfinished.glob('*/jobs.json')), go_on

    run_grid(jobs, store, progress=False)
    key = store.keys().copy().pop()
    yield "a store's job", folder / f'store/{key}.json', lambda: store.read().get(key)
    pack(store.read(), 'results.csv.gz')
    yield 'results.csv.gz', folder / 'results.csv.gz', lambda: unpack('results.csv.gz').to_csv()

    for line in (
        'kae_bench layers --layers kae1 --sizes 8x8x8 --memory_size none --seconds 0',
        'kae_evaluate model.safetensors --data_options subset=50',
    ):
        name, *arguments = line.split()
        assert call(name, arguments)[0] == 0, line
        yield f"{name}'s JSON", folder / f'{name}.json', lambda: read_json(f'{name}.json')


def read(function):
    "What a function returns, None for an error; and what it says by warnings or an error."
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        try:
            found = function()
        except (ValueError, OSError) as error:
            return None, str(error)
        except Exception as error:
            return None, f'{type(error).__name__}: {error}'
    return found, '; '.join(str(warning.message) for warning in said)


def flips(folder, draw, quick):
    "Bits flipped in files: an error or a warning that names the file, and no wrong data."
    n = 5 if quick else 50
    for kind, file, function in kinds_of_files(folder):
        good, (right, said), problems = file.read_bytes(), read(function), []
        if right is None and kind != 'jobs.json' or file.name in said:
            problems.append(f'not read as it was written: {said}')
        for _ in tqdm(range(n), desc=kind):
            place, bit = draw.randrange(len(good)), draw.randrange(8)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :])
            found, said = read(function)
            if file.name not in said:
                problems.append(f'bit {bit} of byte {place} of {len(good)} not noticed; {said}')
            elif found is not None and found != right:
                problems.append(f'wrong data, and {said}')
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(good)
        yield kind, n, problems


# kills


def work_fit():
    torch.manual_seed(0)
    model = AutoEncoder(64, 8, order=2)
    history = fit(
        model, DIGITS, 60, checkpoint='training', checkpoint_seconds=0, resume=True, progress=False
    )
    model.save('model.safetensors')
    write_json('history.json', dict(train_loss=history.train_loss, test_loss=history.test_loss))


def work_fit_many():
    members = fit_many(
        lambda: AutoEncoder(64, 8, order=2),
        DIGITS,
        range(3),
        40,
        checkpoint='training',
        checkpoint_seconds=0,
        resume=True,
        progress=False,
    )
    for member in members:
        member.model.save(f'{member.seed}.safetensors')
    write_json(
        'histories.json',
        {member.seed: [member.history.train_loss, member.history.test_loss] for member in members},
    )


def work_kae_train():
    with mock.patch.object(runs, 'fit', partial(fit, checkpoint_seconds=0)):
        kae_train(latent_dim=8, layer_options='order=2', epochs=60, resume=True)


def work_kae_reproduce():
    with mock.patch.object(experiments, 'fit_many', partial(fit_many, checkpoint_seconds=0)):
        kae_reproduce(
            datasets='digits',
            latent_dims='4',
            models='AE,KAE (p=2)',
            seeds=2,
            epochs=6,
            lrs='1e-3',
            weight_decays='1e-4',
        )


def fork(work, folder, log):
    "Begin some work in a folder, in a fork of this process; return its number."
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
        with inside(folder):
            work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def without_times(value):
    "JSON without what differs from one run to the next."
    if isinstance(value, list):
        return [without_times(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: without_times(each)
        for name, each in value.items()
        if name not in ('seconds', 'training_seconds', 'finished', 'sha256')
    }


def key_of(file):
    return 'state' if file.name.startswith('step-') else 'kae_nb'  # of a checkpoint, of a model


def content(file):
    "What is in a file, without times."
    # they show times
    if file.is_dir() or file.name in ('report.html', 'figure-4.png'):
        return None
    if file.suffix == '.safetensors':  # the order of a header's entries is random
        tensors, state = read_tensors(file, key_of(file))
        return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()} | (
            {} if file.name.startswith('step-') else state
        )
    if file.suffix == '.json':
        return json.dumps(without_times(json.loads(file.read_text(encoding='utf-8'))))
    if file.name.endswith('.csv.gz'):
        return unpack(file).drop(columns=['seconds', 'training_seconds', 'finished']).to_csv()
    if file.name == 'history.csv':
        return pd.read_csv(file, dtype=str).drop(columns='seconds').to_csv()
    return file.read_bytes()


def contents(folder):
    return {str(file.relative_to(folder)): content(file) for file in sorted(folder.rglob('*'))}


def kills(folder, draw, quick):
    "SIGKILL at random moments, each time begun again: in the end the same bits as without, and nothing else."
    n = 2 if quick else 20
    if not hasattr(os, 'fork'):
        raise NotImplementedError('this system cannot fork')
    for work in (work_fit, work_fit_many, work_kae_train, work_kae_reproduce):
        name, problems, killed, rounds = work.__name__.removeprefix('work_'), [], 0, 0
        with open(folder / f'{name}.log', 'w+') as log, tqdm(total=n, desc=name) as bar:
            start = time.perf_counter()
            _, status = os.waitpid(fork(work, folder / name / 'whole', log), 0)
            seconds, right = time.perf_counter() - start, contents(folder / name / 'whole')
            if status:
                problems.append(f'does not work: {Path(log.name).read_text()[-1000:]}')
            while killed < n and not problems:
                rounds += 1
                place = folder / name / str(rounds)
                while True:
                    process = fork(work, place, log)
                    if killed < n:
                        time.sleep(draw.uniform(0, seconds / 5))
                        os.kill(process, signal.SIGKILL)
                    _, status = os.waitpid(process, 0)
                    if not os.WIFSIGNALED(status):
                        break
                    killed += 1
                    bar.update()
                found = contents(place)
                if status:
                    problems.append(
                        f'ended with status {os.WEXITSTATUS(status)}: {Path(log.name).read_text()[-1000:]}'
                    )
                elif found.keys() != right.keys():
                    problems.append(f'other files: {sorted(found.keys() ^ right.keys())}')
                else:
                    problems += [f'{file} differs' for file in right if found[file] != right[file]]
        yield f'{name}, {rounds} runs', killed, problems


# disk


@contextmanager
def full_disk(room):
    "No file can become larger than `room` bytes, and what is beyond is an error, as on a full disk."
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


REPRODUCE = 'kae_reproduce --datasets digits --latent_dims 4 --models AE --seeds 1 --epochs 1 --lrs 1e-3 --weight_decays 1e-4 --no_figures'
COMMANDS_THAT_WRITE = [  # command line, files that it writes, bytes that are left on the disk
    ('kae_demo --epochs 1 --latent_dim 2', 'kae_demo.png', (0, 20_000)),
    (
        'kae_demo --epochs 1 --latent_dim 2 --save models',
        'models/mlp.safetensors models/kae3.safetensors kae_demo.png',
        (0, 1500),
    ),
    (
        'kae_train --epochs 1 --latent_dim 2 --layer linear',
        'kae_train/model.safetensors kae_train/history.csv kae_train/figure.png',
        (0, 1500, 15_000),
    ),
    (
        'kae_evaluate ../model.safetensors --data_options subset=50',
        'kae_evaluate.html kae_evaluate.json',
        (0, 20_000),
    ),
    (
        'kae_bench layers --layers kae1 --sizes 8x8x8 --memory_size none --seconds 0',
        'kae_bench.json',
        (0, 100),
    ),
    ('kae_encode ../model.safetensors digits --size 8 --out c.csv', 'c.csv', (0, 10_000)),
    ('kae_map ../model.safetensors digits --size 8 --most 50', 'map.html', (0, 5000)),
    (
        REPRODUCE,
        'kae_reproduce/report.html kae_reproduce/results.csv.gz kae_reproduce/cells.csv',
        (0, 1500, 10_000),
    ),
]


def functions_that_write(records):
    "Functions that write one file, by what they write; each takes the path."
    yield 'AutoEncoder.save', lambda path: AutoEncoder(64, 4).save(path), 'm.safetensors'
    yield 'Index.save, exact', lambda path: Index(DIGITS.x_test).save(path), 'a.index'
    yield (
        'Index.save, hnsw',
        lambda path: Index(DIGITS.x_test[:, :4], kind='hnsw').save(path),
        'b.index',
    )
    yield 'pack', lambda path: pack(records, path), 'r.csv.gz'
    yield 'write_json', lambda path: write_json(path, dict(numbers=list(range(500)))), 'n.json'
    yield (
        'write_tensors',
        lambda path: write_tensors(path, dict(x=DIGITS.x_test), {}),
        't.safetensors',
    )
    yield (
        'write_safely',
        lambda path: write_safely(path, lambda temporary: temporary.write_bytes(bytes(5000))),
        'f.bin',
    )
    yield (
        'figure.savefig',
        lambda path: write_safely(
            path,
            show_reconstructions(dict(a=AutoEncoder(64, 4)), DIGITS.x_test, (8, 8)).figure.savefig,
        ),
        'f.png',
    )
    for key, record in records.items():
        yield (
            'Store.put',
            lambda path, record=record: Store(path.parent).put(record),
            f'{key}.json',
        )


WHOLE = {  # by suffix: what fails for a half-written file
    '.json': read_json,
    '.safetensors': lambda file: read_tensors(file, key_of(file)),
    '.gz': unpack,
    '.csv': pd.read_csv,
    '.png': lambda file: Image.open(file).load(),
    '.html': lambda file: file.read_text(encoding='utf-8').rindex('</html>'),
}


def contents_of(folder):
    return {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def left_over(folder, before):
    "What is half-written or left in a folder, beside what was there before: texts."
    for file, content in contents_of(folder).items():
        if before.get(file) == content:
            continue
        if file.name.startswith('.'):
            yield f'{file.name} is left'
        try:
            WHOLE[file.suffix](file)
        except Exception as error:
            yield f'{file.name} is half-written: {error}'
    for file in before:
        if not file.exists():
            yield f'{file.name} is gone'


def disk(folder, draw, quick):
    "Every writer on a full disk: one line, an earlier file as it was, nothing half-written."
    if not find_spec('resource'):
        raise NotImplementedError('this system has no limits for files')
    AutoEncoder(64, 2).save('model.safetensors')
    run_grid([job_of()], Store('store'), progress=False)
    records = Store('store').read()
    for name, write, file in functions_that_write(records):
        problems, rooms = [], (100,) if quick else (0, 1, 100, 500)
        for earlier in (None, b'from before'):
            for room in rooms:
                with inside(folder / f'{name} {room} {earlier}') as place:
                    if earlier:
                        (place / file).write_bytes(earlier)
                    before = contents_of(place)
                    try:
                        with full_disk(room):
                            write(place / file)
                        problems.append(f'{room} bytes left: not noticed')
                    except OSError as error:
                        if file not in str(error) or '\n' in str(error):
                            problems.append(f'{room} bytes left: {error}')
                    except Exception as error:
                        problems.append(f'{room} bytes left: {type(error).__name__}: {error}')
                    problems += left_over(place, before)
        yield name, 2 * len(rooms), problems

    for line, files, rooms in COMMANDS_THAT_WRITE:
        name, *arguments = line.split()
        problems, rooms = [], rooms[-1:] if quick else rooms
        for room in tqdm(rooms, desc=name):
            with inside(folder / f'{line.replace("/", "")} {room}') as place:
                for file in files.split():
                    (place / file).parent.mkdir(exist_ok=True)
                    (place / file).write_bytes(b'from before')
                before = contents_of(place)
                with full_disk(room):
                    status, errors, _ = call(name, arguments)
                lines = [
                    text
                    for text in errors.splitlines()
                    if text.startswith(f'{name}: ') and 'error ended at' not in text
                ]
                if status != 2 or len(lines) != 1 or 'Traceback' in errors:
                    problems.append(
                        f'{room} bytes left: status {status}, {lines or errors[-200:]}'
                    )
                problems += [f'{room} bytes left: {text}' for text in left_over(place, before)]
        yield line.replace(' --epochs 1 --latent_dim 2', '')[:40], len(rooms), problems

    problems = []
    with inside(folder / 'cache') as place:
        write_pictures(place / 'pictures')
        right = load_dataset('folder:pictures', cache=False, progress=False).x_train
        with full_disk(100):
            found, said = read(lambda: load_dataset('folder:pictures', progress=False).x_train)
        if found is None or not torch.equal(found, right) or 'could not be kept' not in said:
            problems.append(f'decoded cache: {said}')
        problems += [
            f'{path} is left'
            for path in place.rglob('*')
            if 'pictures' not in path.parts and path.is_file()
        ]
    yield 'decoded cache', 1, problems


# calls


def files_for_calls(folder):
    "Files that a user might have by mistake, for the calls below."
    for name in (
        'empty.toml',
        'empty.json',
        'empty.npz',
        'empty.safetensors',
        'empty.csv.gz',
        'empty.index',
        'empty.png',
    ):
        (folder / name).touch()
    for name in ('a_folder', 'a_folder.png', 'taken.json', 'no_pictures'):
        (folder / name).mkdir()
    (folder / 'no_pictures/readme.txt').write_text('nothing here')
    (folder / 'text.txt').write_text('some text\n')
    (folder / 'binary.toml').write_bytes(bytes(range(256)))
    (folder / 'deep.toml').write_text('latent_dim = ' + '[' * 100_000)
    (folder / 'deep.json').write_text('{"settings": ' + '[' * 100_000)
    (folder / 'list.json').write_text('[1, 2]')
    (folder / 'number.json').write_text('3')
    for name, text in TOML.items():
        (folder / f'{name}.toml').write_text(text)

    def header(text):
        return struct.pack('<Q', len(text)) + text.encode()

    config = dict(
        in_features=64,
        latent_dim=5_000_000,
        hidden_dims=[],
        layer='kae',
        protocol=None,
        layer_options={},
    )
    for name, change in dict(
        claims={},
        claims_more=dict(latent_dim=10**15),
        claims_text=dict(latent_dim='many'),
        claims_width=dict(hidden_dims=[10**9] * 3),
        claims_layer=dict(layer='os.system'),
        claims_option=dict(layer_options=dict(spline_order=10**6)),
        claims_file=dict(layer='kan', layer_options=dict(device='cuda')),
    ).items():
        text = json.dumps(config | change)
        (folder / f'{name}.safetensors').write_bytes(
            header(json.dumps({'__metadata__': {'kae_nb': text}}))
        )
    (folder / 'deep.safetensors').write_bytes(
        header('{"__metadata__": {"kae_nb": "' + '[' * 100_000 + '"}}')
    )
    (folder / 'long.safetensors').write_bytes(struct.pack('<Q', 2**62) + b'{}')
    AutoEncoder(64, 2).save(folder / 'good.safetensors')
    AutoEncoder(100, 2).save(folder / 'other.safetensors')
    data = (folder / 'good.safetensors').read_bytes()
    (folder / 'short.safetensors').write_bytes(data[:-100])
    Index(DIGITS.x_test).save(folder / 'good.index')
    x = DIGITS.x_train[:10].numpy()
    arrays = dict(
        nan=dict(x_train=x + np.nan),
        whole=dict(x_train=np.arange(640).reshape(10, 64)),
        flat=dict(x_train=x[0]),
        nothing=dict(x_train=x[:0]),
        no_x=dict(y_train=np.arange(10)),
        labels=dict(x_train=x, y_train=np.arange(3)),
        floats=dict(x_train=x, y_train=np.linspace(0, 1, 10)),
        shape=dict(x_train=x, image_shape=(-8, -8)),
        key=dict(x_train=x, x_trian=x),
        one=dict(x_train=x[:1]),
        texts=dict(x_train=x.astype(str)),
    )
    for name, content in arrays.items():
        np.savez(folder / f'{name}.npz', **content)
    np.savez(folder / 'objects.npz', x_train=np.array([{}, []], dtype=object))
    write_pictures(folder / 'pictures')
    write_pictures(folder / 'unreadable/train')
    (folder / 'unreadable/test/a').mkdir(parents=True)
    (folder / 'unreadable/test/a/x.png').write_bytes(b'no picture')
    for part in ('train', 'rest', 'old'):
        write_pictures(folder / 'layout' / part)
    for k in (1, 2):
        (folder / f'sizes/{k}').mkdir(parents=True)
        for i in range(3):
            Image.new('L', (8 * k, 8), 50 * i + 20).save(folder / f'sizes/{k}/{i}.png')
    run_grid([job_of()], Store(folder / 'store'), progress=False)
    records = Store(folder / 'store').read()
    pack(records, folder / 'results.csv.gz')
    frame = pd.read_csv(folder / 'results.csv.gz')

    def save(name, table):
        rest = gzip.compress(table.to_csv(index=False).encode(), mtime=0)[10:]
        (folder / f'{name}.csv.gz').write_bytes(
            results._header(results.hashlib.sha256(rest).hexdigest()) + rest
        )

    frame.drop(columns='recall_at_10').to_csv(folder / 'plain.csv.gz')
    save('lacks', frame.drop(columns='recall_at_10'))
    save('lacks_lr', frame.drop(columns='lr'))
    save('rows', frame[:0])
    save('words', frame.assign(seed='first'))
    save('deep', frame.assign(options='[' * 100_000))
    train_run(folder / 'finished', **SMALL)


TOML = dict(
    ten='epochs = "ten"',
    half='latent_dim = 1.5',
    wide='hidden_dims = 32',
    truth='shuffle = "perhaps"',
    unknown='optimiser = "adam"',
    nan='lr = nan',
    order='layer = "kan"\n[layer_options]\nspline_order = 3000',
    device='[layer_options]\ndevice = "cuda"',
    text='data_options = "size=8"',
    broken='epochs = ',
    minus='seed = -1',
    huge='latent_dim = 99999999999999999999999',
    gray='[data_options]\ngrayscale = 3',
)

LINES = '''
kae_demo --dataset mnits | did you mean 'mnist'
kae_demo --dataset "" | data set
kae_demo --dataset digits:8 | data set
kae_demo --dataset folder: | data set
kae_demo --dataset folder:nowhere | nowhere
kae_demo --dataset folder:text.txt | text.txt
kae_demo --dataset folder:a_folder | a_folder
kae_demo --dataset folder:no_pictures | no_pictures
kae_demo --dataset folder:layout | train
kae_demo --dataset folder:sizes | size
kae_demo --dataset folder:unreadable | test
kae_demo --dataset folder:~nobody_of_this_name | nobody_of_this_name
kae_demo --dataset arrays:nowhere.npz | nowhere.npz
kae_demo --dataset arrays:a_folder | a_folder
kae_demo --dataset arrays:empty.npz | empty.npz
kae_demo --dataset arrays:text.txt | text.txt
kae_demo --dataset arrays:nan.npz | NaN
kae_demo --dataset arrays:whole.npz | x_train
kae_demo --dataset arrays:flat.npz | x_train
kae_demo --dataset arrays:nothing.npz | x_train
kae_demo --dataset arrays:no_x.npz | x_train
kae_demo --dataset arrays:labels.npz | y_train
kae_demo --dataset arrays:floats.npz | y_train
kae_demo --dataset arrays:shape.npz | image_shape
kae_demo --dataset arrays:key.npz | x_trian
kae_demo --dataset arrays:objects.npz | objects.npz
kae_demo --dataset arrays:texts.npz | x_train
kae_demo --dataset arrays:one.npz | image
kae_demo --dataset mnist --data_root nowhere | mnist
kae_demo --dataset cifar10 --data_root text.txt | cifar10
kae_demo --latent_dim 0 | latent_dim
kae_demo --latent_dim -3 | latent_dim
kae_demo --latent_dim 65 | latent_dim
kae_demo --latent_dim 1000000000000 | latent_dim
kae_demo --latent_dim 99999999999999999999999 | latent_dim
kae_demo --latent_dim 2000000000 | latent_dim
kae_demo --latent_dim 16.5 | latent_dim
kae_demo --latent_dim sixteen | latent_dim
kae_demo --latent_dim | latent_dim
kae_demo --epochs 0 | epochs
kae_demo --epochs -1 | epochs
kae_demo --epochs many | epochs
kae_demo --epochs 99999999999999999999 | epochs
kae_demo --seed -1 | seed
kae_demo --seed 99999999999999999999 | seed
kae_demo --seed 0.5 | seed
kae_demo --device gpu | device
kae_demo --device cuda:99 | device
kae_demo --device meta | meta
kae_demo --device "" --epoch 1 | --epochs
kae_demo --latentdim 3 | --latent_dim
kae_demo --latent-dims 3 | --latent_dim
kae_demo --quiet | --quiet
kae_demo figure.png | figure.png
kae_demo --out nowhere/figure.png | nowhere
kae_demo --out text.txt/figure.png | text.txt
kae_demo --out text.txt | .png
kae_demo --out figure | .png
kae_demo --out a_folder.png/kae.bmp | .bmp
kae_demo --save nowhere/models | nowhere
kae_demo --save text.txt | text.txt
kae_demo --save text.txt/models | text.txt
kae_demo --data_options size | size
kae_demo --data_options size=0 | size
kae_demo --data_options size=-8 | size
kae_demo --data_options size=8.5 | size
kae_demo --data_options size=8x8x8 | size
kae_demo --data_options size=1000000 | size
kae_demo --data_options size=nan | size
kae_demo --data_options subset=0 | subset
kae_demo --data_options subset=100000 | subset
kae_demo --data_options subset=some | subset
kae_demo --data_options grayscale=perhaps | grayscale
kae_demo --data_options greyscale=no | grayscale
kae_demo --data_options preprocessing=inverted | inverse
kae_demo --data_options seed=-1 | seed
kae_demo --data_options size=8,size=9 | size
kae_demo --data_options root=. | root
kae_demo --data_options =3 | option
kae_train --config nowhere.toml | nowhere.toml
kae_train --config a_folder | a_folder
kae_train --config empty.json | empty.json
kae_train --config binary.toml | binary.toml
kae_train --config deep.toml | deep.toml
kae_train --config deep.json | deep.json
kae_train --config list.json | list.json
kae_train --config number.json | number.json
kae_train --config ten.toml | epochs
kae_train --config half.toml | latent_dim
kae_train --config wide.toml | hidden_dims
kae_train --config truth.toml | shuffle
kae_train --config unknown.toml | optimizer
kae_train --config nan.toml | lr
kae_train --config order.toml | spline_order
kae_train --config device.toml | device
kae_train --config text.toml | options
kae_train --config broken.toml | broken.toml
kae_train --config minus.toml | seed
kae_train --config huge.toml | latent_dim
kae_train --config gray.toml | grayscale
kae_train --layer kaes | kae
kae_train --layer "" | layer
kae_train --layer os.system | layer
kae_train --layer_options oder=2 | order
kae_train --layer_options order=two | order
kae_train --layer_options order=0 | order
kae_train --layer_options order=100000 | order
kae_train --layer_options device=cuda | device
kae_train --layer_options bias=perhaps | bias
kae_train --layer_options basis=chebichev | basis
kae_train --layer kan --layer_options spline_order=3000 | spline_order
kae_train --layer kan --layer_options grid_size=-1 | grid_size
kae_train --layer kan --layer_options grid_range=[1,-1] | grid_range
kae_train --layer kan --layer_options grid_range=3 | grid_range
kae_train --layer kan --layer_options grid_range=[nan,1] | grid_range
kae_train --layer wavkan --layer_options wavelet=haar | wavelet
kae_train --layer fourierkan --layer_options grid_size=1e3 | grid_size
kae_train --layer linear --layer_options order=2 | order
kae_train --hidden_dims 32,x | hidden_dims
kae_train --hidden_dims 0 | hidden_dims
kae_train --hidden_dims 32.5 | hidden_dims
kae_train --hidden_dims 1000000000,1000000000 | hidden_dims
kae_train --latent_dim 1000000000000 | latent_dim
kae_train --lr nan | lr
kae_train --lr inf | lr
kae_train --lr -1 | lr
kae_train --lr 0 | lr
kae_train --lr 5 | lr
kae_train --lr fast | lr
kae_train --weight_decay -1 | weight_decay
kae_train --weight_decay inf | weight_decay
kae_train --batch_size 0 | batch_size
kae_train --batch_size 99999999999999999999 | batch_size
kae_train --optimizer adm | adam
kae_train --optimizer sgd | lr
kae_train --protocol papre | protocol
kae_train --seed -1 | seed
kae_train --epochs 0 | epochs
kae_train --out text.txt | text.txt
kae_train --out text.txt/run | text.txt
kae_train --out finished | finished
kae_train --out finished --resume --epochs 7 | finished
kae_train --resme | --resume
kae_train --device cuda:99 | device
kae_train --dataset folder:layout | train
kae_evaluate | model
kae_evaluate nowhere.safetensors | nowhere.safetensors
kae_evaluate a_folder | a_folder
kae_evaluate empty.safetensors | empty.safetensors
kae_evaluate text.txt | text.txt
kae_evaluate short.safetensors | short.safetensors
kae_evaluate claims.safetensors | claims.safetensors
kae_evaluate claims_more.safetensors | claims_more.safetensors
kae_evaluate claims_text.safetensors | claims_text.safetensors
kae_evaluate claims_width.safetensors | claims_width.safetensors
kae_evaluate claims_layer.safetensors | claims_layer.safetensors
kae_evaluate claims_option.safetensors | claims_option.safetensors
kae_evaluate claims_file.safetensors | claims_file.safetensors
kae_evaluate deep.safetensors | deep.safetensors
kae_evaluate long.safetensors | long.safetensors
kae_evaluate good.index | good.index
kae_evaluate other.safetensors | 100
kae_evaluate good.safetensors --data_options size=12 | 64
kae_evaluate good.safetensors --dataset digit | digits
kae_evaluate good.safetensors --seed -1 | seed
kae_evaluate good.safetensors --seed 99999999999 | seed
kae_evaluate good.safetensors --protocol papers | protocol
kae_evaluate good.safetensors --out nowhere/report.html | nowhere
kae_evaluate good.safetensors --out report.pdf | .html
kae_evaluate good.safetensors --out taken.html | taken.json
kae_evaluate good.safetensors --device tpu | device
kae_evaluate good.safetensors good.safetensors | good.safetensors
kae_bench | what
kae_bench everything | benchmark
kae_bench layers --layers none | layers
kae_bench layers --layers , | layers
kae_bench layers --layers kea1 | kae1
kae_bench layers --seconds nan | seconds
kae_bench layers --seconds inf | seconds
kae_bench layers --seconds -1 | seconds
kae_bench layers --sizes 8x8 | 8x8
kae_bench layers --sizes 8x8xeight | 8x8xeight
kae_bench layers --sizes 0x784x16 | 0x784x16
kae_bench layers --sizes 1000000000x784x16 | 1000000000x784x16
kae_bench layers --sizes 8x8x8 --memory_size 1x1000000x1000000 | memory
kae_bench layers --out nowhere/bench.json | nowhere
kae_bench layers --device cuda:99 | device
kae_bench training --dataset digit | digits
kae_bench training --dataset digits --epochs 0 | epochs
kae_bench training --dataset digits --seeds -1 | seeds
kae_bench training --dataset digits --seeds 1000000000 --compiled none | seeds
kae_bench training --dataset digits --compiled kae4 | kae3
kae_reproduce --datasets "" | datasets
kae_reproduce --datasets mnits | mnist
kae_reproduce --datasets digits,folder:nowhere | nowhere
kae_reproduce --datasets digits --latent_dims 0 | latent_dims
kae_reproduce --datasets digits --latent_dims 16;32 | latent_dims
kae_reproduce --datasets digits --latent_dims 65 | latent_dims
kae_reproduce --datasets digits --latent_dims 1000000000000 | latent_dims
kae_reproduce --datasets digits --models none | model
kae_reproduce --datasets digits --models "KAE (p=4)" | KAE (p=3)
kae_reproduce --datasets digits --seeds 0 | seeds
kae_reproduce --datasets digits --seeds 1000000000 | seeds
kae_reproduce --datasets digits --epochs -1 | epochs
kae_reproduce --datasets digits --epochs ten | epochs
kae_reproduce --datasets digits --lrs nan | lrs
kae_reproduce --datasets digits --lrs fast | lrs
kae_reproduce --datasets digits --lrs 0 | lrs
kae_reproduce --datasets digits --weight_decays -1 | weight_decays
kae_reproduce --datasets digits --engine dusk | dask
kae_reproduce --datasets digits --engine loky --workers 0 | workers
kae_reproduce --datasets digits --engine loky --workers 100000 | workers
kae_reproduce --datasets digits --engine loky --address 127.0.0.1:9 | address
kae_reproduce --datasets digits --engine dask --address 127.0.0.1:9 | engine|cluster
kae_reproduce --datasets digits --engine dask --address tcp://127.0.0.1:SILENT | engine|cluster
kae_reproduce --datasets digits --engine dask --address 127.0.0.1 | engine|address
kae_reproduce --datasets digits --engine dask --address 127.0.0.1:port | engine|address
kae_reproduce --datasets digits --engine ray --address 127.0.0.1:9 | engine|cluster
kae_reproduce --datasets digits --engine ray --address ray://127.0.0.1:SILENT | engine|cluster
kae_reproduce --datasets digits --engine loky --store memory://kae | store
kae_reproduce --datasets digits --store memory://kae | store
kae_reproduce --datasets digits --store nosuch://bucket/kae | store
kae_reproduce --datasets digits --store s3://bucket/kae | store
kae_reproduce --datasets digits --store text.txt | store
kae_reproduce --datasets digits --store text.txt/store | store
kae_reproduce --datasets digits --out text.txt | out
kae_reproduce --datasets digits --results nowhere.csv.gz | nowhere.csv.gz
kae_reproduce --datasets digits --results a_folder | a_folder
kae_reproduce --datasets digits --results empty.csv.gz | empty.csv.gz
kae_reproduce --datasets digits --results text.txt | text.txt
kae_reproduce --datasets digits --results lacks.csv.gz | recall_at_10
kae_reproduce --datasets digits --results plain.csv.gz | recall_at_10
kae_reproduce --datasets digits --results lacks_lr.csv.gz | lr
kae_reproduce --datasets digits --results rows.csv.gz | rows
kae_reproduce --datasets digits --results words.csv.gz | seed
kae_reproduce --datasets digits --results deep.csv.gz | deep
kae_reproduce --datasets digits --device gpu | device
kae_reproduce --datasets digits --epoch 3 | epochs
kae_reproduce digits | digits
kae_encode | model
kae_encode good.safetensors | source
kae_encode nowhere.safetensors pictures --out c.csv | nowhere.safetensors
kae_encode text.txt pictures --out c.csv | text.txt
kae_encode short.safetensors pictures --out c.csv | short.safetensors
kae_encode claims.safetensors pictures --out c.csv | claims.safetensors
kae_encode a_folder pictures --out c.csv | a_folder
kae_encode good.safetensors pictures --out c.csv | size
kae_encode good.safetensors pictures --size 9 --out c.csv | 9×9
kae_encode good.safetensors pictures --size wide --out c.csv | size
kae_encode good.safetensors nowhere --size 8 --out c.csv | nowhere
kae_encode good.safetensors no_pictures --size 8 --out c.csv | no_pictures
kae_encode good.safetensors text.txt --size 8 --out c.csv | text.txt
kae_encode good.safetensors empty.png --size 8 --out c.csv | empty.png
kae_encode good.safetensors empty.npz --size 8 --out c.csv | empty.npz
kae_encode good.safetensors nan.npz --size 8 --out c.csv | NaN
kae_encode good.safetensors mnist --size 8 --data_root nowhere --out c.csv | mnist
kae_encode good.safetensors pictures --size 8 --labels a --out c.csv | labels
kae_encode good.safetensors pictures --size 8 --out c.txt | c.txt
kae_encode good.safetensors pictures --size 8 --out nowhere/c.csv | nowhere
kae_encode good.safetensors pictures --size 8 --out taken.json | taken.json
kae_encode good.safetensors pictures --size 8 --device gpu --out c.csv | device
kae_encode good.safetensors pictures --size 8 --layer kan --out c.csv | kan
kae_encode good.safetensors pictures --size 8 --model_class os:system --out c.csv | os:system
kae_encode good.safetensors pictures --size 8 --model_class torch.nn:Linear --out c.csv | AutoEncoder
kae_search good.safetensors pictures | queries
kae_search good.safetensors pictures empty.png --k 2 --size 8 | empty.png
kae_search good.safetensors pictures nowhere.png --k 2 --size 8 | nowhere.png
kae_search good.safetensors nowhere empty.png --size 8 | nowhere
kae_search good.safetensors no_pictures empty.png --size 8 | no_pictures
kae_search good.safetensors pictures pictures --size 8 --k 7 | k=7
kae_search good.safetensors pictures pictures --size 8 --k 0 | k
kae_search good.safetensors pictures pictures --size 8 --k three | k
kae_search good.safetensors pictures pictures --size 8 --metric l1 | metric
kae_search good.safetensors pictures pictures --size 8 --out s.txt | s.txt
kae_search good.safetensors pictures pictures --size 8 --out a_folder.png | a_folder.png
kae_search good.safetensors pictures pictures --k 2 --size 9 | 9×9
kae_search long.safetensors pictures pictures --k 2 | long.safetensors
kae_denoise good.safetensors | files
kae_denoise good.safetensors empty.png --size 8 --out new | empty.png
kae_denoise good.safetensors nowhere.png --size 8 --out new | nowhere.png
kae_denoise good.safetensors no_pictures --size 8 --out new | no_pictures
kae_denoise good.safetensors pictures --size 8 --out text.txt | text.txt
kae_denoise good.safetensors pictures --size 8 --out pictures | pictures
kae_denoise good.safetensors pictures --size 9 --out new | 9×9
kae_denoise deep.safetensors pictures --out new | deep.safetensors
kae_map good.safetensors | source
kae_map good.safetensors pictures | size
kae_map good.safetensors nowhere --size 8 | nowhere
kae_map good.safetensors pictures --size 8 --method umap | method
kae_map good.safetensors pictures --size 8 --most 0 | most
kae_map good.safetensors pictures --size 8 --seed -1 | seed
kae_map good.safetensors pictures --size 8 --out m.png | m.png
kae_map claims_layer.safetensors pictures --size 8 | claims_layer.safetensors
'''.strip().splitlines()

EXPRESSIONS = '''
AutoEncoder(0, 4)
AutoEncoder(64, -1)
AutoEncoder(64, 4.0)
AutoEncoder(64, '4')
AutoEncoder(64, 10**12)
AutoEncoder(64, 10**30)
AutoEncoder(64, 4, hidden_dims=32)
AutoEncoder(64, 4, hidden_dims='32')
AutoEncoder(64, 4, hidden_dims=[32.5])
AutoEncoder(64, 4, hidden_dims=[0])
AutoEncoder(64, 4, layer='kaes')
AutoEncoder(64, 4, layer=None)
AutoEncoder(64, 4, layer=nn.Linear(64, 4))
AutoEncoder(64, 4, oder=2)
AutoEncoder(64, 4, order=-1)
AutoEncoder(64, 4, order=10**6)
AutoEncoder(64, 4, order='2')
AutoEncoder(64, 4, bias='no')
AutoEncoder(64, 4, basis='taylor')
AutoEncoder(64, 4, device='x')
AutoEncoder(64, 4, device='cuda:99')
AutoEncoder(64, 4, dtype=torch.int64)
AutoEncoder(64, 4, protocol='papers')
AutoEncoder(64, 4, layer='kan', spline_order=3000)
AutoEncoder(64, 4, layer='kan', grid_range=(1, 1))
AutoEncoder(64, 4, layer='wavkan', wavelet='haar')
AutoEncoder(64, 4, layer=lambda i, o: 'layer')
AutoEncoder.load('nowhere.safetensors')
AutoEncoder.load('claims.safetensors')
AutoEncoder.load('a_folder')
AutoEncoder.load('good.safetensors', device='x')
model.save('nowhere/model.safetensors')
model.save('a_folder')
AutoEncoder(64, 4, layer=lambda i, o: nn.Linear(i, o)).save('own.safetensors')
make_layer('kae', 0, 4)
make_layer('kae', 64, 4, degree=2)
make_layer(3, 64, 4)
edge_values(make_layer('kae', 3, 2), torch.zeros(5, 2))
plot_activations(make_layer('kae', 3, 2), torch.zeros(0, 3))
import_state(make_layer('kae', 3, 2), {})
encode(model, 'digits')
encode(model, digits)
encode(model, x.long())
encode(model, x[0, 0])
encode(model, x[:, :10])
encode(model, x, batch_size=0)
encode(model, x.numpy().astype(str))
encode('model', x)
decode(model, x)
decode(None, x[:, :4])
reconstruct(model, None)
reconstruction_errors(model, x[:, :5])
reconstruction_errors(nn.Linear(64, 3), x)
fit(model, 'digits')
fit(model, x)
fit('model', digits)
fit(nn.ReLU(), digits)
fit(nn.Linear(64, 3), digits)
fit(nn.Linear(60, 60), digits)
fit(AutoEncoder(60, 4), digits)
fit(model, digits, epochs=0)
fit(model, digits, epochs=2.5)
fit(model, digits, epochs='ten')
fit(model, digits, lr=float('nan'))
fit(model, digits, lr='fast')
fit(model, digits, lr=100)
fit(model, digits, weight_decay=-1)
fit(model, digits, batch_size=0)
fit(model, digits, seed=-1)
fit(model, digits, seed=2**64)
fit(model, digits, shuffle='no')
fit(model, digits, optimizer='adm')
fit(model, digits, optimizer='sgd')
fit(model, digits, device='x')
fit(model, digits, device='meta')
fit(model, digits, protocol='papers')
fit(model, digits, compile='yes')
fit(model, digits, mixed_precision=1)
fit(model, digits, resume=True)
fit(model, digits, checkpoint='text.txt')
fit(model, digits, checkpoint='training', checkpoint_seconds=float('nan'))
fit(model, digits, restore_best='no')
fit(model.half(), digits)
fit_many(model, digits)
fit_many(lambda: 'model', digits)
fit_many(lambda: AutoEncoder(60, 4), digits)
fit_many(lambda: AutoEncoder(64, 4), 'digits')
fit_many(lambda: AutoEncoder(64, 4), digits, seeds=[])
fit_many(lambda: AutoEncoder(64, 4), digits, seeds=[-1])
fit_many(lambda: AutoEncoder(64, 4), digits, seeds='012')
fit_many(lambda: AutoEncoder(64, 4), digits, lr=[1e-3, 'fast'])
fit_many(lambda: AutoEncoder(64, 4), digits, max_memory=0)
fit_many(lambda: AutoEncoder(64, 4), digits, device='x')
fit_many(lambda: AutoEncoder(64, 4), digits, shuffle='no')
fit_many(lambda: model, digits, seeds=2)
load_dataset('mnits')
load_dataset(None)
load_dataset(3)
load_dataset('digits', 5)
load_dataset('digits', size=0)
load_dataset('digits', size='8 by 8')
load_dataset('digits', size=10**6)
load_dataset('digits', size=(8, 8, 8))
load_dataset('digits', subset=0)
load_dataset('digits', subset=2.5)
load_dataset('digits', subset=10**9)
load_dataset('digits', seed=-1)
load_dataset('digits', grayscale='no')
load_dataset('digits', cache='no')
load_dataset('digits', preprocessing='invert')
load_dataset('folder:a_folder')
load_dataset('arrays:good.safetensors')
load_dataset('arrays:one.npz', grayscale=True)
digits.subset(0)
digits.subset(10**9)
digits.part('validation')
digits.to('x')
list(digits.batches(0))
list(digits.batches(part='val'))
Dataset.stream('digits', part='val')
Dataset.stream('digits', batch_size=0)
Dataset.stream('digits', num_workers=-1)
Dataset.stream('folder:nowhere')
Dataset.from_arrays(x, image_shape=(-8, -8))
Dataset.from_arrays(x, image_shape=8)
Dataset.from_arrays(x, image_shape=(7, 9))
Dataset.from_arrays('digits')
Dataset.from_arrays(None)
Dataset.from_arrays([[1, 2], [3]])
Dataset.from_arrays(x, y_train=[1, 2])
Dataset.from_arrays(x, x_test=x[:, :5])
Dataset.from_arrays(x, y_train=digits.y_train, classes='a')
Dataset.from_arrays(x, seed=-1)
Dataset.from_arrays(x/0)
read_idx('empty.npz')
read_cifar('text.txt')
read_image('empty.png')
read_image('good.safetensors')
resize(np.zeros((2, 8, 8), np.uint8), 0)
is_available('mnits')
Index([])
Index('codes')
Index(x[0])
Index(x, metric='cosine')
Index(x, kind='fast')
Index(x, kind='hnsw', links=0)
Index(x, kind='hnsw', breadth=0)
Index(x).search(x[:, :3])
Index(x).search(x, 0)
Index(x).search(x, 10**6)
Index(x).save('nowhere/x.index')
Index.load('nowhere.index')
Index.load('empty.index')
Index.load('good.safetensors')
Index.load('a_folder')
neighbor_recall(x, x[:5])
neighbor_recall(x, x, k=10**6)
recall_at_k(model, x, k=0)
recall_at_k(model, x, n=1)
recall_at_k(model, x, protocol='paper')
evaluate_retrieval(model, x, ks=10)
evaluate_retrieval(model, x, ks=[])
nearest_labels(x, digits.y_train[:5], x)
nearest_neighbor_accuracy(model, digits, k=0)
confusion(model, digits, k=10**6)
probe_accuracy(model, digits, probe='forest')
probe_accuracy(model, digits, n=0)
probe_accuracy(model, digits, seed=-1)
label_curve(model, digits, counts=10)
evaluate_classification(model, digits, probes='svm')
reconstruction_mse(model, x, protocol='papers')
psnr(x, x[:5])
psnr(x, x, data_range=0)
ssim(x, x, (7, 9))
ssim(x, x, (8, 8), data_range=-1)
evaluate_reconstruction(model, x, 64)
show_reconstructions([model], x, (8, 8))
show_reconstructions({'a': model}, x, (8, 8), n=0)
add_noise(x, 'pepper')
add_noise(x, sigma=-1)
add_noise(x, seed=-1)
add_noise(x, sigm=0.1)
add_noise(x, 'salt_pepper', zeros=2)
denoising_mse(model, x, target='cleen')
evaluate_denoising(model, x, noises='gaussian')
MedianFilter((8, 8), size=0)
NoisyInput(model, noise='pepper')
evaluate(model, digits, protocol='papers')
evaluate(model, digits, seed=-1)
evaluate(model, digits, ks=(0,))
evaluate(AutoEncoder(60, 4), digits)
demo(digits, latent_dim=65)
demo(digits, epochs=0)
demo(digits, seed=-1)
train_run('run', epochs='ten')
train_run('run', optimiser='adam')
train_run('run', latent_dim=10**12)
train_run('finished', latent_dim=3, resume=True)
train_run('text.txt')
read_settings('deep.toml')
grid({'digits': 'a'}, latent_dims=4)
grid({'digits': 'a'}, lrs=[])
grid({'digits': 'a'}, seeds=range(10**12))
grid({'digits': 'a'}, epochs=0)
grid('digits')
paper_jobs({'digits': digits}, latent_dims=[65])
Store('nosuch://a')
Store('text.txt')
Store('text.txt/store').put({'job': {}})
unpack('nowhere.csv.gz')
unpack('lacks.csv.gz')
unpack('deep.csv.gz')
pack({}, 'empty_results.csv.gz')
pack(records, 'nowhere/results.csv.gz')
run_grid([job], Store('store'), engine='dusk')
run_grid([job], Store('store'), engine='dask', address='127.0.0.1:9')
run_grid([job], Store('store'), engine='ray', address='127.0.0.1:9')
run_grid([job], Store('memory://kae'), engine='loky')
run_grid([job], Store('store'), workers=0)
run_grid([dict(job, data='other', seed=9)], Store('store'))
summarize(unpack('results.csv.gz'), 'error')
table(unpack('results.csv.gz'), 'recall_at_10', protocol='papers')
write_report(unpack('results.csv.gz')[:0], 'report')
capacity_models(0, 16)
capacity_models(784, 0)
convergence_jobs({'digits': 'a'}, seeds=[])
bench_layers(layers=[])
bench_layers(layers=['kae9'])
bench_layers(sizes=[(10**9, 784, 16)])
bench_layers(seconds=float('nan'))
bench_training(digits, models=[])
bench_training(digits, epochs=0)
compare_speed({'a': time.time}, seconds=float('inf'))
superposition(np.sum, np.zeros((2, 2)), levels=(5, 3))
superposition(np.sum, np.full((2, 2), 2.))
'''.strip().splitlines()

PROCESSES = '''
kae_demo --latent_dim 0 | latent_dim
kae_demo --dataset mnits | mnist
kae_demo --epoch 3 | --epochs
kae_train --config deep.toml | deep.toml
kae_train --seed -1 | seed
kae_train --layer_options device=cuda | device
kae_evaluate claims.safetensors | claims.safetensors
kae_evaluate nowhere.safetensors | nowhere.safetensors
kae_bench layers --layers none | layers
kae_bench layers --seconds nan | seconds
kae_reproduce --datasets digits --engine dask --address 127.0.0.1:9 | engine|cluster
kae_reproduce --datasets digits --store s3://bucket/kae | store
'''.strip().splitlines()


def listing(folder):
    return {
        path: path.is_dir() or (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob('*')
    }


def wrong_in(status, errors, seconds, expected):
    "What is wrong with the end of a wrong call of a command, or None."
    if status != 2:
        return f'status {status}: {errors[-300:]}'
    if errors.count('\n') != 1:
        return f'{errors.count(chr(10))} lines: {errors[-300:]}'
    if not any(word in errors for word in expected.split('|')):
        return f'does not name {expected}: {errors}'
    if seconds > 10:
        return f'took {seconds:.0f} s'


def in_a_process(line):
    "Call a command in a process of its own; return exit status, what it wrote to standard error, and seconds."
    name, *arguments = shlex.split(line)
    # imports apart
    clock = 'import atexit, time; start = time.perf_counter(); atexit.register(lambda: print(time.perf_counter() - start))'
    code = f'import {COMMANDS[name].__module__}, sys; from kae_nb.console import main; sys.argv[0] = {name!r}; {clock}; main()'
    path = os.pathsep.join(
        filter(None, [str(Path(__file__).resolve().parent.parent), os.environ.get('PYTHONPATH')])
    )
    done = subprocess.run(
        [sys.executable, '-c', code, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, 'PYTHONPATH': path},
    )
    return done.returncode, done.stderr, float(done.stdout.split()[-1])


def calls(folder, draw, quick):
    "Calls that cannot be right: one line that says what, status 2 or an error of Python's, in ten seconds, and nothing is made or changed."
    files_for_calls(folder)
    silent = socket.create_server(('127.0.0.1', 0))  # takes connections, and never answers
    port = str(silent.getsockname()[1])
    before = listing(folder)

    def made():
        "What a call has made or changed, in a sentence; removed, so that the next begins as this one did."
        after = listing(folder)
        changed = sorted(
            {
                path.relative_to(folder).parts[0]
                for path in before.keys() | after.keys()
                if before.get(path) != after.get(path)
            }
        )
        for path in after.keys() - before.keys():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        before.clear()
        before.update(listing(folder))
        return f'made or changed {", ".join(changed)}' if changed else None

    for name in COMMANDS:
        problems, chosen = (
            [],
            [line for line in (LINES[::10] if quick else LINES) if line.startswith(name)],
        )
        for line in tqdm(chosen, desc=name):
            typed, _, expected = line.partition(' | ')
            problem = wrong_in(
                *call(name, shlex.split(typed.replace('SILENT', port))[1:]), expected
            )
            problems += [f'{typed}: {each}' for each in (problem, made()) if each]
        yield name, len(chosen), problems

    problems, chosen = [], EXPRESSIONS[::10] if quick else EXPRESSIONS
    known = {}
    ours = dict(
        torch=torch,
        nn=torch.nn,
        np=np,
        time=time,
        digits=DIGITS,
        x=DIGITS.x_train[:100],
        records=Store('store').read(),
        job=job_of(seed=5),
    )
    for module in pkgutil.iter_modules(kae_nb.__path__):
        if not module.name.startswith('_'):
            known |= vars(importlib.import_module(f'kae_nb.{module.name}'))
    known |= ours  # whatever the library calls its own
    for expression in tqdm(chosen, desc='Python'):
        start = time.perf_counter()
        with (
            warnings.catch_warnings(),
            redirect_stderr(io.StringIO()),
            redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter('ignore')
            try:
                with at_most(60):
                    problem = f'no error, but {eval(expression, known | dict(model=AutoEncoder(64, 4)))!r}'[
                        :200
                    ]
            except (ValueError, TypeError, OSError) as error:
                problem = (
                    None
                    if str(error) and '\n' not in str(error)
                    else f'{type(error).__name__} of several lines: {error}'
                )
            except BaseException as error:
                problem = f'{type(error).__name__}: {error}'
        if time.perf_counter() - start > 10:
            problem = f'took {time.perf_counter() - start:.0f} s'
        problems += [f'{expression}: {each}' for each in (problem, made()) if each]
    yield 'Python', len(chosen), problems

    problems, chosen = [], PROCESSES[::10] if quick else PROCESSES
    for line in tqdm(chosen, desc='processes'):
        typed, _, expected = line.partition(' | ')
        problem = wrong_in(*in_a_process(typed), expected)
        problems += [f'{typed}: {each}' for each in (problem, made()) if each]
    yield 'processes', len(chosen), problems

    problems = []
    for engine in ('dask', 'ray'):
        with mock.patch.object(experiments, 'find_spec', lambda name: None):
            problem = wrong_in(
                *call('kae_reproduce', ['--datasets', 'digits', '--engine', engine]),
                'not installed',
            )
        problems += [
            f'{engine} that is not installed: {each}' for each in (problem, made()) if each
        ]
    yield 'engines not installed', 2, problems
    silent.close()


# all

TRIALS = dict(flips=flips, kills=kills, disk=disk, calls=calls)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('trials', nargs='*', help=f'{", ".join(TRIALS)} (default: all)')
    parser.add_argument('--seed', type=int, default=0, help='of the random places and moments')
    parser.add_argument('--quick', action='store_true', help='a tenth of each')
    options = parser.parse_args()
    if unknown := set(options.trials) - set(TRIALS):
        parser.error(f'unknown trials {", ".join(sorted(unknown))}; known are {", ".join(TRIALS)}')
    torch.set_num_threads(1)
    bars.tqdm.monitor_interval = 0  # no thread of its own
    rows = []
    for name in options.trials or TRIALS:
        start = time.perf_counter()
        with (
            tempfile.TemporaryDirectory() as folder,
            inside(Path(folder).resolve()) as place,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter('ignore')
            try:
                for what, tried, problems in TRIALS[name](
                    place, random.Random(options.seed), options.quick
                ):
                    rows.append(dict(trial=name, what=what, tried=tried, problems=len(problems)))
                    for problem in problems[:10]:
                        print(f'{name}, {what}: {problem}', flush=True)
                    if problems[10:]:
                        print(f'{name}, {what}: … and {len(problems) - 10} more')
            except NotImplementedError as reason:
                print(f'{name}: skipped, {reason}')
        print(f'{name}: {time.perf_counter() - start:.0f} s', file=sys.stderr)
    print(pd.DataFrame(rows).to_string(index=False))
    sys.exit(1 if any(row['problems'] for row in rows) else 0)


if __name__ == '__main__':
    main()
