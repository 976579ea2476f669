"`kae_evaluate` as a process: what a user sees, what is left on the disk, how it ends; files that mislead; and that measuring changes nothing."

import hashlib, inspect, os, signal, subprocess, sys, time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use('agg')
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn

import processes
from kae_nb import classification, denoising, evaluation, reconstruction, retrieval
from kae_nb.autoencoder import AutoEncoder
from kae_nb.data import load_dataset
from kae_nb.files import read_json

COMMAND = Path(sys.executable).with_name('kae_evaluate')


def run(*arguments, folder, **environment):
    "Run `kae_evaluate` in `folder`; return the finished process."
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in Path(folder).rglob('*') if p.is_file()}


@pytest.fixture
def folder(tmp_path):
    "A folder with a model of digits, one of larger images, and one of tiny images with data for it."
    torch.manual_seed(0)
    AutoEncoder(64, 4, layer='linear').save(tmp_path / 'small.safetensors')
    AutoEncoder(784, 4).save(tmp_path / 'large.safetensors')
    AutoEncoder(16, 2, layer='linear').save(tmp_path / '<script>$1_$5.safetensors')
    (tmp_path / 'text.safetensors').write_text('no tensors')
    images = np.random.default_rng(0).random((60, 4, 4), dtype=np.float32)
    # one image of the first class
    labels = np.array(['<b>', '$1_$5'])[(np.arange(60) > 0).astype(int)]
    np.savez(
        tmp_path / 'two.npz',
        x_train=images[:40],
        y_train=labels[:40],
        x_test=images[40:],
        y_test=labels[40:],
    )
    return tmp_path


def test_report(folder):
    done = processes.run(
        'kae_evaluate',
        'small.safetensors',
        '--out',
        'report.html',
        '--protocol',
        'paper',
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith('digits: 1,437 training') and lines[1].split() == ['small', 'PCA']
    assert lines[-2:] == ['report:  report.html', 'numbers: report.json']
    assert 'measuring small on digits' in done.stderr and 'retrieval' in done.stderr  # progress
    numbers = read_json(folder / 'report.json')
    assert (numbers['dataset'], numbers['protocol'], list(numbers['rows'])) == (
        'digits',
        'paper',
        ['small', 'PCA'],
    )
    assert numbers['left_out'] == {} and 'left out' not in done.stderr
    printed = {line.split()[0]: line.split()[1:] for line in lines[2:-2]}
    for name, value in numbers['rows']['small'].items():
        assert abs(float(printed[name][0]) - value) <= 0.5
    assert (
        numbers['rows']['PCA']['reconstruction_mse'] < 0.05
        and numbers['rows']['PCA']['accuracy_1nn'] > 0.6
    )
    page = (folder / 'report.html').read_text(encoding='utf-8')
    assert page.count('<img') == 8 and 'src="http' not in page and 'Left out' not in page
    assert {p.name for p in folder.iterdir()} == {
        'small.safetensors',
        'large.safetensors',
        'text.safetensors',
        'two.npz',
        '<script>$1_$5.safetensors',
        'report.html',
        'report.json',
    }


def test_what_fails_leaves_the_rest(folder):
    "Images too small for SSIM, a class with one image that one probe cannot learn, names that are no HTML and no formulas."
    done = run(
        '<script>$1_$5.safetensors',
        '--dataset',
        'arrays:two.npz',
        folder=folder,
        PYTHONIOENCODING='ascii',
    )
    assert done.returncode == 0, done.stderr
    numbers = read_json(folder / 'kae_evaluate.json')
    row, reasons = numbers['rows']['<script>$1_$5'], numbers['left_out']['<script>$1_$5']
    assert sorted(name for names in reasons for name in names.split(', ')) == [
        'accuracy_mlp',
        'recall_at_100',
        'ssim',
    ]
    assert {name for name, value in row.items() if value is None} == {'accuracy_mlp', 'ssim'}
    assert (
        'only 1 member' in reasons['accuracy_mlp']
        and 'left out: <script>$1_$5: accuracy_mlp: ' in done.stderr
    )
    page = (folder / 'kae_evaluate.html').read_text(encoding='utf-8')
    assert (
        page.count('<img') == 8
        and '<script' not in page
        and '<h2>Left out</h2>' in page
        and 'only 1 member' in page
    )
    assert r'4\xd74' in done.stdout  # × on a terminal that has no such character


def test_no_labels_and_nobody_reads(folder):
    "Images without labels get a report; its files are there, whoever stops reading what is printed."
    with np.load(folder / 'two.npz') as arrays:
        images = arrays['x_train']
    np.savez(
        folder / 'none.npz',
        x_train=images,
        y_train=np.zeros(40, int),
        x_test=images[:20],
        y_test=np.zeros(20, int),
    )
    line = f'"{COMMAND}" "<script>\\$1_\\$5.safetensors" --dataset arrays:none.npz 2>errors | head -1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ['bash', '-c', line], cwd=folder, timeout=120, capture_output=True, text=True
    )
    errors = (folder / 'errors').read_text()
    assert (
        done.returncode == 0
        and done.stdout.count('\n') == 1
        and 'Traceback' not in errors
        and 'BrokenPipe' not in errors
    ), errors
    assert '</html>' in (folder / 'kae_evaluate.html').read_text(encoding='utf-8')
    numbers = read_json(folder / 'kae_evaluate.json')
    for row in numbers['rows'].values():
        assert (
            row['reconstruction_mse'] > 0
            and row['recall_at_10'] > 0
            and row['accuracy_1nn'] is None
        )
    assert 'no labels to tell apart' in numbers['left_out']['pictures']['Confusion']


def test_interrupt(folder):
    "Ctrl-C while a model is measured: status 130, and no report of a half-trained probe."
    before = files(folder)
    with subprocess.Popen(
        [COMMAND, 'small.safetensors'],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        line = process.stderr.readline()
        while line and 'measuring' not in line:
            line = process.stderr.readline()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (
        process.returncode == 130
        and output == ''
        and errors.endswith('kae_evaluate: interrupted\n')
    ), errors
    assert files(folder) == before


def test_bad_input_in_a_terminal(folder):
    before = files(folder)
    done = processes.run('kae_evaluate', 'large.safetensors', folder=folder)
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        '',
        'kae_evaluate: the model takes images of 784 pixels, got 64\n',
    )
    assert files(folder) == before


@pytest.mark.parametrize(
    'model, options, message',
    [
        ('none', {}, 'none.safetensors'),
        ('text', {}, 'text.safetensors is damaged'),
        ('large', {}, 'the model takes images of 784 pixels, got 64'),
        ('small', dict(dataset='mnits'), "unknown data set 'mnits': did you mean 'mnist'?"),
        ('small', dict(dataset='arrays:two.npz'), 'the model takes images of 64 pixels, got 16'),
        ('small', dict(protocol='papers'), "protocol must be None or 'paper', got 'papers'"),
        ('small', dict(seed=-1), 'seed must be at least 0, got -1'),
        ('small', dict(seed=99999999999), 'seed must be at most 4294967295'),
        ('small', dict(seed='one'), "seed must be a whole number, got 'one'"),
        ('small', dict(data_options='sise=9'), 'sise'),
        ('small', dict(out='report.pdf'), 'report.pdf must end in .html'),
        ('small', dict(out='none/report.html'), 'cannot write to none: there is no such folder'),
        ('small', dict(device='gpu'), "device must be one that this machine has (cpu), got 'gpu'"),
    ],
)
def test_bad_input(folder, model, options, message, monkeypatch, capsys):
    "One line, status 2, before anything is measured or made."
    monkeypatch.chdir(folder)
    before = files(folder)
    with pytest.raises(SystemExit) as ended:
        evaluation.kae_evaluate(f'{model}.safetensors', **options)
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out, printed.err.count('\n')) == (2, '', 1)
    assert printed.err.startswith('kae_evaluate: ') and message in printed.err
    assert files(folder) == before


def test_one_file_cannot_be_written(tmp_path, monkeypatch, capsys):
    "A full disk for the report leaves the numbers, in the file and on the screen."
    AutoEncoder(64, 2, layer='linear').save(tmp_path / 'model.safetensors')
    monkeypatch.setattr(
        evaluation, 'evaluate', lambda *_, **__: dict(latent_dim=2, psnr=float('inf'))
    )
    monkeypatch.setattr(evaluation, 'pictures', lambda *_, **__: {})

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(evaluation, 'write_safely', full)
    with pytest.raises(SystemExit) as ended:
        evaluation.kae_evaluate(
            str(tmp_path / 'model.safetensors'), out=str(tmp_path / 'report.html')
        )
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert 'latent_dim' in printed.out and printed.err.endswith('No space left on device\n')
    assert read_json(tmp_path / 'report.json')['rows']['model'] == dict(latent_dim=2, psnr=None)


HOSTILE = '''
import hashlib, random, resource, sys
from pathlib import Path
import faiss, numpy as np
from kae_nb.retrieval import Index, SEAL
draw, rows, file = random.Random(0), np.random.default_rng(0).normal(size=(300, 6)), Path(sys.argv[1])
contents = [faiss.serialize_index(Index(rows, metric, kind).faiss_index).tobytes() for kind in ('exact', 'hnsw') for metric in ('l2', 'inner_product')]
memory, refused = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
for trial in range(221):
    content = bytearray(contents[trial % 4])
    for _ in range(draw.choice((1, 1, 2, 5))):
        place = draw.choice((draw.randrange(len(content) - 9), draw.randrange(300), max(0, len(content) - 7208 - draw.randrange(60))))
        size = draw.choice((1, 4, 8))
        value = draw.choice((draw.randbytes(size), b'\\xff'*size, bytes(size), b'\\xff'*(size - 1) + b'\\x7f'))
        content[place:place + draw.choice((size, size, size, 0))] = value
    file.write_bytes(content + SEAL + hashlib.sha256(content).digest())             # the digest fits
    try: index = Index.load(file)
    except ValueError: refused += 1
    else: index.search(np.zeros((20, index.codes.shape[1])), 10)
print(refused, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) // 1024)
'''


def test_hostile_index_files(tmp_path):
    "None of 221 files that were made to mislead crashes the process, hangs, or takes memory that it does not justify."
    done = subprocess.run(
        [sys.executable, '-c', HOSTILE, tmp_path / 'hostile.faiss'],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    refused, megabytes = map(int, done.stdout.split())
    assert refused > 100 and megabytes < (100 if sys.platform == 'linux' else 10**9)


class Trained(nn.Module):
    "A model in training mode, with batch statistics that change and random numbers that are drawn, unless it is put into evaluation mode."

    def __init__(self):
        super().__init__()
        self.inner, self.outer = (
            nn.Sequential(nn.BatchNorm1d(64), nn.Linear(64, 8), nn.Dropout()),
            nn.Linear(8, 64),
        )
        self.outer.eval()  # a part of it is not

    def encode(self, x):
        return self.inner(x)

    def decode(self, z):
        return self.outer(z).sigmoid()


@contextmanager
def unchanged(model):
    "Fails if the block changes the numbers, modes or gradients of the model."

    def state():
        return (
            hashlib.sha256(
                b''.join(t.numpy().tobytes() for t in model.state_dict().values())
            ).digest(),
            [m.training for m in model.modules()],
            [p.requires_grad for p in model.parameters()],
            [p.grad is None for p in model.parameters()],
        )

    before = state()
    yield
    plt.close('all')
    assert state() == before


def calls(model):
    "A call of each public function of the modules that takes a model first, by name."
    digits = load_dataset('digits')
    data = replace(
        digits,
        x_train=digits.x_train[:200],
        y_train=digits.y_train[:200],
        x_test=digits.x_test[:120],
        y_test=digits.y_test[:120],
    )
    x, shape, models = data.x_test, (8, 8), {'model': model}
    return dict(
        codes_of=lambda f: f(model, x),
        image_scores=lambda f: f(model, x, reconstruction.squared_errors),
        reconstruction_mse=lambda f: f(model, x),
        evaluate_reconstruction=lambda f: f(model, x, shape),
        check_models=lambda f: f(models),
        show_reconstructions=lambda f: f(models, x, shape),
        show_extremes=lambda f: f(model, x, shape),
        pixel_errors=lambda f: f(model, x),
        show_pixel_errors=lambda f: f(models, x, shape),
        recall_curve=lambda f: f(model, x, 5),
        recall_at_k=lambda f: f(model, x),
        evaluate_retrieval=lambda f: f(model, x),
        show_neighbors=lambda f: f(models, x, shape),
        nearest_neighbor_accuracy=lambda f: f(model, data),
        confusion=lambda f: f(model, data),
        probe_accuracy=lambda f: [f(model, data, probe) for probe in classification.PROBES],
        label_curve=lambda f: f(model, data, (30,)),
        evaluate_classification=lambda f: f(model, data),
        denoising_mse=lambda f: f(model, x),
        evaluate_denoising=lambda f: f(model, x),
        NoisyInput=lambda f: f(model),
        show_denoising=lambda f: f(models, x, shape),
        feature_errors=lambda f: f(model, x),
        show_feature_errors=lambda f: f(models, x),
        show_test_rows=lambda f: f(models, data),
        evaluate=lambda f: f(model, data),
        pictures=lambda f: f(models, data),
    )


def test_measuring_changes_no_model():
    torch.manual_seed(0)
    model = Trained().train()
    model.outer.eval()
    tried = calls(model)
    for module in (reconstruction, retrieval, classification, denoising, evaluation):
        for name in module.__all__:
            function = getattr(module, name)
            if not callable(function) or name == 'kae_evaluate':
                continue  # that takes a file
            if next(iter(inspect.signature(function).parameters), '') not in ('model', 'models'):
                continue
            with unchanged(model):
                tried.pop(name)(function)
    assert not tried


@pytest.mark.parametrize(
    'imports', ['import faiss, torch', 'import torch, faiss', 'import faiss, sklearn, torch']
)
def test_faiss_and_torch_share_a_process(imports):
    "Each brings a thread pool of its own; both must compute, and in any order of import."
    code = f'''{imports}
import numpy as np
x = torch.rand(5000, 64)
for _ in range(3):
    (x @ x.T).sum()
    index = faiss.IndexFlatL2(64); index.add(x.numpy())
    assert (index.search(x.numpy(), 1)[1][:, 0] == np.arange(5000)).mean() > 0.99
    torch.nn.Linear(64, 64)(x).sum().backward()
'''
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, 'OMP_NUM_THREADS': '2'},
    )
    assert done.returncode == 0, done.stderr
