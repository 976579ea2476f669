"Commands as processes: what a user sees, what is left on the disk, how they end."

import os, signal, subprocess, sys, time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kae_nb.autoencoder import AutoEncoder
from kae_nb.benchmarks import kae_bench
from kae_nb.demo import demo, kae_demo, plot_demo
from kae_nb.console import in_terminal
from kae_nb.data import load_dataset


def run(*arguments, folder, **environment):
    "Run `kae_demo` in `folder`; return the finished process."
    command = Path(sys.executable).with_name('kae_demo')
    return subprocess.run(
        [command, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
    )


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in Path(folder).rglob('*') if p.is_file()}


def test_main_job(tmp_path):
    done = run('--epochs', '30', '--save', 'models', folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == 'digits: 1,437 training and 360 test images, 8×8 gray, 10 classes'
    assert lines[1].split() == ['parameters', 'seconds', 'test_mse', 'nn_accuracy', 'recall']
    assert [line.split('  ')[0].strip(' *') for line in lines[2:7]] == [
        'PCA',
        'manifold',
        'MLP',
        'KAE (p=3)',
        'residual',
    ]
    for line in lines[2:7]:
        *_, mse, accuracy, recall = map(float, line.split()[-3:])
        assert 0 < mse < 0.07 and 0.7 < accuracy <= 1 and 0.3 < recall < 1
    assert next(line for line in lines if line.startswith('least error: ')).count(';') == 2
    assert 'images/s' in done.stderr and 'test_mse=' in done.stderr  # the progress bar
    assert (tmp_path / 'kae_demo.png').read_bytes().startswith(b'\x89PNG')

    from kae_nb.reconstruction import reconstruction_mse

    model = AutoEncoder.load(tmp_path / 'models/kae3.safetensors')
    assert (
        f'{reconstruction_mse(model, load_dataset("digits").x_test):.4f}' == lines[5].split()[-3]
    )


def end_of(function, arguments, folder, monkeypatch):
    "How a command of these arguments ends in a folder: exit status and both outputs."
    monkeypatch.chdir(folder)
    return in_terminal(function, *arguments)


WRONG_DEMO = [
    (
        ['--dataset', 'mnits'],
        "unknown data set 'mnits': did you mean 'mnist'? known are 'digits', 'mnist'",
    ),
    (['--latent_dim', '0'], 'latent_dim must be at least 1, got 0'),
    (['--latent_dim', '65'], 'latent_dim must be at most 64 for digits'),
    (['--latent_dim', '1000000000000'], 'latent_dim must be at most'),
    (['--latent_dim', '2000000000'], 'GB of memory, and cpu has'),
    (['--latent_dim', '16.5'], "argument --latent_dim: expected a whole number, got '16.5'"),
    (['--seed', '-1'], 'seed must be at least 0, got -1'),
    (['--seed', '99999999999999999999'], 'seed must be'),
    (['--epochs', '0'], 'epochs must be at least 1, got 0'),
    (['--epoch', '3'], "unknown option '--epoch': did you mean '--epochs'?"),
    (['--latentdim=3'], "unknown option '--latentdim': did you mean '--latent_dim'?"),
    (['figure.png'], "'figure.png' belongs to no option"),
    (['--data_options', 'grayscale=maybe'], 'grayscale must be true or false'),
    (['--data_options', 'greyscale=no'], "unknown option 'greyscale': did you mean 'grayscale'?"),
    (['--data_options', 'size=10*14'], 'size must be'),
    (['--data_options', 'root=.'], "unknown option 'root'"),
    (['--out', 'none/figure.png'], 'cannot write to none: there is no such folder'),
    (['--out', 'figure.doc'], 'figure.doc must end in one of'),
    (['--save', 'none/models'], 'there is no such folder'),
    (['--save', 'kae_demo.png'], 'there is no such folder'),
    (['--device', 'gpu'], "device must be one that this machine has (cpu), got 'gpu'"),
    (['--device', f'cuda:{torch.cuda.device_count()}'], 'this machine has (cpu'),
]
WRONG_BENCH = [
    ([], 'the following arguments are required: what'),
    (['layers', '--layers', 'none'], "unknown layers 'none'"),
    (['layers', '--layers', ','], 'layers must be names with commas between them'),
    (['layers', '--seconds', 'nan'], 'seconds must be at least 0, got nan'),
    (['layers', '--seconds', 'inf'], 'seconds must be at least 0, got inf'),
    (['layers', '--seconds', '-1'], 'seconds must be at least 0, got -1'),
    (['layers', '--sizes', '1000000000x784x16'], 'GB of memory'),
    (['layers', '--sizes', '8x8x8', '--memory_size', '1x1000000x1000000'], 'GB of memory'),
    (['layers', '--sizes', '0x784x16'], 'the batch in'),
    (
        ['training', '--dataset', 'digits', '--seeds', '1000000000', '--compiled', 'none'],
        'seeds=1000000000 models at once',
    ),
    (['training', '--dataset', 'digits', '--epochs', '0'], 'epochs must be at least 1'),
    (
        ['training', '--layers', 'kae3', '--compiled', 'kae4'],
        "unknown compiled 'kae4': did you mean 'kae3'?",
    ),
]


@pytest.mark.parametrize(
    'function, arguments, message',
    [(kae_demo, *case) for case in WRONG_DEMO] + [(kae_bench, *case) for case in WRONG_BENCH],
)
def test_bad_input(tmp_path, monkeypatch, function, arguments, message):
    (tmp_path / 'kae_demo.png').write_bytes(b'from before')
    before, start = files(tmp_path), time.perf_counter()
    status, output, errors = end_of(function, arguments, tmp_path, monkeypatch)
    assert (
        status == 2
        and errors.startswith(f'{function.__name__}: ')
        and message in errors
        and errors.count('\n') == 1
    )
    if function is kae_demo:
        assert output == ''
    assert files(tmp_path) == before and time.perf_counter() - start < 10


def test_bad_input_of_a_process(tmp_path):
    "The same as a process, without a network: one line, or what a download reports of its attempts and then one line."
    done = run(
        '--dataset',
        'cifar10',
        '--data_root',
        'nothing_here',
        folder=tmp_path,
        https_proxy='http://127.0.0.1:9',
        http_proxy='http://127.0.0.1:9',
    )
    error = done.stderr.strip().splitlines()[-1]
    assert (done.returncode, done.stdout, files(tmp_path)) == (
        2,
        '',
        {},
    ) and 'Traceback' not in done.stderr
    # three ways to get it
    assert error.startswith("kae_demo: the data set 'cifar10' is not in nothing_here") and all(
        f'({i})' in error for i in (1, 2, 3)
    )


def test_unwritable_folder(tmp_path):
    "A folder that exists but takes no files is noticed before training, for root too."
    done = run('--out', '/proc/kae_demo.png', folder=tmp_path)
    if not Path('/proc').is_dir():
        pytest.skip('this system has no /proc')
    assert (done.returncode, done.stdout) == (2, '') and done.stderr.startswith(
        'kae_demo: cannot write to /proc'
    )


def test_layer_names():
    "An unknown layer, from Python: the command has no such option."
    with pytest.raises(ValueError, match="unknown layer 'kaes': did you mean 'kae'"):
        AutoEncoder(64, 4, layer='kaes')


def test_sizes_of_two_sides(tmp_path, monkeypatch):
    "A command line can say what Python and TOML can: height and width."
    for text in ('size=6x10', 'size=[6,10]', 'size=[6, 10],preprocessing=inverse'):
        status, output, errors = end_of(
            kae_demo,
            ['--data_options', text, '--epochs', '1', '--latent_dim', '2'],
            tmp_path,
            monkeypatch,
        )
        assert status == 0 and '6×10 gray' in output, errors


# Ctrl-C


def wait_for(text, file, process):
    "Wait until the process has written this text to the file."
    deadline = time.time() + 100
    while text not in file.read_text() and process.poll() is None and time.time() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, file.read_text()


def interrupted(folder, name, *arguments, until, **options):
    "Start a command, send SIGINT when it has written `until` to standard error; return its exit status and its two outputs."
    with open(folder / 'errors', 'w') as errors:
        command = Path(sys.executable).with_name(name)
        process = subprocess.Popen(
            [command, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            **options,
        )
        wait_for(until, folder / 'errors', process)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=100)
    return process.returncode, output, (folder / 'errors').read_text()


def test_interrupted_training(tmp_path):
    "Whichever of its trainings it is: status 130, no table, no figure of half a job."
    status, output, errors = interrupted(
        tmp_path, 'kae_demo', '--epochs', '3000', until='images/s'
    )
    assert (
        (status, output) == (130, '')
        and errors.splitlines()[-1] == 'kae_demo: interrupted'
        and 'Traceback' not in errors
    )
    assert list(files(tmp_path)) == [Path('errors')]


def test_interrupted_benchmark(tmp_path):
    status, output, errors = interrupted(
        tmp_path,
        'kae_bench',
        'training',
        '--dataset',
        'digits',
        '--epochs',
        '100000',
        '--compiled',
        'none',
        until='rounds/s',
    )
    assert (
        status == 130
        and errors.splitlines()[-1] == 'kae_bench: interrupted'
        and 'Traceback' not in errors
    )
    assert 'times_first' not in output and list(files(tmp_path)) == [Path('errors')]


@pytest.mark.skipif(os.name != 'posix', reason='signals of Unix')
def test_ignored_interrupt(tmp_path):
    "A signal that was ignored when the process began stays ignored: the job is done as a whole."
    ignore = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    status, output, errors = interrupted(
        tmp_path,
        'kae_demo',
        '--epochs',
        '10',
        '--latent_dim',
        '2',
        until='training MLP',
        preexec_fn=ignore,
    )
    assert (
        status == 0
        and 'KAE (p=3)' in output
        and 'interrupted' not in errors
        and (tmp_path / 'kae_demo.png').exists()
    )


INTERRUPTED_AT = """
import os, signal, sys
from pathlib import Path
import kae_nb.demo as demo_
from kae_nb.autoencoder import AutoEncoder

def at(owner, name):
    work = getattr(owner, name)
    def interrupted(*args, **options):
        os.kill(os.getpid(), signal.SIGINT)
        return work(*args, **options)
    setattr(owner, name, interrupted)
    try: demo_.kae_demo(epochs=1, save='models')
    except SystemExit as end: print(name, end.code, *sorted(p.name for p in Path().rglob('*') if p.is_file()))
    setattr(owner, name, work)

for place in [(demo_, 'load_dataset'), (demo_, 'PCA'), (demo_, 'nearest_neighbor_accuracy'), (AutoEncoder, 'save'), (demo_, 'plot_demo'), (demo_, 'TSNE')]: at(*place)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


def test_interrupted_elsewhere(tmp_path):
    "While loading, measuring, saving or drawing, it is the same; nothing is half-written, nothing printed."
    done = subprocess.run(
        [sys.executable, '-c', INTERRUPTED_AT],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    models = 'kae3.safetensors manifold.safetensors mlp.safetensors residual.safetensors'
    assert done.stdout.splitlines() == [
        'load_dataset 130',
        'PCA 130',
        'nearest_neighbor_accuracy 130',
        'save 130 manifold.safetensors',
        f'plot_demo 130 {models}',
        f'TSNE 130 {models}',
    ], done.stderr
    assert done.stderr.count('kae_demo: interrupted') == 6


# printing never fails


@pytest.mark.skipif(os.name != 'posix', reason='a shell and /dev/full')
@pytest.mark.parametrize('redirection', ['2>&1 | head -c 1', '> /dev/full 2> /dev/full'])
def test_nobody_reads(tmp_path, redirection):
    "The reader is gone, the disk behind the output is full: the work is done and kept; and × is escaped where it cannot be written."
    command = Path(sys.executable).with_name('kae_demo')
    script = f'{command} --epochs 1 --latent_dim 2 --save models {redirection}; echo "status ${{PIPESTATUS[0]}}" > status'
    done = subprocess.run(
        ['bash', '-c', script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, 'PYTHONIOENCODING': 'ascii'},
    )
    assert (tmp_path / 'status').read_text() == 'status 0\n' and done.stderr == ''
    assert (tmp_path / 'kae_demo.png').read_bytes().startswith(b'\x89PNG') and len(
        list((tmp_path / 'models').iterdir())
    ) == 4


# odd data


@pytest.fixture(scope='module')
def digits():
    return load_dataset('digits', subset=64)


def drawn(data, **options):
    table, models, histories = demo(data, epochs=1, latent_dim=2, progress=False, **options)
    figure = plot_demo(data, table, models, histories)
    figure.canvas.draw()
    return table, figure


def test_images_without_labels(digits):
    "All but what needs labels."
    zeros = dict(y_train=torch.zeros_like(digits.y_train), y_test=torch.zeros_like(digits.y_test))
    table, figure = drawn(replace(digits, classes=('unlabeled',), **zeros))
    assert list(table.columns) == ['parameters', 'seconds', 'test_mse', 'recall']
    assert len(table) == 5
    codes = figure.subfigs[1].axes[1]
    assert (
        len(codes.collections) == 1
        and len(codes.collections[0].get_offsets()) == len(digits.x_test)
        and codes.get_legend() is None
    )


def test_odd_classes(digits):
    "Names that are formulas to matplotlib, a class with a single image, a class that the test part has not."
    y_train, y_test = digits.y_train.clamp(max=1), digits.y_test.clamp(max=1)
    y_train[0] = 2
    table, figure = drawn(
        replace(
            digits,
            classes=('$1_$5', r'\alpha', '_c'),
            y_train=y_train,
            y_test=y_test,
            name='$a_$b',
        )
    )
    assert 'nn_accuracy' in table and [
        text.get_text() for text in figure.subfigs[1].axes[1].get_legend().get_texts()
    ] == [r'\$1_\$5', r'\alpha', ' _c']


def test_single_test_image(digits):
    table, figure = drawn(replace(digits, x_test=digits.x_test[:1], y_test=digits.y_test[:1]))
    assert len(table) == 5


def test_problem_is_marked(tmp_path, monkeypatch):
    "A model whose training went wrong has a star, and the table says why."
    import kae_nb.demo as demo_

    fit = demo_.fit

    def worse(model, *args, **options):
        history = fit(model, *args, **options)
        history.problem = 'it learned nothing' if model.layer == 'linear' else None
        return history

    monkeypatch.setattr(demo_, 'fit', worse)
    status, output, errors = end_of(
        kae_demo, ['--epochs', '1', '--latent_dim', '2'], tmp_path, monkeypatch
    )
    assert (
        status == 0
        and 'MLP *' in output
        and '* MLP: it learned nothing' in output
        and output.count('*') == 2
    )


def test_figure_that_fails(tmp_path, monkeypatch):
    "The table is printed and the models are kept; the error is told, and the status is not 0."
    import kae_nb.demo as demo_

    def fail(*_):
        raise ValueError('no font')

    monkeypatch.setattr(demo_, 'plot_demo', fail)
    status, output, errors = end_of(
        kae_demo, ['--epochs', '1', '--latent_dim', '2', '--save', 'models'], tmp_path, monkeypatch
    )
    assert status == 2 and errors.splitlines()[-1] == 'kae_demo: no font' and 'KAE (p=3)' in output
    assert len(files(tmp_path)) == 4
